/* The opcode tables: for each opcode what follows it, and what the instruction does where somebody asks (SDM vol. 2,
 * appendix A). */
#include "common/x86/insn.h"
#include "common/x86/opcodes.h"

enum { G_ALU, G_SHIFT, G_UNARY, G_FE, G_FF, G_BIT, G_MOV, G_POP, G_0FC7 };
const uint8_t opcode_groups[][8] = {
    [G_ALU] = { OP_ADD, OP_OR, OP_ADC, OP_SBB, OP_AND, OP_SUB, OP_XOR, OP_CMP },
    [G_SHIFT] = { OP_ROL, OP_ROR, OP_RCL, OP_RCR, OP_SHL, OP_SHR, OP_SHL, OP_SAR },
    [G_UNARY] = { [2] = OP_NOT, [3] = OP_NEG },
    [G_FE] = { OP_INC, OP_DEC },
    [G_FF] = { OP_INC, OP_DEC, OP_CALL, OP_CALL_FAR, [6] = OP_PUSH },
    [G_BIT] = { [4] = OP_BT, [5] = OP_BTS, [6] = OP_BTR, [7] = OP_BTC },
    [G_MOV] = { OP_MOV },
    [G_POP] = { OP_POP_MEMORY },
    [G_0FC7] = { [1] = OP_CMPXCHG8B },
};

#define ALU_ROW(first, op)                                                                                  \
    [(first)] = (op) | MODRM | BYTE, [(first) + 1] = (op) | MODRM,                                          \
    [(first) + 2] = MODRM | BYTE, [(first) + 3] = MODRM, [(first) + 4] = IMM8 | BYTE, [(first) + 5] = IMMZ

const uint32_t opcodes[256] = {
    [0x0f] = ESCAPE,
    ALU_ROW(0x00, OP_ADD), ALU_ROW(0x08, OP_OR), ALU_ROW(0x10, OP_ADC), ALU_ROW(0x18, OP_SBB),
    ALU_ROW(0x20, OP_AND), ALU_ROW(0x28, OP_SUB), ALU_ROW(0x30, OP_XOR), ALU_ROW(0x38, OP_CMP),
    [0x06 ... 0x07] = KNOWN | NO_64, [0x0e] = KNOWN | NO_64, [0x16 ... 0x17] = KNOWN | NO_64,
    [0x1e ... 0x1f] = KNOWN | NO_64, [0x27] = KNOWN | NO_64, [0x2f] = KNOWN | NO_64, [0x37] = KNOWN | NO_64,
    [0x3f] = KNOWN | NO_64,
    [0x26] = PREFIX, [0x2e] = PREFIX, [0x36] = PREFIX, [0x3e] = PREFIX, [0x64 ... 0x67] = PREFIX,
    [0xf0] = PREFIX, [0xf2 ... 0xf3] = PREFIX,
    [0x40 ... 0x4f] = KNOWN | REX,                                                  /* inc, dec */
    [0x50 ... 0x57] = OP_PUSH | KNOWN | D64, [0x58 ... 0x5f] = OP_POP | KNOWN | D64,
    [0x60 ... 0x61] = KNOWN | NO_64, [0x62] = MODRM | NO_64, [0x63] = MODRM,        /* pusha, bound, movsxd */
    [0x68] = OP_PUSH | IMMZ | D64, [0x69] = MODRM | IMMZ, [0x6a] = OP_PUSH | IMM8 | D64, [0x6b] = MODRM | IMM8,
    [0x6c] = SIMPLE | BYTE, [0x6d] = SIMPLE, [0x6e] = SIMPLE | BYTE, [0x6f] = SIMPLE,   /* ins, outs */
    [0x70 ... 0x7f] = IMM8,
    [0x80] = G_ALU | GROUP | MODRM | IMM8 | BYTE, [0x81] = G_ALU | GROUP | MODRM | IMMZ,
    [0x82] = G_ALU | GROUP | MODRM | IMM8 | BYTE | NO_64, [0x83] = G_ALU | GROUP | MODRM | IMM8,
    [0x84] = MODRM | BYTE, [0x85] = MODRM,                                          /* test */
    [0x86] = OP_XCHG | MODRM | BYTE, [0x87] = OP_XCHG | MODRM,
    [0x88] = OP_MOV | MODRM | BYTE, [0x89] = OP_MOV | MODRM, [0x8a] = MODRM | BYTE, [0x8b] = MODRM,
    [0x8c] = MODRM | WORD, [0x8d] = MODRM, [0x8e] = MODRM | WORD,       /* mov Sreg, lea */
    [0x8f] = G_POP | GROUP | MODRM | D64,
    [0x90 ... 0x99] = KNOWN, [0x9a] = FAR_POINTER | NO_64, [0x9b] = KNOWN, [0x9e ... 0x9f] = KNOWN,
    [0x9c] = OP_PUSH | KNOWN | D64, [0x9d] = OP_POP | KNOWN | D64,
    [0xa0] = MOFFS | BYTE, [0xa1] = MOFFS, [0xa2] = OP_MOV | MOFFS | BYTE | ACC, [0xa3] = OP_MOV | MOFFS | ACC,
    [0xa4] = OP_MOVS | KNOWN | BYTE, [0xa5] = OP_MOVS | KNOWN, [0xa6] = KNOWN | BYTE, [0xa7] = KNOWN,
    [0xa8] = IMM8 | BYTE, [0xa9] = IMMZ, [0xaa] = OP_STOS | KNOWN | BYTE | ACC, [0xab] = OP_STOS | KNOWN | ACC,
    [0xac ... 0xaf] = KNOWN,
    [0xb0 ... 0xb7] = IMM8 | BYTE, [0xb8 ... 0xbf] = IMMV,
    [0xc0] = G_SHIFT | GROUP | MODRM | IMM8 | BYTE, [0xc1] = G_SHIFT | GROUP | MODRM | IMM8,
    [0xc2] = OP_RET | IMM16 | F64, [0xc3] = OP_RET | KNOWN | F64,
    [0xc4 ... 0xc5] = MODRM | VEX,                                                  /* les, lds */
    [0xc6] = G_MOV | GROUP | MODRM | IMM8 | BYTE, [0xc7] = G_MOV | GROUP | MODRM | IMMZ,
    [0xc8] = OP_ENTER | IMM16 | IMM8 | D64, [0xc9] = OP_LEAVE | KNOWN | D64,
    [0xca] = OP_RET_FAR | IMM16, [0xcb] = OP_RET_FAR | KNOWN,
    [0xcc] = KNOWN, [0xcd] = IMM8, [0xce] = KNOWN | NO_64, [0xcf] = OP_IRET | KNOWN,
    [0xd0] = G_SHIFT | GROUP | MODRM | BYTE | ONE, [0xd1] = G_SHIFT | GROUP | MODRM | ONE,
    [0xd2] = G_SHIFT | GROUP | MODRM | BYTE | CL, [0xd3] = G_SHIFT | GROUP | MODRM | CL,
    [0xd4 ... 0xd5] = IMM8 | NO_64, [0xd6] = KNOWN | NO_64, [0xd7] = KNOWN,
    [0xd8 ... 0xdf] = MODRM,                                                        /* x87 */
    [0xe0 ... 0xe3] = IMM8,
    [0xe4] = SIMPLE | IMM8 | BYTE, [0xe5] = SIMPLE | IMM8,                          /* in, out */
    [0xe6] = SIMPLE | IMM8 | BYTE, [0xe7] = SIMPLE | IMM8,
    [0xe8] = OP_CALL | IMMZ | F64, [0xe9] = IMMZ | F64, [0xea] = FAR_POINTER | NO_64, [0xeb] = IMM8,
    [0xec] = SIMPLE | BYTE, [0xed] = SIMPLE, [0xee] = SIMPLE | BYTE, [0xef] = SIMPLE,
    [0xf1] = KNOWN, [0xf4 ... 0xf5] = KNOWN, [0xf8 ... 0xfd] = KNOWN,
    [0xf6] = G_UNARY | GROUP | MODRM | BYTE | TEST_IMM, [0xf7] = G_UNARY | GROUP | MODRM | TEST_IMM,
    [0xfe] = G_FE | GROUP | MODRM | BYTE, [0xff] = G_FF | GROUP | MODRM,
};

