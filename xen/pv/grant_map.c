/* Grant mappings: entering granted frames into the mapping domain's page tables, and removing them.
 * Which reference belongs to what is G1 to G4 in grant.h. Pins are in grant_pin.c, the table of
 * handles and the end of domains in grant_maptrack.c. Called by the generated dispatch
 * (common/abi.def).
 *
 * GNTMAP_device_map is for domains that drive devices: it returns the machine address, and keeps
 * references on the frame as long as a device may use it (G5). */
#include "arch/arch.h"
#include "common/trace_format.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/core/trace.h"
#include "xen/core/walk.h"
#include "xen/pv/grant.h"
#include "xen/pv/grant_maptrack.h"
#include "xen/pv/grant_pin.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/l1_entry.h"
#include "xen/pv/pagetype.h"

#define UNMAP_BATCH 16u
#define WORK_PER_MAP 800u

/* The index of a free handle, which stays on the free list; UINT32_MAX: no more. */
static uint32_t maptrack_find_free(struct domain *d)
{
    uint32_t index = d->grant->free_maptrack;

    return likely(index != UINT32_MAX) ? index : maptrack_grow(d);
}

static struct maptrack *maptrack_by_handle(const struct grant_table *gt, grant_handle_t handle)
{
    uint32_t index = handle & 0xffff;
    struct maptrack *t;

    if (index >= gt->nr_maptracks)
        return NULL;
    t = maptrack_at(gt, index);
    return (t->flags & MAPTRACK_LIVE) && t->generation == handle >> 16 ? t : NULL;
}

static uint64_t *find_slot(struct domain *d, uint64_t host_addr, uint32_t flags)
{
    if (flags & GNTMAP_contains_pte)
        return l1_slot_at(host_addr, d);
    return walk_to_l1(current->root_kernel, host_addr);
}

/* The page-table entry takes over the references (G3). */
static int map_host(struct domain *d, struct domain *rd, const struct gnttab_map_grant_ref *op,
                    mfn_t mfn)
{
    bool readonly = op->flags & GNTMAP_readonly;
    uint64_t *slot = find_slot(d, op->host_addr, op->flags), old;
    struct frame *f;
    int rc;

    if (slot == NULL)
        return GNTST_general_error;
    rc = grant_get_frame(rd, mfn, readonly, &f);
    if (rc != GNTST_okay)
        return rc;
    old = READ_ONCE(*slot);
    install_l1e(d, slot,
                l1e_to_store(mfn << PAGE_SHIFT | PTE_P | PTE_A | PTE_D | (readonly ? 0 : PTE_RW) |
                             (op->flags & GNTMAP_application_map ? PTE_US : 0)) |
                    ((uint64_t)op->flags >> _GNTMAP_guest_avail0 & 7) << 9);
    if (old & PTE_P)
        flush_domain(d);
    return GNTST_okay;
}

/* The device mapping (G5) and the host mapping. On failure nothing is held. */
static int map_pinned(struct domain *d, struct domain *rd, const struct gnttab_map_grant_ref *op,
                      mfn_t mfn)
{
    bool readonly = op->flags & GNTMAP_readonly;
    struct frame *f = NULL;
    int rc = GNTST_okay;

    if (unlikely(op->flags & GNTMAP_device_map))
        rc = grant_get_frame(rd, mfn, readonly, &f);
    if (rc == GNTST_okay && (op->flags & GNTMAP_host_map)) {
        rc = map_host(d, rd, op, mfn);
        if (rc != GNTST_okay && f != NULL)
            grant_put_frame(f, readonly);
    }
    return rc;
}

static int map_locked(struct domain *d, struct domain *rd, struct gnttab_map_grant_ref *op)
{
    struct grant_table *gt = d->grant;
    bool readonly = op->flags & GNTMAP_readonly;
    uint32_t index = maptrack_find_free(d);
    struct maptrack *t;
    mfn_t mfn;
    int rc;

    if (index == UINT32_MAX)
        return GNTST_no_space;
    rc = grant_pin(rd, op->ref, d->id, readonly, &mfn);
    if (rc != GNTST_okay)
        return rc;
    rc = map_pinned(d, rd, op, mfn);
    if (rc != GNTST_okay) {
        grant_unpin(rd, op->ref, readonly);
        return rc;
    }
    t = maptrack_at(gt, index);
    gt->free_maptrack = t->ref;
    t->granter = rd;
    t->ref = op->ref;
    t->flags = (uint8_t)(op->flags & (MAPTRACK_LIVE | GNTMAP_readonly | GNTMAP_contains_pte));
    op->handle = (uint32_t)t->generation << 16 | index;
    op->dev_bus_addr = mfn << PAGE_SHIFT;
    return GNTST_okay;
}

