/* sched_op: sched_op.c. */
#ifndef XEN_SCHED_OP_H
#define XEN_SCHED_OP_H

#include "xen/core/domain.h"

void domain_cancel_watchdogs(struct domain *d);

#endif
