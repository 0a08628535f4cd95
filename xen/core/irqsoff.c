/* The measurement that irqsoff.h describes. It keeps one current interval, as there is one CPU. */
#include "xen/core/irqsoff.h"
#include "xen/core/log.h"

#ifdef IRQSOFF
#include "arch/arch.h"
#include "common/abi_names.h"

static uint64_t longest[NR_IRQSOFF];        /* TSC ticks */
static uint64_t since;
static unsigned now_doing = IRQSOFF_NOTHING;

unsigned irqsoff_begin(unsigned what)
{
    uint64_t now = arch_tsc();
    unsigned before = now_doing;

    if (before < NR_IRQSOFF)
        longest[before] = MAX(longest[before], now - since);
    now_doing = what;
    since = now;
    return before;
}

void irqsoff_end(unsigned before)
{
    (void)irqsoff_begin(before);
}

void irqsoff_report(void)
{
    static const char *const names[] = { "idle", "timer", "trap", "exit" };

    for (unsigned i = 0; i < NR_IRQSOFF; i++)
        if (longest[i] != 0)
            log_info("Interrupts off: at most %lu ticks in %s", longest[i],
                     i >= IRQSOFF_IDLE ? names[i - IRQSOFF_IDLE] :
                     abi_hypercall_name(i) ? abi_hypercall_name(i) : "others");
}
#endif