static int map_one(struct domain *d, struct gnttab_map_grant_ref *op)
{
    struct domain *rd;
    int rc;

    if (!(op->flags & MAPTRACK_LIVE))
        return GNTST_bad_gntref;
    rd = domain_by_id(op->dom);
    if (rd == NULL)                         /* domain 0 may be named, but grants nothing */
        return domain_exists(op->dom) ? GNTST_general_error : GNTST_bad_domain;
    mm_lock_pair(d, rd);
    rc = map_locked(d, rd, op);
    mm_unlock_pair(d, rd);
    if (rc == GNTST_okay)
        TRACE(TRACE_MEM, TRC_MEM_PAGE_GRANT_MAP, op->dom);
    return rc;
}

long grant_map_grant_ref(uint64_t uop, unsigned count)
{
    struct domain *d = current->domain;

    if (!guest_range_ok(uop, (uint64_t)count * sizeof(struct gnttab_map_grant_ref)))
        return -EFAULT;
    for (unsigned i = 0; i < count; i++, uop += sizeof(struct gnttab_map_grant_ref)) {
        struct gnttab_map_grant_ref op;

        if (!get_guest_args(&op, uop, sizeof(op) / 8))
            return -EFAULT;
        op.status = (int16_t)map_one(d, &op);
        if (!put_guest_args(uop, &op, sizeof(op) / 8))
            return -EFAULT;
        if (work_done(WORK_PER_MAP)) {
            preempt_point();
            if (d->state != DOM_RUNNING)
                break;
        }
    }
    return 0;
}

/* What is left of an unmap after its page-table entry is cleared, to be done after the TLB
 * flush. */
struct gone {
    struct domain *granter;
    uint64_t l1e;               /* the entry that was removed; 0: none */
    mfn_t mfn;                  /* the frame; the entry may be another's before the second half */
    grant_ref_t ref;
    bool unpin, readonly, device;   /* device: the device mapping ended */
};

/* Removes the mapping at host_addr; with new_addr, the mapping there is moved to host_addr. The
 * entry must map this grant's frame with this handle's permission, or a handle could end that
 * another entry still needs. */
static int unmap_host(struct domain *d, const struct maptrack *t, mfn_t mfn, uint64_t host_addr,
                      uint64_t new_addr, struct gone *gone)
{
    uint64_t *slot = find_slot(d, host_addr, t->flags), *from, old, replacement = 0;

    /* The frame may be d's own by now, if the mapping was overwritten and the granter gave it back.
     * While an entry of d maps a frame of the granter, the granter exists (D1). */
    if (slot == NULL || frame_owner(mfn_to_frame(mfn)) != t->granter)
        return GNTST_general_error;
    old = READ_ONCE(*slot);
    if (!(old & PTE_P) || PTE_MFN(old) != mfn || !(old & PTE_RW) != !!(t->flags & GNTMAP_readonly))
        return GNTST_general_error;
    if (new_addr != 0) {
        from = t->flags & GNTMAP_contains_pte ? NULL : walk_to_l1(current->root_kernel, new_addr);
        if (from == NULL || from == slot)
            return GNTST_general_error;
        replacement = READ_ONCE(*from);
        WRITE_ONCE(*from, 0);
    }
    WRITE_ONCE(*slot, replacement);
    gone->l1e = old;
    return GNTST_okay;
}

static int unmap_begin(struct domain *d, const struct gnttab_unmap_grant_ref *op, uint64_t new_addr,
                       struct gone *gone)
{
    struct maptrack *t = maptrack_by_handle(d->grant, op->handle);
    mfn_t mfn;
    int rc;

