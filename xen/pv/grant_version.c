/* The version of a grant table: the commands that read and change it, and the status pages of
 * version 2. The table itself is in grant.c. Called by the generated dispatch (common/abi.def).
 *
 * A change of the version keeps the reserved entries, which the domain builder made, and clears
 * all others, so none of those may be in use. The guest may map the status pages like the
 * table's. They are freed when it goes back to version 1, which is refused while it has one
 * mapped. */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/pv/domid.h"
#include "xen/pv/grant.h"
#include "xen/pv/grant_version.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/shared_page.h"

#define WORK_PER_FRAME 700u             /* to clear one frame */

static unsigned status_frames_for(unsigned nr_frames)
{
    return (nr_frames * GRANTS_V2_PER_FRAME + STATUS_PER_FRAME - 1) / STATUS_PER_FRAME;
}

int grant_grow_status(struct domain *d, unsigned nr_frames)
{
    struct grant_table *gt = d->grant;

    while (gt->nr_status_frames < status_frames_for(nr_frames)) {
        grant_status_t *page = alloc_shared_page(d);

        if (page == NULL)
            return -ENOMEM;
        gt->status[gt->nr_status_frames++] = page;
    }
    return 0;
}

/* Whether the hypervisor's reference is the only one on each status page, that is, the guest has
 * mapped none. */
static bool status_frames_unused(const struct grant_table *gt)
{
    for (unsigned i = 0; i < gt->nr_status_frames; i++)
        if (nr_refs(READ_ONCE(mfn_to_frame(virt_to_mfn(gt->status[i]))->word)) != 1)
            return false;
    return true;
}

static void free_status_frames(struct grant_table *gt)
{
    while (gt->nr_status_frames != 0)
        free_shared_page(gt->status[--gt->nr_status_frames]);
}

static bool ordinary_grant_used(const struct grant_table *gt)
{
    uint32_t reserved = 0;

    for (grant_ref_t ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++)
        reserved += grant_pins_of(gt, ref)->readers + grant_pins_of(gt, ref)->writers;
    return gt->nr_pins != reserved;
}

/* A reserved entry in the format of version 1: a permit_access grant, or an empty entry. */
static struct grant_entry_v1 save_entry(const struct grant_table *gt, grant_ref_t ref)
{
    union grant_entry_v2 e;

    if (gt->version == 1)
        return *grant_entry_v1_of(gt, ref);
    e = *grant_entry_v2_of(gt, ref);
    if ((e.hdr.flags & GTF_type_mask) != GTF_permit_access)
        return (struct grant_entry_v1){ 0 };
    return (struct grant_entry_v1){ .flags = e.hdr.flags | *grant_status_of(gt, ref),
                                   .domid = e.hdr.domid,
                                   .frame = (uint32_t)e.full_page.frame};
}

static void restore_entry(struct grant_table *gt, grant_ref_t ref, const struct grant_entry_v1 *e)
{
    uint16_t status = e->flags & (GTF_reading | GTF_writing);

    if (gt->version == 1) {
        *grant_entry_v1_of(gt, ref) = *e;
        return;
    }
    *grant_status_of(gt, ref) = status;
    *grant_entry_v2_of(gt, ref) = (union grant_entry_v2){
        .full_page = {
            .hdr = { .flags = e->flags ^ status, .domid = e->domid },
            .frame = e->frame,
        },
    };
}

/* Whether version 1 can express the entry: it is not transitive, and its frame number has 32
 * bits. */
static bool fits_version_1(const union grant_entry_v2 *e)
{
    unsigned type = READ_ONCE(e->hdr.flags) & GTF_type_mask;

    return type != GTF_transitive &&
           (type != GTF_permit_access || READ_ONCE(e->full_page.frame) <= UINT32_MAX);
}

static int prepare_change(struct domain *d, unsigned version)
{
    if (ordinary_grant_used(d->grant))
        return -EBUSY;
    if (version == 2)
        return grant_grow_status(d, d->grant->nr_frames);
    for (grant_ref_t ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++)
        if (!fits_version_1(grant_entry_v2_of(d->grant, ref)))
            return -ERANGE;
    return status_frames_unused(d->grant) ? 0 : -EBUSY;
}

static void change_version(struct grant_table *gt, unsigned version)
{
    struct grant_entry_v1 reserved[GNTTAB_NR_RESERVED_ENTRIES];

    for (grant_ref_t ref = 0; ref < ARRAY_SIZE(reserved); ref++)
        reserved[ref] = save_entry(gt, ref);
    if (version == 1)
        free_status_frames(gt);
    for (unsigned i = 0; i < gt->nr_frames; i++)
        memset(gt->shared[i], 0, PAGE_SIZE);
    gt->version = version;
    gt->nr_entries = gt->nr_frames * (version == 1 ? GRANTS_PER_FRAME : GRANTS_V2_PER_FRAME);
    for (grant_ref_t ref = 0; ref < ARRAY_SIZE(reserved); ref++)
        restore_entry(gt, ref, &reserved[ref]);
}

static int set_version(struct domain *d, uint32_t version)
{
    struct grant_table *gt = d->grant;
    int rc;

    if (version != 1 && version != 2)
        return -EINVAL;
    spin_lock(&d->mm_lock);
    spin_lock(&gt->lock);
    rc = version != gt->version ? prepare_change(d, version) : 0;
    if (rc == 0 && version != gt->version)
        change_version(gt, version);
    spin_unlock(&gt->lock);
    spin_unlock(&d->mm_lock);
    count_work(gt->nr_frames * WORK_PER_FRAME);
    return rc;
}

/* Also on failure, the guest is told the version in force. */
long grant_set_version(struct gnttab_set_version *op)
{
    struct domain *d = current->domain;
    int rc = set_version(d, op->version);

    op->version = d->grant->version;
    return rc;
}

long grant_get_version(struct gnttab_get_version *op)
{
    op->version = current->domain->grant->version;
    return check_domid(op->dom, NAMES_SELF | NAMES_OWN_NUMBER);
}

static int list_status_frames(const struct grant_table *gt,
                              const struct gnttab_get_status_frames *op)
{
    if (op->nr_frames > gt->nr_status_frames)
        return GNTST_general_error;
    for (unsigned i = 0; i < op->nr_frames; i++)
        if (!grant_list_page((uint64_t)op->frame_list.p, i, gt->status[i]))
            return GNTST_bad_virt_addr;
    return GNTST_okay;
}

static int get_status_frames(struct grant_table *gt, const struct gnttab_get_status_frames *op)
{
    int rc = grant_table_of(op->dom);

    if (rc != GNTST_okay)
        return rc;
    spin_lock(&gt->lock);
    rc = list_status_frames(gt, op);
    spin_unlock(&gt->lock);
    return rc;
}

long grant_get_status_frames(struct gnttab_get_status_frames *op)
{
    if (!guest_range_ok((uint64_t)op->frame_list.p, (uint64_t)op->nr_frames * sizeof(uint64_t)))
        return -EFAULT;
    op->status = (int16_t)get_status_frames(current->domain->grant, op);
    return 0;
}