/* Behind 0F. Where SSE needs it, what the operand's size is does not matter to anybody here. */
const uint32_t opcodes_0f[256] = {
    [0x00] = MODRM | WORD, [0x01] = MODRM, [0x02 ... 0x03] = MODRM | WORD, [0x05 ... 0x09] = KNOWN,
    [0x0b] = KNOWN, [0x0d] = MODRM, [0x0e] = KNOWN, [0x0f] = MODRM | IMM8,
    [0x10 ... 0x17] = MODRM, [0x18 ... 0x1f] = MODRM,                   /* hints and nops */
    [0x20 ... 0x23] = REGS, [0x28 ... 0x2f] = MODRM,
    [0x30 ... 0x35] = KNOWN, [0x37] = KNOWN, [0x40 ... 0x6f] = MODRM,
    [0x70 ... 0x73] = MODRM | IMM8, [0x74 ... 0x76] = MODRM, [0x77] = KNOWN, [0x78 ... 0x7f] = MODRM,
    [0x80 ... 0x8f] = IMMZ | F64, [0x90 ... 0x9f] = OP_SETCC | MODRM | BYTE,
    [0xa0] = OP_PUSH | KNOWN | D64, [0xa1] = OP_POP | KNOWN | D64, [0xa2] = KNOWN, [0xa3] = OP_BT | MODRM,
    [0xa4] = OP_SHLD | MODRM | IMM8, [0xa5] = OP_SHLD | MODRM | CL,
    [0xa8] = OP_PUSH | KNOWN | D64, [0xa9] = OP_POP | KNOWN | D64, [0xaa] = KNOWN, [0xab] = OP_BTS | MODRM,
    [0xac] = OP_SHRD | MODRM | IMM8, [0xad] = OP_SHRD | MODRM | CL, [0xae ... 0xaf] = MODRM,
    [0xb0] = OP_CMPXCHG | MODRM | BYTE, [0xb1] = OP_CMPXCHG | MODRM, [0xb2] = MODRM, [0xb3] = OP_BTR | MODRM,
    [0xb4 ... 0xb5] = MODRM, [0xb6] = MODRM | BYTE, [0xb7] = MODRM | WORD, [0xb8 ... 0xb9] = MODRM,
    [0xba] = G_BIT | GROUP | MODRM | IMM8, [0xbb] = OP_BTC | MODRM, [0xbc ... 0xbd] = MODRM,
    [0xbe] = MODRM | BYTE, [0xbf] = MODRM | WORD,
    [0xc0] = OP_XADD | MODRM | BYTE, [0xc1] = OP_XADD | MODRM, [0xc2] = MODRM | IMM8, [0xc3] = OP_MOV | MODRM,
    [0xc4 ... 0xc6] = MODRM | IMM8, [0xc7] = G_0FC7 | GROUP | MODRM, [0xc8 ... 0xcf] = KNOWN,
    [0xd0 ... 0xff] = MODRM,
};
