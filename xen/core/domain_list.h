/* The list of all domains, and look-up by number. */
#ifndef XEN_DOMAIN_LIST_H
#define XEN_DOMAIN_LIST_H

#include "xen/core/domain.h"

#define for_each_domain(d) list_for_each_entry(d, &domain_list, list)

extern struct list_head domain_list;
extern struct domain idle_domain;   /* owns the idle vCPUs; never in the list */

struct domain *domain_by_id(domid_t id);    /* NULL: none, or dead */
/* For a guest, a domain with that number exists. Domain 0 always does, even when there is no
 * service domain. */
bool domain_exists(domid_t id);
/* The domain that an argument of a hypercall names: DOMID_SELF and the caller's own id are the
 * caller. NULL: none. */
struct domain *domain_lookup(domid_t id);
unsigned domain_count(void);

static inline bool is_idle(const struct vcpu *v)
{
    return v->domain == &idle_domain;
}

#endif