    if (t == NULL)
        return GNTST_bad_handle;
    mfn = grant_pins_of(t->granter->grant, t->ref)->mfn;
    *gone = (struct gone){ .granter = t->granter,
                          .mfn = mfn,
                          .ref = t->ref,
                          .readonly = t->flags & GNTMAP_readonly};
    if (op->dev_bus_addr != 0 && (t->flags & GNTMAP_device_map) &&
        op->dev_bus_addr != mfn << PAGE_SHIFT)
        return GNTST_bad_dev_addr;
    if (op->host_addr != 0 && (t->flags & GNTMAP_host_map)) {
        rc = unmap_host(d, t, mfn, op->host_addr, new_addr, gone);
        if (rc != GNTST_okay)
            return rc;
        t->flags &= (uint8_t)~GNTMAP_host_map;
    }
    if (op->dev_bus_addr != 0 && (t->flags & GNTMAP_device_map)) {
        t->flags &= (uint8_t)~GNTMAP_device_map;
        gone->device = true;
    }
    if (!(t->flags & MAPTRACK_LIVE)) {
        maptrack_free(d->grant, t, op->handle & 0xffff);
        gone->unpin = true;
    }
    return GNTST_okay;
}

static void unmap_finish(struct domain *d, const struct gone *gone)
{
    bool flushed = true;        /* by unmap_batch */

    if (gone->l1e != 0) {
        spin_lock(&gone->granter->mm_lock);         /* the frame is the granter's */
        put_page_from_old_l1e(gone->l1e, d, &flushed);
        spin_unlock(&gone->granter->mm_lock);
    }
    if (unlikely(gone->device))
        grant_end_device_map(gone->granter, gone->mfn, gone->readonly);
    TRACE_OF(d, TRACE_MEM, TRC_MEM_PAGE_GRANT_UNMAP, gone->granter->id);
    if (gone->unpin)
        grant_unpin(gone->granter, gone->ref, gone->readonly);
}

/* One TLB flush for a batch: only after it may the granter see that its frames are no longer
 * used. No interrupt and no preemption comes between the two halves, so the granter's struct
 * outlives the second one. In unmap_and_replace the second word of the structure is new_addr. */
static long unmap_batch(struct domain *d, uint64_t uop, unsigned n, bool replace)
{
    struct gone gone[UNMAP_BATCH];
    unsigned done = 0;
    bool flush = false;
    long rc = 0;

    spin_lock(&d->mm_lock);
    for (unsigned i = 0; i < n && rc == 0; i++, uop += sizeof(struct gnttab_unmap_grant_ref)) {
        struct gnttab_unmap_grant_ref op;
        uint64_t new_addr = 0;

        if (!get_guest_args(&op, uop, sizeof(op) / 8)) {
            rc = -EFAULT;
            break;
        }
        if (replace) {
            new_addr = op.dev_bus_addr;
            op.dev_bus_addr = 0;
        }
        op.status = (int16_t)unmap_begin(d, &op, new_addr, &gone[done]);
        if (op.status == GNTST_okay)
            flush |= gone[done++].l1e != 0;
        if (!put_guest_args(uop + 16, (const uint64_t *)&op + 2, 1))
            rc = -EFAULT;
    }
    spin_unlock(&d->mm_lock);
    if (flush)
        flush_own_domain();
    for (unsigned i = 0; i < done; i++)
        unmap_finish(d, &gone[i]);
    return rc;
}

static long unmap_all(uint64_t uop, unsigned count, bool replace)
{
    _Static_assert(sizeof(struct gnttab_unmap_grant_ref) ==
                           sizeof(struct gnttab_unmap_and_replace) &&
                       offsetof(struct gnttab_unmap_and_replace, handle) == 16,
                   "one shape");

    if (!guest_range_ok(uop, (uint64_t)count * sizeof(struct gnttab_unmap_grant_ref)))
        return -EFAULT;
    while (count != 0) {
        unsigned n = MIN(count, UNMAP_BATCH);
        long rc = unmap_batch(current->domain, uop, n, replace);

        if (rc != 0)
            return rc;
        count -= n;
        uop += n * sizeof(struct gnttab_unmap_grant_ref);
        if (work_done(n * WORK_PER_MAP) && count != 0) {
            preempt_point();
            if (current->domain->state != DOM_RUNNING)
                break;
        }
    }
    return 0;
}

long grant_unmap_grant_ref(uint64_t uop, unsigned count)
{
    return unmap_all(uop, count, false);
}

long grant_unmap_and_replace(uint64_t uop, unsigned count)
{
    return unmap_all(uop, count, true);
}
