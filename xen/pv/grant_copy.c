/* GNTTABOP_copy and GNTTABOP_cache_flush. A copy goes from one frame to another; each is named
 * by the caller's own frame number or by a grant. Pins and references are held during one copy
 * only. Pins are in grant_pin.c. Called by the generated dispatch (common/abi.def). */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/pv/grant.h"
#include "xen/pv/grant_pin.h"
#include "xen/pv/hypercalls.h"

#define WORK_PER_FLUSH 300u
#define WORK_PER_ENTRY 8u               /* of a table that is searched */
#define WORK_PER_COPY 12000u            /* to copy a whole page backwards */

struct copy_end {
    struct domain *d;           /* the domain named in the request */
    struct frame *f;
    grant_ref_t ref;
    bool is_gref, readonly;
    /* What the copy may access: of d, or of the domain whose grant a transitive grant names. */
    struct grant_area area;
};

/* Returns GNTST_*. Domain 0 may be named, but grants nothing. */
static int find_domain(const struct gnttab_copy_ptr *ptr, bool is_gref, bool readonly,
                       struct copy_end *e)
{
    *e = (struct copy_end){ .d = domain_lookup(ptr->domid), .ref = ptr->u.ref, .is_gref = is_gref,
                            .readonly = readonly };
    return e->d == NULL && !domain_exists(ptr->domid) ? GNTST_bad_domain : GNTST_okay;
}

/* Returns GNTST_*; on failure nothing is held. */
static int claim_end(const struct gnttab_copy_ptr *ptr, struct copy_end *e)
{
    int rc;

    if (!e->is_gref && ptr->domid != DOMID_SELF)
        return GNTST_permission_denied; /* a frame of another domain can be named by a grant only */
    if (e->d == NULL)
        return GNTST_general_error;
    e->area = (struct grant_area){ .owner = e->d, .mfn = ptr->u.gmfn, .length = PAGE_SIZE };
    if (e->is_gref) {
        rc = grant_pin_for_copy(e->d, e->ref, current->domain->id, e->readonly, &e->area);
        if (rc != GNTST_okay)
            return rc;
    }
    spin_lock(&e->area.owner->mm_lock);
    rc = grant_get_frame(e->area.owner, e->area.mfn, e->readonly, &e->f);
    spin_unlock(&e->area.owner->mm_lock);
    if (rc != GNTST_okay && e->is_gref)
        grant_unpin_copy(e->d, e->ref, e->readonly, &e->area);
    return rc;
}

static void release_end(const struct copy_end *e)
{
    spin_lock(&e->area.owner->mm_lock);
    grant_put_frame(e->f, e->readonly);
    spin_unlock(&e->area.owner->mm_lock);
    if (e->is_gref)
        grant_unpin_copy(e->d, e->ref, e->readonly, &e->area);
}

static bool within(const struct grant_area *area, unsigned offset, unsigned len)
{
    return offset >= area->start && offset + len <= area->start + area->length;
}

static int copy_bytes(const struct gnttab_copy *op, const struct copy_end *from,
                      const struct copy_end *to)
{
    if (op->source.offset + op->len > (int)PAGE_SIZE || op->dest.offset + op->len > (int)PAGE_SIZE)
        return GNTST_bad_copy_arg;
    if (!within(&from->area, op->source.offset, op->len) ||
        !within(&to->area, op->dest.offset, op->len))
        return GNTST_general_error;
    memmove((char *)mfn_to_virt(frame_to_mfn(to->f)) + op->dest.offset,
            (const char *)mfn_to_virt(frame_to_mfn(from->f)) + op->source.offset, op->len);
    return GNTST_okay;
}

/* As on Xen, both domains are checked first, then both grants, then the offsets. */
static int copy_one(const struct gnttab_copy *op)
{
    struct copy_end from, to;
    int rc;

    rc = find_domain(&op->source, op->flags & GNTCOPY_source_gref, true, &from);
    if (rc == GNTST_okay)
        rc = find_domain(&op->dest, op->flags & GNTCOPY_dest_gref, false, &to);
    if (rc == GNTST_okay)
        rc = claim_end(&op->source, &from);
    if (rc != GNTST_okay)
        return rc;
    rc = claim_end(&op->dest, &to);
    if (rc == GNTST_okay) {
        rc = copy_bytes(op, &from, &to);
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

/* --- cache_flush ------------------------------------------------------------------------------ */

/* Whether d has mapped this frame of owner by a grant. */
static bool maps_by_grant(struct domain *d, struct domain *owner, mfn_t mfn)
{
    struct grant_table *gt = owner->grant;
    bool found = false;

    spin_lock(&gt->lock);
    for (grant_ref_t ref = 0; gt->nr_pins != 0 && !found && ref < gt->nr_entries; ref++) {
        const struct grant_pins *p = grant_pins_of(gt, ref);

        found = (p->readers | p->writers) != 0 && p->domid == d->id && p->mfn == mfn;
    }
    spin_unlock(&gt->lock);
    count_work(gt->nr_pins != 0 ? gt->nr_entries * WORK_PER_ENTRY : 0);
    return found;
}

/* Caches are coherent and guests have no devices, so nothing has to be cleaned: the request is
 * checked and has no effect. Invalidating without cleaning is refused, because it would lose
 * writes. */
static int cache_flush(const struct gnttab_cache_flush *op)
{
    mfn_t mfn = op->a.dev_bus_addr >> PAGE_SHIFT;
    struct domain *owner;

    if (op->offset >= PAGE_SIZE || op->offset + op->length > (int)PAGE_SIZE ||
        (op->op & ~(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL)))
        return -EINVAL;
    if (op->length == 0 || op->op == 0)
        return 0;
    if (!mfn_valid(mfn))
        return -EINVAL;
    owner = frame_owner(mfn_to_frame(mfn));
    if (owner == NULL)
        return -EPERM;
    if (owner != current->domain && !maps_by_grant(current->domain, owner, mfn))
        return -EINVAL;
    return op->op & GNTTAB_CACHE_CLEAN ? 0 : -EOPNOTSUPP;
}

long grant_cache_flush(uint64_t uop, unsigned count)
{
    if (!guest_range_ok(uop, (uint64_t)count * sizeof(struct gnttab_cache_flush)))
        return -EFAULT;
    for (unsigned i = 0; i < count; i++, uop += sizeof(struct gnttab_cache_flush)) {
        struct gnttab_cache_flush op;
        int rc;

        if (copy_from_guest(&op, uop, sizeof(op)) != 0)
            return -EFAULT;
        rc = cache_flush(&op);
        if (rc != 0)
            return rc;
        if (work_done(WORK_PER_FLUSH)) {
            preempt_point();
            if (current->domain->state != DOM_RUNNING)
                break;
        }
    }
    return 0;
}
