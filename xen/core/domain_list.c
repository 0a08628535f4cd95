/* The table of all domains, and look-up by number. domain.c adds and removes them. */
#include "arch/arch.h"
#include "common/atomic.h"
#include "xen/core/bug.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"

static struct domain *domains[MAX_DOMIDS];
static unsigned numbers_end;            /* all in use are below; it never goes back */
/* It owns no frames: no frame has this mfn as owner. */
struct domain idle_domain = { .id = DOMID_IDLE, .name = "idle", .state = DOM_RUNNING, .mfn = ~0u };

void domain_publish(struct domain *d)
{
    BUG_ON(d->id >= MAX_DOMIDS || domains[d->id] != NULL);
    store_release(&domains[d->id], d);
    if (d->id >= numbers_end)
        store_release(&numbers_end, d->id + 1u);
}

void domain_unpublish(struct domain *d)
{
    BUG_ON(domains[d->id] != d);
    WRITE_ONCE(domains[d->id], NULL);
}

struct domain *domain_from(unsigned *id)
{
    for (unsigned end = load_acquire(&numbers_end); *id < end;) {
        struct domain *d = load_acquire(&domains[(*id)++]);

        if (d != NULL)
            return d;
    }
    return NULL;
}

struct domain *domain_at(domid_t id)
{
    return id < MAX_DOMIDS ? load_acquire(&domains[id]) : NULL;
}

struct domain *domain_by_id(domid_t id)
{
    struct domain *d = domain_at(id);
    enum domain_state state;

    if (d == NULL)
        return NULL;
    state = load_acquire(&d->state);
    return state == DOM_RUNNING || state == DOM_SHUTDOWN ? d : NULL;
}

bool domain_exists(domid_t id)
{
    return id == 0 || domain_by_id(id) != NULL;
}

struct domain *domain_lookup(domid_t id)
{
    return id == DOMID_SELF || id == current->domain->id ? current->domain : domain_by_id(id);
}

bool domains_left(void)
{
    bool quarantine = false, dying = false;
    struct domain *d;

    for_each_domain(d) {
        if (!d->quarantined && d->state < DOM_DYING)
            return true;
        quarantine |= d->quarantined;
        dying |= d->state == DOM_DYING;
    }
    return dying && !quarantine;
}

unsigned domain_count(void)
{
    struct domain *d;
    unsigned n = 0;

    for_each_domain(d)
        n++;
    return n;
}
