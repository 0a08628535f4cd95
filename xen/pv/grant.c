/* Grant tables: their pages, into which a guest writes its grants, and the commands about them.
 * Checking and pinning of entries is in grant_pin.c, versions in grant_version.c, mapping in
 * grant_map.c, handles in grant_maptrack.c, copying in grant_copy.c. Called by the generated
 * dispatch (common/abi.def), boot/build.c and when a domain is created or ends. */
#include "arch/arch.h"
#include "xen/core/alloc.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/pv/domid.h"
#include "xen/pv/grant.h"
#include "xen/pv/grant_maptrack.h"
#include "xen/pv/grant_version.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/pagetype.h"
#include "xen/pv/shared_page.h"

#define PINS_PAGES (GRANTS_PER_FRAME / PINS_PER_PAGE)       /* for one page of the table */
#define WORK_PER_TABLE 3500u            /* to make one page of the table, with its pins */
_Static_assert(sizeof(struct grant_table) <= PAGE_SIZE, "one page");
_Static_assert(PINS_PER_PAGE * sizeof(struct grant_pins) <= PAGE_SIZE, "one page");

void mm_lock_pair(struct domain *a, struct domain *b)
{
    spin_lock(a->id < b->id ? &a->mm_lock : &b->mm_lock);
    if (a != b)
        spin_lock(a->id < b->id ? &b->mm_lock : &a->mm_lock);
}

void mm_unlock_pair(struct domain *a, struct domain *b)
{
    spin_unlock(&a->mm_lock);
    if (a != b)
        spin_unlock(&b->mm_lock);
}

/* Only frames that are counted in the granter's nr_frames can be granted. So while one is
 * mapped, D1 keeps the granter's struct. */
int grant_get_frame(struct domain *rd, mfn_t mfn, bool readonly, struct frame **out)
{
    struct frame *f = get_frame(mfn, rd);

    if (f == NULL)
        return GNTST_bad_page;
    if (!(READ_ONCE(f->word) & FRAME_COUNTED)) {
        put_page(f);
        return GNTST_bad_page;
    }
    if (!readonly && get_page_type(f, TYPE_WRITABLE) != 0) {
        put_page(f);
        return GNTST_general_error;
    }
    *out = f;
    return GNTST_okay;
}

void grant_put_frame(struct frame *f, bool readonly)
{
    if (!readonly)
        put_page_type(f);
    put_page(f);
}

int grant_grow(struct domain *d, unsigned nr_frames)
{
    struct grant_table *gt = d->grant;

    if (gt->version == 2 && grant_grow_status(d, nr_frames) != 0)
        return -ENOMEM;
    while (gt->nr_frames < nr_frames) {
        struct grant_pins **pins = &gt->pins[gt->nr_frames * PINS_PAGES];
        void *shared = alloc_shared_page(d);
        bool all = shared != NULL;

        /* Pages of an attempt that failed are there already. */
        for (unsigned i = 0; i < PINS_PAGES; i++) {
            if (pins[i] == NULL)
                pins[i] = alloc_page_for(d);
            all &= pins[i] != NULL;
        }
        if (!all) {
            free_shared_page(shared);
            return -ENOMEM;
        }
        gt->shared[gt->nr_frames] = shared;
        gt->nr_frames++;
        gt->nr_entries += gt->version == 1 ? GRANTS_PER_FRAME : GRANTS_V2_PER_FRAME;
    }
    return 0;
}

static int grant_grow_locked(struct domain *d, unsigned nr_frames)
{
    int rc;

    spin_lock(&d->grant->lock);
    rc = grant_grow(d, nr_frames);
    spin_unlock(&d->grant->lock);
    return rc;
}

int grant_init(struct domain *d)
{
    d->grant = alloc_page();
    if (d->grant == NULL)
        return -ENOMEM;
    spin_lock_init(&d->grant->lock, LOCK_GRANT, d->id);
    d->grant->version = 1;
    d->grant->free_maptrack = UINT32_MAX;
    return grant_grow_locked(d, 1);
}

int grant_reserve(struct domain *d, unsigned ref, domid_t domid, pfn_t gfn)
{
    struct grant_entry_v1 *e;

    if (ref >= d->grant->nr_entries || gfn > UINT32_MAX)
        return -EINVAL;
    e = grant_entry_v1_of(d->grant, ref);
    e->frame = (uint32_t)gfn;
    e->domid = domid;
    e->flags = GTF_permit_access;
    return 0;
}

