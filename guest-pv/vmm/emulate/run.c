/* Way 1's run loop: polls the platform, delivers interrupts and exceptions, and runs blocks; where
 * there is no block, one instruction by the core. */
#include "guest-pv/vmm/core/deliver.h"
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/emulate/block.h"
#include "guest-pv/vmm/emulate/lazy.h"
#include "guest-pv/vmm/emulate/run.h"
#include "guest-pv/vmm/platform/platform.h"

/* Instructions between two looks at the clock and the console. */
#define SLICE 20000

static bool interrupts_on(const struct cpu *c)
{
    return (c->regs[REG_RFLAGS] & FLAG_IF) != 0;
}

/* One instruction, with RFLAGS as the core wants it. */
static void step(struct cpu *c)
{
    uint64_t counted = c->counters.instructions;

    c->emulator->chain = NULL;
    lazy_to_rflags(c);
    emulate_single_step(c);
    rflags_to_lazy(c);
    c->counters.instructions = counted; /* by the budget, as all others */
    c->budget--;
}

static void deliver_pending_fault(struct cpu *c)
{
    c->emulator->fault = false;
    lazy_to_rflags(c);
    deliver_fault(c);
    rflags_to_lazy(c);
}

static void deliver_pending_interrupt(struct cpu *c)
{
    c->emulator->chain = NULL; /* RIP is no longer where the branch leads */
    lazy_to_rflags(c);
    deliver_interrupt(c, platform_acknowledge(c->platform));
    rflags_to_lazy(c);
}

static void run_block(struct cpu *c)
{
    struct emulator *e = c->emulator;
    struct op *chain = e->chain;
    const char *generation = e->free;
    struct block *b = block_at_rip(c);

    e->chain = NULL;
    if (b == NULL)
        return step(c);
    /* When all blocks were dropped to make room, the branch is gone too. */
    if (chain != NULL && e->free >= generation)
        chain->next = b;
    c->budget -= b->nr_insns;
    c->block = b;
    b->ops[0].run(c, b->ops);
    if (e->fault)
        deliver_pending_fault(c);
}

static void poll(struct cpu *c)
{
    c->counters.instructions += (uint64_t)(SLICE - c->budget);
    c->budget = SLICE;
    platform_poll(c->platform);
    if (c->platform->reset)
        cpu_stop(c, STOP_RESET, "the guest reset its machine");
}

/* Until an interrupt is there. */
static void wait_halted(struct cpu *c)
{
    while (c->halted && c->stop == STOP_NOT && !platform_interrupt(c->platform)) {
        c->platform->host->wait(platform_deadline(c->platform));
        poll(c);
    }
}

void run_emulated(struct cpu *c)
{
    c->budget = SLICE;
    poll(c);
    rflags_to_lazy(c);
    while (c->stop == STOP_NOT) {
        bool shadow = c->shadow;

        if (c->budget <= 0)
            poll(c);
        if (c->halted)
            wait_halted(c);
        c->shadow = false;
        if (!shadow && interrupts_on(c) && platform_interrupt(c->platform))
            deliver_pending_interrupt(c);
        if (shadow || (c->regs[REG_RFLAGS] & FLAG_TF))
            step(c);
        else if (c->stop == STOP_NOT)
            run_block(c);
    }
    poll(c);
    lazy_to_rflags(c);
}
