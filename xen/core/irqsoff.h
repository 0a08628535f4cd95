/* Measures how long interrupts stay off, in a build for it (make irqsoff); in all other builds
 * these functions are empty. An interval begins at an entry from a guest or after an interrupt
 * window, and ends at the next window or at the return to a guest. The longest is kept for each
 * kind of work: a hypercall's number (a multicall's members count as the multicall), or one of enum
 * irqsoff_what. */
#ifndef XEN_IRQSOFF_H
#define XEN_IRQSOFF_H

#include "xen/core/vtimer.h"

enum irqsoff_what {
    IRQSOFF_IDLE = 64, IRQSOFF_TIMER, IRQSOFF_TRAP, IRQSOFF_EXIT, NR_IRQSOFF, IRQSOFF_NOTHING
};

#ifdef IRQSOFF
/* A CPU's measurement. */
struct irqsoff {
    uint64_t longest[NR_IRQSOFF];       /* TSC ticks */
    uint64_t since;
    unsigned doing;
    bool begun;
};

/* Ends the current interval and begins one of the kind `what`. Returns the kind that was current,
 * for irqsoff_end, which ends this interval and begins a new one of that kind. */
unsigned irqsoff_begin(unsigned what);
void irqsoff_end(unsigned before);
void irqsoff_report(void);
#else
static inline unsigned irqsoff_begin(unsigned what)
{
    return what;
}

static inline void irqsoff_end(unsigned before)
{
    (void)before;
}

static inline void irqsoff_report(void)
{
}
#endif

#endif
