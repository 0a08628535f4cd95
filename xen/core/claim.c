/* Claims (claim.h): how many frames domains may still allocate, and the hypervisor's allocations
 * for a domain, which are counted against its claim. Called by event channels, grants, the trace
 * and others that keep state for a guest, and by the domain builder. Allocation itself is
 * alloc.c's. */
#include "common/atomic.h"
#include "xen/core/alloc.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"

static uint64_t (*service_claim)(unsigned existing);

void claim_register(uint64_t (*service_frames)(unsigned existing))
{
    service_claim = service_frames;
}

static inline uint64_t unused(uint64_t claim, uint64_t used)
{
    return claim > used ? claim - used : 0;
}

/* Other CPUs allocate and free meanwhile. Both make the claims greater first, or the free memory
 * less: so with the lock of the free frames held, the sum is never too small for what is free.
 * Whether a service domain exists is read once, for it may end meanwhile. */
uint64_t claimed_frames(void)
{
    uint64_t claimed = 0;
    unsigned existing = 0;
    struct domain *d;

    for_each_domain(d)
        if (READ_ONCE(d->state) < DOM_SHUTDOWN) {
            claimed += unused(d->max_frames, READ_ONCE(d->nr_frames)) +
                       unused(DOMAIN_RESERVE, READ_ONCE(d->nr_hv_frames));
            if (d->serves)
                existing |= 1u << (d->id == STORE_DOMID ? SERVICE_STORE : SERVICE_DRIVER);
        }
    return claimed + (service_claim != NULL ? service_claim(existing) : 0);
}

uint64_t unclaimed_frames(void)
{
    return unused(nr_free_frames(), claimed_frames());
}

/* Under the lock of the free frames, so that no two CPUs are given the same frames: whether d may
 * have nr more; then they are counted. A domain in state BUILDING is not limited: the builder has
 * checked that there is memory for it. */
static bool take(void *arg, uint64_t nr)
{
    struct domain *d = arg;

    if (READ_ONCE(d->nr_hv_frames) + nr > DOMAIN_RESERVE && d->state != DOM_BUILDING &&
        unclaimed_frames() < nr)
        return false;
    locked_add(&d->nr_hv_frames, nr);
    return true;
}

mfn_t alloc_frame_for(struct domain *d)
{
    return alloc_frames_if(0, take, d);
}

void *alloc_pages_for(struct domain *d, unsigned order)
{
    return alloc_pages_if(order, take, d);
}

/* Not counted any more before they are free: see claimed_frames(). */
void free_pages_for(struct domain *d, void *p, unsigned order)
{
    if (p != NULL)
        locked_add(&d->nr_hv_frames, -(1ull << order));
    free_pages(p, order);
}
