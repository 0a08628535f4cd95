/* An x86 instruction as data: what decode.c makes of bytes. Where its operands lie is address.h's,
 * what it computes is alu.h's and store.h's, registers are regs.h's. All of common/x86 are pure
 * functions of their arguments: no vCPU, no guest memory, no machine. Encodings are those of the
 * SDM, vol. 2. */
#ifndef COMMON_X86_INSN_H
#define COMMON_X86_INSN_H

#include "common/compiler.h"

#define MAX_INSN   15u
#define NO_REG     0xffu
#define REG_RIP    16u /* as a base: the address of the next instruction */
#define REG_RFLAGS 17u

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

/* Of a code segment: its default address size in bytes. */
enum cpu_mode { MODE_16 = 2, MODE_32 = 4, MODE_64 = 8 };

/* What instructions do. Decoding alone tells it of those that write to their ModRM's operand (or to
 * an implied one) from a register, an immediate or memory, up to BTC, and of some that use the
 * stack; the rest are OP_OTHER to it. What every instruction is, and its operands, say map.h and
 * operands.h. */
enum insn_op {
    OP_OTHER,
#define OP(name) OP_##name,
#include "common/x86/ops.def"
#undef OP
    NR_OPS,
};

struct insn {
    uint16_t opcode;            /* 0x100 added behind 0F, 0x200 behind 0F 38, 0x300 behind 0F 3A;
                                 * and 0x800 with VEX */
    uint8_t op;                 /* enum insn_op */
    uint8_t mode;               /* enum cpu_mode */
    uint8_t length;
    uint8_t op_bytes;           /* operand size: 1, 2, 4, 8 */
    uint8_t ad_bytes;           /* address size: 2, 4, 8 */
    uint8_t rex;                /* 0: none; of a VEX prefix the same bits */
    uint8_t rep;                /* 0, 0xf2 or 0xf3 */
    uint8_t override;           /* of the segment, by a prefix that counts: 1 + SEG_*; 0: none */
    uint8_t modrm;
    uint8_t source;             /* of a store: the register with its value; NO_REG: imm has it */
    uint8_t base, index, scale; /* of the memory operand: registers or NO_REG; index << scale */
    bool memory : 1;            /* there is a memory operand with an address in the instruction */
    bool opsize : 1, lock : 1;  /* prefixes 66, F0 */
    bool by_cl : 1;             /* the count of a shift is CL, not imm */
    int64_t disp;
    uint64_t imm;               /* sign-extended; of two the second is in bits 16 to 23; of a far
                                 * pointer the selector in bits 32 to 47 */
};

/* One instruction at bytes. False: longer than len bytes, or no instruction (or one of AVX-512 or
 * XOP). True does not mean that a CPU would execute it: that is for the CPU that raised the
 * exception, or for find_case(), to say. */
bool decode_insn(const uint8_t *bytes, unsigned len, enum cpu_mode mode, struct insn *in);

static inline bool is_store(const struct insn *in)
{
    return in->op != OP_OTHER && in->op <= OP_BTC;
}
static inline bool is_port_io(unsigned opcode)
{
    opcode &= 0xffcu; /* E4..E7, EC..EF, 6C..6F */
    return opcode == 0xec || opcode == 0xe4 || opcode == 0x6c;
}
/* The segment of the memory operand, or of what RSI points to. */
static inline unsigned operand_segment(const struct insn *in)
{
    if (unlikely(in->override != 0))
        return in->override - 1u;
    return in->memory && (in->base == RSP || in->base == RBP) ? SEG_SS : SEG_DS;
}
static inline unsigned modrm_reg(const struct insn *in)
{
    return (in->modrm >> 3 & 7u) | (in->rex << 1 & 8u);
}
static inline unsigned modrm_rm(const struct insn *in)
{
    return (in->modrm & 7u) | (in->rex << 3 & 8u);
}

static inline uint64_t next_rip(const struct insn *in, uint64_t rip)
{
    rip += in->length;
    return likely(in->mode == MODE_64) ? rip : (uint32_t)rip;
}

static inline uint64_t size_mask(unsigned bytes)
{
    return ~0ull >> (64 - 8 * bytes);
}

#endif
