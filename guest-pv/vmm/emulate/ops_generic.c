/* Operations that the core executes, accesses that the TLB does not have, and how a block is
 * left. */
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/emulate/ops.h"
#include "guest-pv/vmm/platform/platform.h"

static unsigned number_of(const struct cpu *c, const struct op *op)
{
    return (unsigned)(op - c->block->ops);
}

void leave_to(struct cpu *c, uint64_t rip)
{
    c->regs[REG_RIP] = rip;
    c->emulator->chain = NULL;
}

void leave_at(struct cpu *c, const struct block *b)
{
    c->budget += b->nr_insns;
    leave_to(c, b->rip);
}

void leave_chained(struct cpu *c, const struct op *branch)
{
    c->regs[REG_RIP] = block_end(c) + (uint64_t)(int64_t)branch->imm;
    c->emulator->chain = (struct op *)branch;
}

/* The instructions behind this one were not executed, though they were counted. */
static void leave_here(struct cpu *c, unsigned nr)
{
    c->budget += c->block->nr_insns - nr - 1;
    c->emulator->chain = NULL;
}

/* Is there something that the run loop does between instructions? */
static bool has_to_look(const struct cpu *c)
{
    return c->shadow || c->halted || (c->regs[REG_RFLAGS] & FLAG_TF) ||
           ((c->regs[REG_RFLAGS] & FLAG_IF) && pic_is_asking(&c->platform->pic));
}

void generic(struct cpu *c, const struct op *op)
{
    unsigned nr = number_of(c, op);
    const struct block *b = c->block;
    bool done;

    c->regs[REG_RIP] = b->rip + b->offsets[nr];
    lazy_to_rflags(c);
    done = emulate_case(c, &op->insn->in, op->insn->k);
    rflags_to_lazy(c);
    c->counters.generic++;
    if (!done) {
        c->emulator->fault = c->stop == STOP_NOT;
        return leave_here(c, nr);
    }
    if (nr + 1 != b->nr_insns && c->regs[REG_RIP] == b->rip + b->offsets[nr + 1] &&
        b->mapping == c->mapping && !has_to_look(c))
        NEXT;
    leave_here(c, nr);
    if (!has_to_look(c))
        return jump_to(c, c->regs[REG_RIP]);
}

void miss(struct cpu *c, const struct op *op, uint64_t linear, unsigned how)
{
    const struct tlb_entry *entries = how & ACCESS_WRITE ? c->tlb->write : c->tlb->read;

    /* No operation accesses more than 16 bytes. A write to the block's own frame has dropped it:
     * the core writes, and the block is left. */
    if (map_linear(c, linear, 1, how) != NULL && tlb_look_up(entries, linear, 16) != NULL &&
        c->block->mapping == c->mapping)
        return op->run(c, op);
    return generic(c, op);
}
