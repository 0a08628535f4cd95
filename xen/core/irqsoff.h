/* How long interrupts stay off, for a build that measures it (make irqsoff; the boot cases of that name): the longest stretch between
 * the entry from a guest, or the last interrupt window, and the next window, or the way back to a guest; by what was being
 * done. Hypercalls are known by their numbers, a multicall's members by the multicall's. In all other builds nothing is
 * left of this. */
#ifndef XEN_IRQSOFF_H
#define XEN_IRQSOFF_H

#include "xen/core/vtimer.h"

enum irqsoff_what { IRQSOFF_IDLE = 64, IRQSOFF_TIMER, IRQSOFF_TRAP, IRQSOFF_EXIT, NR_IRQSOFF, IRQSOFF_NOTHING };

#ifdef IRQSOFF
/* Something begins or ends, within something else or not, which goes on afterwards with a new stretch: what it was. */
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
