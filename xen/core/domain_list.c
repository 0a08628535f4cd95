/* The list of all domains, and look-up by number. domain.c adds and removes them. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"

struct list_head domain_list = LIST_HEAD_INIT(domain_list);
/* It owns no frames: no frame has this mfn as owner. */
struct domain idle_domain = { .id = DOMID_IDLE, .name = "idle", .state = DOM_RUNNING, .mfn = ~0u };

struct domain *domain_by_id(domid_t id)
{
    struct domain *d;

    for_each_domain(d)
        if (d->id == id)
            return d->state < DOM_DYING ? d : NULL;
    return NULL;
}

bool domain_exists(domid_t id)
{
    return id == 0 || domain_by_id(id) != NULL;
}

struct domain *domain_lookup(domid_t id)
{
    return id == DOMID_SELF || id == current->domain->id ? current->domain : domain_by_id(id);
}

unsigned domain_count(void)
{
    struct domain *d;
    unsigned n = 0;

    for_each_domain(d)
        n++;
    return n;
}
