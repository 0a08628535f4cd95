/* Flushes of the TLBs that may hold translations of a domain. A CPU caches those of one domain
 * only, that of the vCPU that it runs: with another vCPU it loads another root, which flushes all.
 * So only CPUs that a v->on_cpu names are flushed. The caller has removed the translations from the
 * tables. When a flush of other CPUs returns, they have done it; meanwhile this CPU serves theirs,
 * so the caller may hold mm_lock. */
#ifndef XEN_FLUSH_H
#define XEN_FLUSH_H

#include "arch/arch.h"
#include "xen/core/domain.h"

/* F8: before a frame of d with this stamp changes its use: every CPU that runs d has flushed since
 * the epoch was `stamp`. The epoch advances, so that the next frame with this stamp needs no flush.
 * d->mm_lock is held. */
void flush_since(struct domain *d, uint64_t stamp);
/* The same, for a CPU that does not hold d->mm_lock; the epoch stays. */
void flush_foreign(const struct domain *d, uint64_t stamp);
void flush_others(const struct domain *d);      /* all CPUs that run d, without this one */
void flush_vcpu(struct vcpu *v);                /* the CPU that runs v, if one does */

/* All CPUs that run d; d->mm_lock is held. */
static inline void flush_domain(struct domain *d)
{
    flush_since(d, d->epoch);
}

/* The same for current's domain, without mm_lock; the epoch stays. */
static inline void flush_own_domain(void)
{
    const struct domain *d = current->domain;

    arch_flush_all();
    if (d->nr_vcpus != 1)
        flush_others(d);
}

#endif
