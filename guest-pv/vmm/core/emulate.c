/* One instruction: finds its row in the map, its memory operand and its handler. The handlers are
 * in the files that the three tables name; single steps for interpreters are here too. */
#include "common/x86/address.h"
#include "guest-pv/vmm/core/deliver.h"
#include "guest-pv/vmm/core/fetch.h"
#include "guest-pv/vmm/core/handlers.h"

static handler_fn *const handlers[NR_OPS] = {
#define HANDLER(op, function) [OP_##op] = function,
#include "guest-pv/vmm/core/handlers_integer.def"
#include "guest-pv/vmm/core/handlers_sse.def"
#include "guest-pv/vmm/core/handlers_system.def"
#undef HANDLER
};

/* What works on c->fx. */
static const bool uses_fx[NR_OPS] = {
#define HANDLER(op, function) [OP_##op] = true,
#include "guest-pv/vmm/core/handlers_sse.def"
#undef HANDLER
};

static inline bool execute(struct cpu *c, struct exec *x)
{
    unsigned op = x->k->op;

    if (uses_fx[op] && c->load_fx != NULL)
        c->load_fx(c);
    x->next_rip = next_rip(x->in, c->regs[REG_RIP]);
    if (x->in->memory)
        x->linear = segment_base(c, x->in) + operand_offset(x->in, cpu_regs(c));
    return handlers[op](x);
}

bool emulate_found(struct cpu *c, const struct insn *in, const struct insn_case *k,
                   const struct operand *operands)
{
    struct exec x = { .c = c, .in = in, .k = k, .operands = operands };

    if (k == NULL || handlers[k->op] == NULL)
        return raise_ud(c);
    return execute(c, &x);
}

bool emulate_case(struct cpu *c, const struct insn *in, const struct insn_case *k)
{
    return emulate_found(c, in, k, NULL);
}

bool emulate(struct cpu *c, const struct insn *in)
{
    return emulate_case(c, in, find_case(in));
}

bool emulate_step(struct cpu *c)
{
    const struct decoded *d = fetch_insn(c);
    int64_t budget = c->budget;
    bool done = d != NULL && emulate_found(c, &d->in, d->k, d->operands);

    c->counters.instructions += 1 + (uint64_t)(budget - c->budget);
    if (!done && c->stop == STOP_NOT)
        deliver_fault(c);
    return done;
}

void emulate_single_step(struct cpu *c)
{
    bool trap = (c->regs[REG_RFLAGS] & FLAG_TF) != 0;

    if (emulate_step(c) && trap && c->stop == STOP_NOT)
        deliver_single_step(c);
}
