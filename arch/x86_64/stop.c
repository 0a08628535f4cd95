/* Stops all other CPUs by NMI, also those that have interrupts off: at a panic, before a reset and
 * before power off. Each notes where it was, for the panic's lines, and halts for ever. Takes no
 * lock. The NMI handler (nmi.c) calls stop_if_wanted first. */
#include "common/atomic.h"
#include "arch/x86_64/lapic.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/stop.h"
#include "arch/x86_64/symbols.h"
#include "xen/core/cpu.h"
#include "xen/core/lock.h"
#include "xen/core/log.h"

#define WAIT_SECONDS 2u                 /* as a virtual CPU may not run all the time */

/* The CPU that stops the others, plus 1. */
static uint32_t stopper;

/* Written by the CPU that stops; complete when stopped is set. */
static struct stopped {
    uint64_t rip;
    const struct vcpu *vcpu;
    uint16_t cs;
    bool stopped;
} at[MAX_CPUS];

void stop_if_wanted(const struct cpu_user_regs *regs)
{
    uint32_t by = load_acquire(&stopper);
    unsigned self = arch_cpu_id();

    if (by == 0 || by == self + 1)
        return;
    at[self].rip = regs->rip;
    at[self].cs = regs->cs;
    at[self].vcpu = running_vcpu();
    store_release(&at[self].stopped, true);
    arch_halt();
}

static bool all_stopped(void)
{
    for (unsigned i = 0; i < nr_cpus; i++)
        if (i + 1 != stopper && !load_acquire(&at[i].stopped))
            return false;
    return true;
}

/* If two CPUs come here at once, the first stops the second. */
void arch_stop_cpus(void)
{
    uint32_t self = arch_cpu_id() + 1, by = 0;
    uint64_t until;

    if (nr_cpus == 1)
        return;
    if (!try_cmpxchg(&stopper, &by, self)) {
        if (by == self)
            return;
        arch_halt();
    }
    for (unsigned i = 0; i < nr_cpus; i++)
        if (i + 1 != self)
            lapic_send(cpus[i]->arch->apic_id, ICR_NMI);
    until = arch_tsc() + WAIT_SECONDS * arch_tsc_hz();
    while (!all_stopped() && arch_tsc() < until)
        cpu_relax();
}

void arch_show_stopped(void)
{
    for (unsigned i = 0; i < nr_cpus; i++) {
        const struct stopped *s = &at[i];
        uint64_t offset = 0;
        const char *name;

#ifdef DEBUG
        locks_show(cpus[i]);
#endif
        if (i + 1 == stopper || stopper == 0)
            continue;
        if (!load_acquire(&s->stopped)) {
            log_error("CPU %u does not stop", i);
            continue;
        }
        name = symbol_of(s->rip, &offset);
        log_error("CPU %u was at %04x:[<%016lx>] %s+%#lx, current d%uv%u", i, s->cs, s->rip,
                  name != NULL ? name : "no function of the hypervisor", offset,
                  s->vcpu != NULL ? s->vcpu->domain->id : 0, s->vcpu != NULL ? s->vcpu->id : 0);
    }
}
