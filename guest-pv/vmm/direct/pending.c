/* What is owed to the guest before its code goes on: see pending.h. */
#include "guest-pv/vmm/core/deliver.h"
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/direct/direct.h"
#include "guest-pv/vmm/direct/pending.h"
#include "guest-pv/vmm/platform/platform.h"

#define EXITS_BETWEEN_POLLS 64u

static void poll(struct cpu *c)
{
    platform_poll(c->platform);
    if (c->platform->reset)
        cpu_stop(c, STOP_RESET, "the guest reset its machine");
}

static void wait_halted(struct cpu *c)
{
    poll(c);
    while (c->halted && c->stop == STOP_NOT && !platform_interrupt(c->platform)) {
        c->platform->host->wait(platform_deadline(c->platform));
        poll(c);
    }
}

static bool interrupt_due(const struct cpu *c)
{
    return !c->shadow && (c->regs[REG_RFLAGS] & FLAG_IF) && platform_interrupt(c->platform);
}

/* The instruction behind STI, or behind a load of SS. */
static void step_over_shadow(struct cpu *c)
{
    c->shadow = false;
    if (c->stop == STOP_NOT && !c->halted)
        emulate_single_step(c);
}

void set_platform_alarm(struct cpu *c, bool now)
{
    static uint64_t alarm;
    uint64_t deadline = platform_deadline(c->platform);

    if (deadline == alarm && !now)
        return;
    alarm = deadline;
    direct_alarm(deadline);
}

/* Since the last time the guest has not touched the platform, which has not been polled: then
 * nothing is owed but the interrupt that waited for IF. */
static bool is_quiet(const struct cpu *c)
{
    static uint64_t accesses;
    uint64_t seen = accesses;

    accesses = c->platform->reads + c->platform->writes;
    return accesses == seen && !c->shadow && !c->halted && !interrupt_due(c);
}

void deliver_pending(struct cpu *c, bool now)
{
    static unsigned exits;

    if (now || ++exits % EXITS_BETWEEN_POLLS == 0 || c->platform->reset)
        poll(c);
    else if (is_quiet(c))
        return;
    for (unsigned i = 0; i < 4 && c->shadow; i++)
        step_over_shadow(c);
    if (c->halted)
        wait_halted(c);
    if (c->stop == STOP_NOT && interrupt_due(c))
        deliver_interrupt(c, platform_acknowledge(c->platform));
    set_platform_alarm(c, now);
}
