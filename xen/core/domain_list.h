/* The table of all domains, by number. domain.c adds and removes them, on the CPU that booted; all
 * read it without a lock.
 *
 * A domain that is taken out is freed after a grace period (request.h). So a pointer from here is
 * good until the next preemption point, sleep or return to a guest, and is looked up again behind
 * it. The reaper itself may keep one across preemption points, as nobody else frees domains. */
#ifndef XEN_DOMAIN_LIST_H
#define XEN_DOMAIN_LIST_H

#include "xen/core/domain.h"

/* In the order of their numbers; each is read from the table when its turn comes. */
#define for_each_domain(d) for (unsigned domid_ = 0; ((d) = domain_from(&domid_)) != NULL;)

extern struct domain idle_domain;   /* owns the idle vCPUs; never in the table */

/* The first domain whose number is *id or more, in any state; *id becomes the number behind it.
 * NULL: none. */
struct domain *domain_from(unsigned *id);
/* In any state. NULL: none. */
struct domain *domain_at(domid_t id);
/* One that guests may use: it has been built, and is not DYING. NULL: none. */
struct domain *domain_by_id(domid_t id);
/* For a guest, a domain with that number exists. Domain 0 always does, even when there is no
 * service domain. */
bool domain_exists(domid_t id);
/* The domain that an argument of a hypercall names: DOMID_SELF and the caller's own id are the
 * caller. NULL: none. */
struct domain *domain_lookup(domid_t id);
unsigned domain_count(void);
/* Some domain runs or will end. One in quarantine does neither, nor do those whose frames it
 * maps. */
bool domains_left(void);

/* Callable on the CPU that booted. The slot of d->id is free. */
void domain_publish(struct domain *d);
void domain_unpublish(struct domain *d);

static inline bool is_idle(const struct vcpu *v)
{
    return v->domain == &idle_domain;
}

#endif