void grant_destroy(struct domain *d)
{
    struct grant_table *gt = d->grant;

    if (gt == NULL)
        return;
    if (gt->nr_pins != 0)
        grant_forget_granter(d);
    for (unsigned i = 0; i < gt->nr_frames; i++)
        free_shared_page(gt->shared[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(gt->pins); i++)
        free_page_for(d, gt->pins[i]);
    for (unsigned i = 0; i < gt->nr_status_frames; i++)
        free_shared_page(gt->status[i]);
    for (unsigned i = 0; i < MAX_MAPTRACK_PAGES && gt->maptrack[i] != NULL; i++)
        free_page_for(d, gt->maptrack[i]);
    free_page(gt);
    d->grant = NULL;
}

int grant_table_of(domid_t domid)
{
    int rc = check_domid(domid, NAMES_SELF | NAMES_OWN_NUMBER);

    return rc == 0 ? GNTST_okay : rc == -ESRCH ? GNTST_bad_domain : GNTST_permission_denied;
}

bool grant_list_page(uint64_t list, unsigned i, const void *page)
{
    uint64_t mfn = virt_to_mfn(page);

    return copy_to_guest(list + i * sizeof(mfn), &mfn, sizeof(mfn)) == 0;
}

static int setup_table(struct domain *d, const struct gnttab_setup_table *op)
{
    int rc = grant_table_of(op->dom);

    if (rc != GNTST_okay)
        return rc;
    if (op->nr_frames > MAX_GRANT_FRAMES || grant_grow_locked(d, op->nr_frames) != 0)
        return GNTST_general_error;
    count_work(op->nr_frames * WORK_PER_TABLE);
    for (unsigned i = 0; i < op->nr_frames; i++)
        if (!grant_list_page((uint64_t)op->frame_list.p, i, d->grant->shared[i]))
            return GNTST_bad_virt_addr;
    return GNTST_okay;
}

long grant_setup_table(struct gnttab_setup_table *op)
{
    if (!guest_range_ok((uint64_t)op->frame_list.p, (uint64_t)op->nr_frames * sizeof(uint64_t)))
        return -EFAULT;
    op->status = (int16_t)setup_table(current->domain, op);
    return 0;
}

long grant_query_size(struct gnttab_query_size *op)
{
    op->status = (int16_t)grant_table_of(op->dom);
    if (op->status == GNTST_okay) {
        op->nr_frames = current->domain->grant->nr_frames;
        op->max_nr_frames = MAX_GRANT_FRAMES;
    }
    return 0;
}

/* Exchanges two entries; in version 2 their status words, too. */
static void swap_entries(struct grant_table *gt, grant_ref_t a, grant_ref_t b)
{
    if (gt->version == 1) {
        struct grant_entry_v1 entry = *grant_entry_v1_of(gt, a);

        *grant_entry_v1_of(gt, a) = *grant_entry_v1_of(gt, b);
        *grant_entry_v1_of(gt, b) = entry;
    } else {
        union grant_entry_v2 entry = *grant_entry_v2_of(gt, a);
        grant_status_t status = *grant_status_of(gt, a);

        *grant_entry_v2_of(gt, a) = *grant_entry_v2_of(gt, b);
        *grant_entry_v2_of(gt, b) = entry;
        *grant_status_of(gt, a) = *grant_status_of(gt, b);
        *grant_status_of(gt, b) = status;
    }
}

static int swap_grant_ref(struct grant_table *gt, grant_ref_t a, grant_ref_t b)
{
    const struct grant_pins *pa, *pb;

    if (MAX(a, b) >= gt->nr_entries)
        return GNTST_bad_gntref;
    if (a == b)
        return GNTST_okay;
    pa = grant_pins_of(gt, a);
    pb = grant_pins_of(gt, b);
    if (pa->readers | pa->writers | pb->readers | pb->writers)
        return GNTST_eagain;
    swap_entries(gt, a, b);
    return GNTST_okay;
}

long grant_swap_grant_ref(struct gnttab_swap_grant_ref *op)
{
    struct grant_table *gt = current->domain->grant;

    spin_lock(&gt->lock);
    op->status = (int16_t)swap_grant_ref(gt, op->ref_a, op->ref_b);
    spin_unlock(&gt->lock);
    return 0;
}

/* Transfer of frames is not served. Of the errors of this command, GNTST_bad_page tells the
 * caller that it keeps the frame. */
long grant_transfer(struct gnttab_transfer *op)
{
    op->status = GNTST_bad_page;
    return 0;
}
