/* cap=: how much CPU time the vCPUs of a domain may have together. */
#ifndef XEN_SCHED_CAP_H
#define XEN_SCHED_CAP_H

#include "xen/core/domain.h"

void cap_begin(struct domain *d);       /* d starts to run */
void cap_end(struct domain *d);         /* d is dying */

/* The rest with the lock of v's queue. */
bool cap_take(struct vcpu *v);
/* v stops to run; for a domain with a cap. */
void cap_return(struct vcpu *v);
/* False: v's domain has used up its cap, v must wait for the next period. */
static inline bool cap_allows(struct vcpu *v)
{
    return likely(v->domain->cap == 0) || v->allowance > 0 || cap_take(v);
}

#endif
