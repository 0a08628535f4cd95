/* What an instruction that writes to memory makes of the old value there, and of the registers: in
 * two steps, so that the value can be refused in between. Pure functions; inline, because a page
 * table is changed by them one entry at a time. */
#ifndef COMMON_X86_STORE_H
#define COMMON_X86_STORE_H

#include "common/x86/alu.h"
#include "common/x86/regs.h"

static inline bool is_string_store(const struct insn *in)
{
    return in->op == OP_STOS || in->op == OP_MOVS;
}

/* What a store makes of the old value of its operand. */
struct store_result {
    uint64_t value;
    bool write;         /* false: only the registers change */
    bool old_to_source; /* the source register gets the old value (xchg, xadd) */
    bool old_to_rax;    /* a comparison failed: rAX, or EDX:EAX, gets the old value */
    uint64_t flags;
};

/* src: the register or immediate, or what was read from memory. */
static inline void store_compute(const struct insn *in, uint64_t old, uint64_t src,
                                 struct x86_regs regs, struct store_result *r)
{
    uint64_t compared;

    *r = (struct store_result){ .value = src, .write = true, .flags = reg_value(regs, REG_RFLAGS) };
    if (likely(in->op == OP_MOV))
        return;
    if (in->op == OP_CMPXCHG || in->op == OP_CMPXCHG8B) {
        compared = in->op == OP_CMPXCHG
                       ? reg_value(regs, RAX)
                       : reg_value(regs, RDX) << 32 | (uint32_t)reg_value(regs, RAX);
        compare(in->op_bytes, compared, old, &r->flags);
        r->write = r->flags & FLAG_ZF;
        r->old_to_rax = !r->write;
        if (in->op == OP_CMPXCHG8B)
            r->flags = (reg_value(regs, REG_RFLAGS) & ~FLAG_ZF) | (r->flags & FLAG_ZF);
        return;
    }
    r->old_to_source = in->op == OP_XCHG || in->op == OP_XADD;
    r->value = alu(in->op, in->op_bytes, old, src,
                   (unsigned)(in->by_cl ? reg_value(regs, RCX) : in->imm) & 0xff, &r->flags);
}

/* The registers after the store. */
static inline void store_commit(const struct insn *in, uint64_t old, const struct store_result *r,
                                struct x86_regs regs)
{
    uint64_t step = reg_value(regs, REG_RFLAGS) & FLAG_DF ? -(uint64_t)in->op_bytes : in->op_bytes;

    if (r->old_to_source)
        write_operand_reg(in, regs, in->source, old);
    if (r->old_to_rax && in->op == OP_CMPXCHG8B) {
        *reg_by_number(regs, RAX) = (uint32_t)old;
        *reg_by_number(regs, RDX) = old >> 32;
    } else if (r->old_to_rax) {
        write_reg(reg_by_number(regs, RAX), in->op_bytes, old);
    }
    if (unlikely(is_string_store(in))) {
        write_reg(reg_by_number(regs, RDI), in->ad_bytes, reg_value(regs, RDI) + step);
        if (in->op == OP_MOVS)
            write_reg(reg_by_number(regs, RSI), in->ad_bytes, reg_value(regs, RSI) + step);
        if (in->rep)
            write_reg(reg_by_number(regs, RCX), in->ad_bytes, reg_value(regs, RCX) - 1);
    }
    if (unlikely(in->op == OP_POP_MEMORY))
        *reg_by_number(regs, RSP) += in->op_bytes;
    *reg_by_number(regs, REG_RFLAGS) = r->flags;
}

#endif
