/* memory_op: the size of a guest's memory, returning frames and getting others, and what a guest
 * may know about the machine's memory. A guest may name itself only. Commands with a list of
 * extents return how many were done, never an errno: a smaller number is the only sign of a
 * failure (public/memory.h). XENMEM_exchange is in memory_exchange.c, the memory map in
 * memory_map.c. Called by the generated dispatch (common/abi.def). */
#include "arch/arch.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/memory.h"

/* Position of the first extent in the command word of a continued call. */
#define EXTENT_SHIFT 6
#define WORK_PER_EXTENT 200u
#define WORK_PER_FRAME 1200u            /* scrubbing the frame is most of it */

mfn_t memory_give_frames(struct domain *d, unsigned order, unsigned mem_flags, pfn_t pfn)
{
    mfn_t mfn = alloc_domain_frames(d, order, XENMEMF_get_address_bits(mem_flags));

    if (mfn == INVALID_MFN)
        return mfn;
    for (mfn_t i = 0; i < 1ull << order; i++)
        m2p_table[mfn + i] = pfn == INVALID_M2P_ENTRY ? INVALID_M2P_ENTRY : pfn + i;
    return mfn;
}

/* Each reservation command has a function for one extent, called under mm_lock; false: it
 * failed, and the command stops. list: address of the extent's word; only increase_reservation
 * works without a list. */
typedef bool extent_fn(struct domain *d, const struct xen_memory_reservation *r, uint64_t list);

static bool increase_extent(struct domain *d, const struct xen_memory_reservation *r, uint64_t list)
{
    mfn_t mfn = memory_give_frames(d, r->extent_order, r->mem_flags, INVALID_M2P_ENTRY);

    return mfn != INVALID_MFN && (r->extent_start.p == NULL || put_guest_args(list, &mfn, 1));
}

static bool decrease_extent(struct domain *d, const struct xen_memory_reservation *r, uint64_t list)
{
    bool ok = true;
    mfn_t mfn;

    if (!get_guest_args(&mfn, list, 1) || mfn + (1ull << r->extent_order) < mfn)
        return false;
    for (mfn_t end = mfn + (1ull << r->extent_order); ok && mfn < end; mfn++) {
        struct frame *f = get_frame(mfn, d);

        ok = f != NULL;
        if (!ok)
            break;
        release_domain_frame(f);    /* still mapped somewhere: it is freed with the last mapping */
        put_page(f);
    }
    return ok;
}

static bool populate_extent(struct domain *d, const struct xen_memory_reservation *r, uint64_t list)
{
    pfn_t pfn;
    mfn_t mfn;

    if (r->mem_flags & XENMEMF_populate_on_demand || !get_guest_args(&pfn, list, 1))
        return false;
    mfn = memory_give_frames(d, r->extent_order, r->mem_flags, pfn);
    return mfn != INVALID_MFN && put_guest_args(list, &mfn, 1);
}

static long reservation(uint64_t arg, uint64_t start, extent_fn *extent)
{
    struct domain *d = current->domain;
    struct xen_memory_reservation r;
    uint64_t done = start, list;

    if (copy_from_guest(&r, arg, sizeof(r)) != 0 || r.nr_extents > UINT32_MAX >> EXTENT_SHIFT ||
        start >= r.nr_extents || memory_check_domid(r.domid) != 0 || r.extent_order > MAX_ORDER)
        return (long)start;
    list = (uint64_t)r.extent_start.p;
    if (!guest_range_ok(list, r.nr_extents * sizeof(uint64_t)))
        return (long)start;
    for (; done < r.nr_extents; done++) {
        bool ok;

        spin_lock(&d->mm_lock);
        ok = extent(d, &r, list + done * sizeof(uint64_t));
        spin_unlock(&d->mm_lock);
        if (!ok)
            break;
        if (work_done(WORK_PER_EXTENT + (WORK_PER_FRAME << r.extent_order))) {
            preempt_point();
            if (d->state != DOM_RUNNING)
                break;
        }
    }
    return (long)done;
}

