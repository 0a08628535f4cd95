/* The table of a domain's handles of grant mappings, and what concerns all handles of a domain:
 * when it ends, when a granter is freed, and audits. Mapping and unmapping are in grant_map.c, pins
 * in grant_pin.c, the invariants in grant.h. Called by grant_map.c, grant.c, audit.c, and when a
 * domain ends (hooks.c). */
#include "xen/core/bug.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/pv/grant.h"
#include "xen/pv/grant_maptrack.h"
#include "xen/pv/grant_pin.h"

#define WORK_PER_HANDLE 60u                     /* to release one */

uint32_t maptrack_grow(struct domain *d)
{
    struct grant_table *gt = d->grant;
    unsigned page = gt->nr_maptracks / MAPTRACKS_PER_PAGE;

    if (page == MAX_MAPTRACK_PAGES)
        return UINT32_MAX;
    gt->maptrack[page] = alloc_page_for(d);
    if (gt->maptrack[page] == NULL)
        return UINT32_MAX;
    for (unsigned i = MAPTRACKS_PER_PAGE; i-- > 0;) {
        gt->maptrack[page][i].ref = gt->free_maptrack;
        gt->free_maptrack = gt->nr_maptracks + i;
    }
    gt->nr_maptracks += MAPTRACKS_PER_PAGE;
    return gt->free_maptrack;
}

void grant_end_device_map(struct domain *granter, mfn_t mfn, bool readonly)
{
    spin_lock(&granter->mm_lock);
    grant_put_frame(mfn_to_frame(mfn), readonly);
    spin_unlock(&granter->mm_lock);
}

/* Called after the domain's vCPUs have ended and before its page tables are released. Drops the
 * pins and the references of device mappings; the other references are dropped with the
 * page-table entries (G3). */
void grant_destroy_mappings(struct domain *d)
{
    struct grant_table *gt = d->grant;

    for (uint32_t i = 0; i < gt->nr_maptracks; i++) {
        struct maptrack *t = maptrack_at(gt, i);

        if (!(t->flags & MAPTRACK_LIVE))
            continue;
        if (t->flags & GNTMAP_device_map)
            grant_end_device_map(t->granter, grant_pins_of(t->granter->grant, t->ref)->mfn,
                                 t->flags & GNTMAP_readonly);
        grant_unpin(t->granter, t->ref, t->flags & GNTMAP_readonly);
        maptrack_free(gt, t, i);
        preempt_after(WORK_PER_HANDLE);
    }
}

/* The granter owns no frame any more, so nothing of it is mapped, nor held for a device (G5).
 * Handles whose page-table entry was overwritten (G3) may still name it. */
static void forget_granter_in(struct domain *d, struct domain *granter)
{
    for (uint32_t i = 0; i < d->grant->nr_maptracks; i++) {
        struct maptrack *t = maptrack_at(d->grant, i);

        if ((t->flags & MAPTRACK_LIVE) && t->granter == granter)
            maptrack_free(d->grant, t, i);
        mm_preempt_after(d, WORK_PER_HANDLE / 4);
    }
}

void grant_forget_granter(struct domain *granter)
{
    struct domain *d;

    for_each_domain(d) {
        spin_lock(&d->mm_lock);
        forget_granter_in(d, granter);
        spin_unlock(&d->mm_lock);
    }
}

void grant_for_each_device_map(void (*fn)(void *arg, mfn_t mfn, bool readonly), void *arg)
{
    struct domain *d;

    for_each_domain(d)
        for (uint32_t i = 0; i < d->grant->nr_maptracks; i++) {
            const struct maptrack *t = maptrack_at(d->grant, i);

            if (t->flags & GNTMAP_device_map)
                fn(arg, grant_pins_of(t->granter->grant, t->ref)->mfn, t->flags & GNTMAP_readonly);
        }
}

/* For every handle of every domain, adds sign (+1 or -1) to the pin count that it stands for. */
static void add_handles(int sign)
{
    struct domain *d;

    for_each_domain(d)
        for (uint32_t i = 0; i < d->grant->nr_maptracks; i++) {
            const struct maptrack *t = maptrack_at(d->grant, i);
            struct grant_pins *p;

            if (!(t->flags & MAPTRACK_LIVE))
                continue;
            p = grant_pins_of(t->granter->grant, t->ref);
            BUG_ON(p->domid != d->id || p->start != 0 || p->length != PAGE_SIZE);       /* G6 */
            *(t->flags & GNTMAP_readonly ? &p->readers : &p->writers) += (uint16_t)sign;
            t->granter->grant->nr_pins += (uint32_t)sign;
        }
}

/* Checks G1: subtracts the pin of each handle, finds that no pin is left, and adds them again.
 * The bits of G2 are not checked, because the guest can overwrite them. */
void grant_audit(void)
{
    struct domain *d;

    add_handles(-1);
    for_each_domain(d) {
        BUG_ON(d->grant->nr_pins != 0);
        BUG_ON(d->grant->nr_entries !=
               d->grant->nr_frames *
                   (d->grant->version == 1 ? GRANTS_PER_FRAME : GRANTS_V2_PER_FRAME));
        for (grant_ref_t ref = 0; ref < d->grant->nr_frames * GRANTS_PER_FRAME; ref++) {
            const struct grant_pins *p = grant_pins_of(d->grant, ref);

            BUG_ON(p->readers != 0 || p->writers != 0);
        }
    }
    add_handles(1);
}
