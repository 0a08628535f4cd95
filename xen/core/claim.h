/* Claims to memory. While a guest runs, the hypervisor allocates frames for it: event channel
 * ports, grant tables, grant handles. So that one guest cannot use up what another still needs,
 * each domain that is not ending has a claim to max_frames frames of its own and to DOMAIN_RESERVE
 * frames of the hypervisor's. Within its claim an allocation always succeeds; beyond it, it
 * succeeds only with frames to which no domain has a claim. The builder creates a domain only if
 * all claims together fit into memory. */
#ifndef XEN_CLAIM_H
#define XEN_CLAIM_H

#include "xen/core/domain.h"

/* Enough for 4,096 ports, FIFO queues, the whole grant table with pins and status, and some
 * thousand handles. */
#define DOMAIN_RESERVE 192u

/* Domains that are started again when they end before the guests. */
enum service_kind { SERVICE_STORE, SERVICE_DRIVER, NR_SERVICES };
/* service_frames(): what their next starts will need, in frames, besides the claims of those that
 * exist and have not ended, of which there is a bit for each kind. Called at each
 * claimed_frames(). */
void claim_register(uint64_t (*service_frames)(unsigned existing));
uint64_t claimed_frames(void);              /* the parts of all claims that are not allocated yet */
uint64_t unclaimed_frames(void);            /* free frames to which no domain has a claim */
/* 2^order contiguous frames, zeroed, counted in d->nr_hv_frames. NULL: no memory, or more than d
 * may have. */
void *alloc_pages_for(struct domain *d, unsigned order);
void free_pages_for(struct domain *d, void *p, unsigned order);     /* NULL is fine */
/* One, not zeroed, without an owner; INVALID_MFN: none. */
mfn_t alloc_frame_for(struct domain *d);
static inline void *alloc_page_for(struct domain *d)
{
    return alloc_pages_for(d, 0);
}

static inline void free_page_for(struct domain *d, void *page)
{
    free_pages_for(d, page, 0);
}

#endif
