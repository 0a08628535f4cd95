/* How often each hypercall was made (hypercall_counts.c). */
#ifndef XEN_HYPERCALL_COUNTS_H
#define XEN_HYPERCALL_COUNTS_H

#include "xen/core/domain.h"
#include "xen/pv/hypercalls.h"

/* Since boot, by all guests. */
uint64_t hypercall_count(unsigned nr);
/* By the vCPUs of domains that have been freed. */
extern uint64_t hypercalls_of_ended[NR_HYPERCALLS];
/* d is freed: its vCPUs' counts are kept there. */
void hypercall_counts_keep(struct domain *d);
/* Prints the counts on the console, largest first. */
void hypercalls_report(void);

#endif