long memory_increase_reservation(uint64_t arg, uint64_t start)
{
    return reservation(arg, start, increase_extent);
}

long memory_decrease_reservation(uint64_t arg, uint64_t start)
{
    return reservation(arg, start, decrease_extent);
}

long memory_populate_physmap(uint64_t arg, uint64_t start)
{
    return reservation(arg, start, populate_extent);
}

static long number_of(domid_t domid, uint64_t number)
{
    int rc = memory_check_domid(domid);

    return rc != 0 ? rc : (long)number;
}

long memory_current_reservation(const struct xen_memory_domain *op)
{
    return number_of(op->domid, current->domain->nr_frames);
}

long memory_maximum_reservation(const struct xen_memory_domain *op)
{
    return number_of(op->domid, current->domain->max_frames);
}

long memory_maximum_gpfn(const struct xen_memory_domain *op)
{
    /* Written by the guest itself. */
    uint64_t max_pfn = READ_ONCE(current->domain->shared->arch.max_pfn);

    return number_of(op->domid, max_pfn ? max_pfn - 1 : 0);
}

long memory_maximum_ram_page(void)
{
    return (long)max_mfn;
}

/* The M2P's frames, one entry for each 2 MiB of it, as the guest sees it mapped. */
long memory_machphys_mfn_list(struct xen_machphys_mfn_list *op)
{
    mfn_t first = arch_m2p_mfn(), per_extent = (2ul << 20) >> PAGE_SHIFT;
    uint64_t nr = (max_mfn * sizeof(*m2p_table) + (2ul << 20) - 1) >> 21;

    op->nr_extents = (unsigned)MIN(nr, op->max_extents);
    for (unsigned i = 0; i < op->nr_extents; i++) {
        mfn_t mfn = first + i * per_extent;

        if (copy_to_guest((uint64_t)op->extent_start.p + 8ull * i, &mfn, sizeof(mfn)) != 0)
            return -EFAULT;
    }
    return 0;
}

long memory_machphys_mapping(struct xen_machphys_mapping *op)
{
    *op = (struct xen_machphys_mapping){ .v_start = MACH2PHYS_VIRT_START,
                                        .v_end = MACH2PHYS_VIRT_END,
                                        .max_mfn = MACH2PHYS_NR_ENTRIES - 1};
    return 0;
}

/* For guests whose physical addresses the hypervisor translates. */
static long translated_only(domid_t domid)
{
    int rc = memory_check_domid(domid);

    return rc != 0 ? rc : -EACCES;
}

long memory_add_to_physmap(const struct xen_add_to_physmap *op)
{
    return op->space == XENMAPSPACE_gmfn_foreign ? -ENOSYS : translated_only(op->domid);
}

long memory_add_to_physmap_batch(const struct xen_add_to_physmap_batch *op)
{
    return op->space == XENMAPSPACE_gmfn_range ? -EOPNOTSUPP : translated_only(op->domid);
}

long memory_remove_from_physmap(const struct xen_remove_from_physmap *op)
{
    return translated_only(op->domid);
}

/* The two commands of populate-on-demand, which is not for PV domains. */
long memory_pod_target(const struct xen_pod_target *op)
{
    return memory_check_domid(op->domid) == -ESRCH ? -ESRCH : -EINVAL;
}

/* Needs a privilege, but errors in the arguments are reported first. The domain is named by its
 * number here. */
long memory_claim_pages(const struct xen_memory_reservation *op)
{
    if (op->extent_start.p != NULL || op->extent_order != 0 || op->mem_flags != 0 ||
        check_domid(op->domid, NAMES_OWN_NUMBER) == -ESRCH)
        return -EINVAL;
    return -EPERM;
}

long memory_get_vnumainfo(const struct xen_vnuma_topology_info *op)
{
    int rc;

    if (op->pad != 0)
        return -EINVAL;
    rc = memory_check_domid(op->domid);
    return rc != 0 ? rc : -EOPNOTSUPP;  /* no domain has nodes */
}
