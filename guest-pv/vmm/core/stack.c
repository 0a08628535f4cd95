/* PUSH, POP, PUSHF, POPF, ENTER, LEAVE (SDM vol. 2). In 64-bit code the stack's pointer is RSP, and
 * what is pushed has 8 bytes, or 2 with the operand-size prefix: struct insn's op_bytes. Calls and
 * returns are control.c; POP to a segment register is the system part's. */
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/operand.h"
#include "guest-pv/vmm/core/system.h"

bool op_push(struct exec *x)
{
    struct operand o;
    uint64_t value;

    find_operand(x, 0, &o);
    return load(x, &o, &value) && push(x, x->in->op_bytes, value) && finish(x);
}

/* POP RSP: what was popped counts. */
bool op_pop(struct exec *x)
{
    struct operand o;
    uint64_t value;

    find_operand(x, 0, &o);
    if (o.type == OPERAND_SEGMENT)
        return op_pop_segment(x);
    return pop(x, x->in->op_bytes, &value) && store(x, &o, value) && finish(x);
}

/* 8F. An address by RSP is that after the pop: operand_offset() knows. The write may fault, so RSP
 * changes after it. A destination that is RSP itself gets what was popped. */
bool op_pop_memory(struct exec *x)
{
    unsigned bytes = x->in->op_bytes;
    uint64_t value, rsp = x->c->regs[RSP];

    if (!pop(x, bytes, &value))
        return false;
    if (!write_operand(x, 0, value)) {
        x->c->regs[RSP] = rsp;
        return false;
    }
    return finish(x);
}

bool op_pushf(struct exec *x)
{
    uint64_t flags = x->c->regs[REG_RFLAGS] & ~(uint64_t)(FLAG_RF | FLAG_VM);

    return push(x, x->in->op_bytes, flags) && finish(x);
}

/* SDM vol. 2, POPF, the table of effects: IOPL only by CPL 0, IF by a CPL that IOPL lets do I/O;
 * both stay silently otherwise. VM, VIF and VIP stay, RF becomes 0. */
bool op_popf(struct exec *x)
{
    uint64_t *flags = &x->c->regs[REG_RFLAGS], value;
    uint64_t which = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_TF | FLAG_DF | FLAG_OF |
                     FLAG_NT;

    if (!pop(x, x->in->op_bytes, &value))
        return false;
    if (x->in->op_bytes == 8)
        which |= FLAG_AC | FLAG_ID;
    if (x->c->cpl == 0)
        which |= FLAG_IOPL;
    if (x->c->cpl <= (*flags & FLAG_IOPL) >> FLAG_IOPL_SHIFT)
        which |= FLAG_IF;
    *flags = (*flags & ~(which | FLAG_RF)) | (value & which);
    return finish(x);
}

/* ENTER's frame below rsp (SDM vol. 2): the old RBP, then of the levels above 1 the frame pointers
 * that the caller's frame has, then the new one's. False: a fault. */
static bool write_frame(struct exec *x, unsigned bytes, unsigned levels, uint64_t frame)
{
    uint64_t *regs = x->c->regs, value;

    for (unsigned i = 1; i < levels; i++) {
        /* the caller's are below its RBP; a stack's access, whichever the register */
        if (!read_stack(x, regs[RBP] - i * bytes - regs[RSP], bytes, &value) ||
            !push(x, bytes, value))
            return false;
    }
    return levels == 0 || push(x, bytes, frame);
}

/* The CPU tries a write at the stack's new top last. */
bool op_enter(struct exec *x)
{
    unsigned bytes = x->in->op_bytes, levels = x->in->imm >> 16 & 31;
    uint64_t *regs = x->c->regs, rsp = regs[RSP], frame = rsp - bytes;

    if (push(x, bytes, regs[RBP]) && write_frame(x, bytes, levels, frame) &&
        check_stack_write(x, regs[RSP] - (x->in->imm & 0xffff), bytes)) {
        regs[RSP] -= x->in->imm & 0xffff;
        write_reg(&regs[RBP], bytes, frame);
        return finish(x);
    }
    regs[RSP] = rsp;
    return false;
}

bool op_leave(struct exec *x)
{
    unsigned bytes = x->in->op_bytes;
    uint64_t *regs = x->c->regs, value, rsp = regs[RBP];

    if (!read_stack(x, rsp - regs[RSP], bytes, &value))
        return false;
    regs[RSP] = rsp + bytes;
    write_reg(&regs[RBP], bytes, value);
    return finish(x);
}
