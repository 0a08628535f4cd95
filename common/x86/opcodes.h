/* What the decoder has to know of an opcode, from the maps: opcodes.c has the tables. */
#ifndef COMMON_X86_OPCODES_H
#define COMMON_X86_OPCODES_H

#include <stdint.h>

/* An entry of the opcode tables: an enum insn_op or a group, and what follows the opcode byte. 0:
 * no instruction. */
#define OP_MASK     0x3fu
#define GROUP       0x40u /* the low bits index opcode_groups[], the ModRM's reg field chooses */
#define KNOWN       0x80u
#define MODRM       0x100u /* ModRM, SIB, displacement */
#define REGS        0x200u /* ModRM that always names registers (MOV CRn, DRn) */
#define IMM8        0x400u
#define IMMZ        0x800u  /* 2 or 4 bytes by operand size */
#define IMMV        0x1000u /* the whole operand size */
#define IMM16       0x2000u
#define MOFFS       0x4000u   /* an address instead of a ModRM */
#define FAR_POINTER 0x8000u   /* IMMZ and a selector */
#define BYTE        0x10000u  /* operands are bytes */
#define D64         0x20000u  /* 64-bit operands by default in 64-bit mode */
#define NO_64       0x40000u  /* no instruction in 64-bit mode */
#define ESCAPE      0x80000u  /* another byte of opcode follows */
#define IMM_1       0x100000u /* imm is 1 */
#define BY_CL       0x200000u /* the count is CL */
#define ACC         0x400000u /* the source is rAX */
#define TEST_IMM    0x800000u /* an immediate only where the reg field is 0 or 1 */
#define PREFIX      0x1000000u
#define REX         0x2000000u /* in 64-bit mode a prefix, else what the rest says */
#define VEX         0x4000000u /* in 64-bit mode, or where a ModRM would name registers, a prefix */
#define WORD        0x8000000u  /* operands are words */
#define SIMPLE      0x10000000u /* IN, OUT: nothing but an IMM8 follows, if anything; OP_OTHER */
#define F64         0x20000000u /* near branch: 64-bit operands in 64-bit mode, despite prefixes */
#define TWO_IMM8    0x40000000u /* with 66 or F2 two bytes of immediate, otherwise none */
#define ACTS        0x80000000u /* in the maps only: decode.c says what it does */
#define NO_BYTE_IMM (IMMZ | IMMV | FAR_POINTER)
#define TAIL        (MODRM | REGS | RARE)
#define IMMEDIATES  (IMM8 | NO_BYTE_IMM | IMM16 | MOFFS | IMM_1 | TEST_IMM | TWO_IMM8)
#define RARE        (GROUP | IMMEDIATES | BY_CL | ACC | NO_64)

/* What each kind of operand makes an instruction have */
enum {
#define OPERAND(name, kind, size, tail) TAIL_##name = (int)(tail),
#include "common/x86/operands.def"
#undef OPERAND
};

/* Indexed by the opcode byte; by the one behind 0F; by group and the ModRM's reg field. */
extern const uint32_t opcodes[256], opcodes_0f[256];
extern const uint8_t opcode_groups[][8];

#endif
