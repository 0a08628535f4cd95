/* Claims (claim.h): how many frames domains may still allocate, and the hypervisor's allocations
 * for a domain, which are counted against its claim. Called by event channels, grants, the trace
 * and others that keep state for a guest, and by the domain builder. Allocation itself is
 * alloc.c's. */
#include "common/atomic.h"
#include "xen/core/alloc.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"

static uint64_t (*claim_to_come)(void);

void claim_register(uint64_t (*frames)(void))
{
    claim_to_come = frames;
}

static inline uint64_t unused(uint64_t claim, uint64_t used)
{
    return claim > used ? claim - used : 0;
}

uint64_t claimed_frames(void)
{
    uint64_t claimed = claim_to_come != NULL ? claim_to_come() : 0;
    struct domain *d;

    for_each_domain(d)
        if (d->state < DOM_SHUTDOWN)
            claimed += unused(d->max_frames, READ_ONCE(d->nr_frames)) +
                       unused(DOMAIN_RESERVE, READ_ONCE(d->nr_hv_frames));
    return claimed;
}

uint64_t unclaimed_frames(void)
{
    return unused(nr_free_frames(), claimed_frames());
}

/* A domain in state BUILDING is not limited: the builder has checked that there is memory for
 * it. */
bool domain_may_have(const struct domain *d, uint64_t nr)
{
    return READ_ONCE(d->nr_hv_frames) + nr <= DOMAIN_RESERVE || d->state == DOM_BUILDING ||
           unclaimed_frames() >= nr;
}

void *alloc_pages_for(struct domain *d, unsigned order)
{
    void *p = domain_may_have(d, 1ull << order) ? alloc_pages(order) : NULL;

    if (p != NULL)
        locked_add(&d->nr_hv_frames, 1ull << order);
    return p;
}

void free_pages_for(struct domain *d, void *p, unsigned order)
{
    if (p != NULL)
        locked_add(&d->nr_hv_frames, -(1ull << order));
    free_pages(p, order);
}
