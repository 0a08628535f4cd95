/* Owns GNTTABOP_copy: bytes from one frame to another, each named by the caller's own frame number or by a
 * grant of somebody. Pins and references are held for the time of one copy only. */
#include "common/string.h"
#include "xen/grant.h"
#include "xen/guest_access.h"
#include "xen/mm.h"

#define WORK_PER_COPY 12000u            /* of a page whose bytes go backwards */

struct copy_end {
    struct domain *d;           /* whose frame it is */
    struct frame *f;
    grant_ref_t ref;
    bool is_gref, readonly;
};

/* GNTST_*; nothing is held on failure. */
static int claim_end(const struct gnttab_copy_ptr *ptr, bool is_gref, bool readonly, struct copy_end *e)
{
    mfn_t mfn = ptr->u.gmfn;
    int rc;

    if (!is_gref && ptr->domid != DOMID_SELF)
        return GNTST_permission_denied;         /* a frame of somebody else needs his grant */
    *e = (struct copy_end){ .d = domain_lookup(ptr->domid), .ref = ptr->u.ref, .is_gref = is_gref,
                            .readonly = readonly };
    if (e->d == NULL)
        return GNTST_bad_domain;
    if (is_gref) {
        rc = grant_pin(e->d, e->ref, current->domain->id, readonly, &mfn);
        if (rc != GNTST_okay)
            return rc;
    }
    spin_lock(&e->d->mm_lock);
    rc = grant_get_frame(e->d, mfn, readonly, &e->f);
    spin_unlock(&e->d->mm_lock);
    if (rc != GNTST_okay && is_gref)
        grant_unpin(e->d, e->ref, readonly);
    return rc;
}

static void release_end(const struct copy_end *e)
{
    spin_lock(&e->d->mm_lock);
    if (!e->readonly)
        put_page_type(e->f);
    put_page(e->f);
    spin_unlock(&e->d->mm_lock);
    if (e->is_gref)
        grant_unpin(e->d, e->ref, e->readonly);
}

static int copy_one(const struct gnttab_copy *op)
{
    struct copy_end from, to;
    int rc = claim_end(&op->source, op->flags & GNTCOPY_source_gref, true, &from);

    if (rc != GNTST_okay)
        return rc;
    rc = claim_end(&op->dest, op->flags & GNTCOPY_dest_gref, false, &to);
    if (rc == GNTST_okay) {
        if (op->source.offset + op->len > (int)PAGE_SIZE || op->dest.offset + op->len > (int)PAGE_SIZE)
            rc = GNTST_bad_copy_arg;
        else
            memmove((char *)mfn_to_virt(frame_to_mfn(to.f)) + op->dest.offset,
                    (const char *)mfn_to_virt(frame_to_mfn(from.f)) + op->source.offset, op->len);
        release_end(&to);
    }
    release_end(&from);
    return rc;
}

long grant_copy(uint64_t uop, unsigned count)
{
    if (!guest_range_ok(uop, (uint64_t)count * sizeof(struct gnttab_copy)))
        return -EFAULT;
    for (unsigned i = 0; i < count; i++, uop += sizeof(struct gnttab_copy)) {
        struct gnttab_copy op;

        if (!get_guest_args(&op, uop, sizeof(op) / 8))
            return -EFAULT;
        op.status = (int16_t)copy_one(&op);
        if (!put_guest_args(uop, &op, sizeof(op) / 8))
            return -EFAULT;
        if (work_done(WORK_PER_COPY)) {
            preempt_point();
            if (current->domain->state != DOM_RUNNING)
                break;
        }
    }
    return 0;
}
