/* What the hypervisor spends for a guest beyond its making: ports, grant tables, handles. So that none can take what
 * another still needs, each domain that is not ending has a claim: to max_frames of its own, and to DOMAIN_RESERVE of ours
 * that serve it. Within its claim it is always served; beyond it only with frames that nobody has a claim to. Builders see
 * that claims are no more than there is. */
#ifndef XEN_CLAIM_H
#define XEN_CLAIM_H

#include "xen/core/domain.h"

/* Enough for 4,096 ports, FIFO queues, the whole grant table with pins and status, and some thousand handles. */
#define DOMAIN_RESERVE 192u

/* The claim of a domain that does not exist yet, in frames, asked each time: 0 for none. */
void claim_register(uint64_t (*frames)(void));
uint64_t claimed_frames(void);              /* what is still to be had by those who have a claim */
uint64_t unclaimed_frames(void);            /* of those that are free */
bool domain_may_have(const struct domain *d, uint64_t nr_frames);
/* 2^order frames in a row, zeroed, counted in nr_hv_frames. NULL: there are none, or none that it may have. */
void *alloc_pages_for(struct domain *d, unsigned order);
void free_pages_for(struct domain *d, void *p, unsigned order);     /* NULL is fine */
static inline void *alloc_page_for(struct domain *d)
{
    return alloc_pages_for(d, 0);
}

static inline void free_page_for(struct domain *d, void *page)
{
    free_pages_for(d, page, 0);
}

#endif
