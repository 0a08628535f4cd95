/* The measurement that irqsoff.h describes. Each CPU has a current interval; the longest of all
 * CPUs is reported, and whose it was. */
#include "xen/core/irqsoff.h"
#include "xen/core/log.h"

#ifdef IRQSOFF
#include "arch/arch.h"
#include "common/abi_names.h"
#include "xen/core/cpu.h"

unsigned irqsoff_begin(unsigned what)
{
    struct irqsoff *m = &cpus[arch_cpu_id()]->irqsoff;
    uint64_t now = arch_tsc();
    unsigned before = m->begun ? m->doing : IRQSOFF_NOTHING;

    if (before < NR_IRQSOFF)
        m->longest[before] = MAX(m->longest[before], now - m->since);
    m->begun = true;
    m->doing = what;
    m->since = now;
    return before;
}

void irqsoff_end(unsigned before)
{
    (void)irqsoff_begin(before);
}

static const struct cpu *longest_of_all(unsigned what)
{
    const struct cpu *longest = cpus[0];
    struct cpu *c;

    for_each_cpu(c)
        if (c->irqsoff.longest[what] > longest->irqsoff.longest[what])
            longest = c;
    return longest;
}

void irqsoff_report(void)
{
    static const char *const names[] = { "idle", "timer", "trap", "exit" };

    for (unsigned i = 0; i < NR_IRQSOFF; i++) {
        const struct cpu *c = longest_of_all(i);

        if (c->irqsoff.longest[i] != 0)
            log_info("Interrupts off: at most %lu ticks in %s, on CPU %u", c->irqsoff.longest[i],
                     i >= IRQSOFF_IDLE ? names[i - IRQSOFF_IDLE] :
                     abi_hypercall_name(i) ? abi_hypercall_name(i) : "others", c->id);
    }
}
#endif
