/* How often each hypercall was made (hypercall_counts.c). */
#ifndef XEN_HYPERCALL_COUNTS_H
#define XEN_HYPERCALL_COUNTS_H

#include "xen/pv/hypercalls.h"

/* Since boot, on this CPU. Increased by entry.S, iret.S, hypercall.c and
 * multicall.c. */
extern uint64_t hypercall_counts[NR_HYPERCALLS];
/* Prints the counts on the console, largest first. */
void hypercalls_report(void);

#endif
