/* Memory_op: how much memory a guest has, giving frames back and getting others, and what it may know of
 * the machine's memory. An ordinary domain speaks of itself only. The commands that take extents answer with
 * how many of them were done, never with an errno: fewer than asked is all that a guest learns of a failure
 * (public/memory.h). */
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

#define MEMOP_CMD_MASK 63u              /* the rest of cmd: the extent to start at, of reservation commands */
#define MEMOP_EXTENT_SHIFT 6
#define WORK_PER_EXTENT 200u
#define WORK_PER_FRAME 1200u            /* scrubbing it is most of that */

int memory_check_self(domid_t domid)
{
    const struct domain *d = domain_lookup(domid);

    return d == current->domain ? 0 : d != NULL || domain_exists(domid) ? -EPERM : -ESRCH;
}

mfn_t memory_give_frames(struct domain *d, unsigned order, unsigned mem_flags, pfn_t pfn)
{
    mfn_t mfn = alloc_domain_frames(d, order, XENMEMF_get_address_bits(mem_flags));

    if (mfn == INVALID_MFN)
        return mfn;
    for (mfn_t i = 0; i < 1ull << order; i++)
        m2p_table[mfn + i] = pfn == INVALID_M2P_ENTRY ? INVALID_M2P_ENTRY : pfn + i;
    return mfn;
}

/* One extent of each reservation command, under mm_lock; false: it could not be done, and no further one is
 * tried. list: where the extent's word is; only increase_reservation can do without a list. */
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
        release_domain_frame(f);    /* still mapped somewhere: it goes with the last mapping */
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

    if (copy_from_guest(&r, arg, sizeof(r)) != 0 || r.nr_extents > UINT32_MAX >> MEMOP_EXTENT_SHIFT ||
        start >= r.nr_extents || memory_check_self(r.domid) != 0 || r.extent_order > MAX_ORDER)
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

static long memory_increase_reservation(uint64_t arg, uint64_t start)
{
    return reservation(arg, start, increase_extent);
}

static long memory_decrease_reservation(uint64_t arg, uint64_t start)
{
    return reservation(arg, start, decrease_extent);
}

static long memory_populate_physmap(uint64_t arg, uint64_t start)
{
    return reservation(arg, start, populate_extent);
}

static long domain_number(uint64_t arg, uint64_t value)
{
    domid_t domid;
    int rc;

    if (copy_from_guest(&domid, arg, sizeof(domid)) != 0)
        return -EFAULT;
    rc = memory_check_self(domid);
    return rc != 0 ? rc : (long)value;
}

static long memory_current_reservation(uint64_t arg, uint64_t start)
{
    (void)start;
    return domain_number(arg, current->domain->nr_frames);
}

static long memory_maximum_reservation(uint64_t arg, uint64_t start)
{
    (void)start;
    return domain_number(arg, current->domain->max_frames);
}

static long memory_maximum_gpfn(uint64_t arg, uint64_t start)
{
    uint64_t max_pfn = READ_ONCE(current->domain->shared->arch.max_pfn);    /* the guest's own word */

    (void)start;
    return domain_number(arg, max_pfn ? max_pfn - 1 : 0);
}

static long memory_maximum_ram_page(uint64_t arg, uint64_t start)
{
    (void)arg, (void)start;
    return (long)max_mfn;
}

/* The M2P's frames, one entry for each 2 MiB of it, as the guest sees it mapped. */
static long memory_machphys_mfn_list(uint64_t arg, uint64_t start)
{
    mfn_t first = virt_to_mfn(m2p_table), per_extent = (2ul << 20) >> PAGE_SHIFT;
    uint64_t nr = (max_mfn * sizeof(*m2p_table) + (2ul << 20) - 1) >> 21;
    struct xen_machphys_mfn_list l;

    (void)start;
    if (copy_from_guest(&l, arg, sizeof(l)) != 0)
        return -EFAULT;
    l.nr_extents = (unsigned)MIN(nr, l.max_extents);
    for (unsigned i = 0; i < l.nr_extents; i++) {
        mfn_t mfn = first + i * per_extent;

        if (copy_to_guest((uint64_t)l.extent_start.p + 8ull * i, &mfn, sizeof(mfn)) != 0)
            return -EFAULT;
    }
    return copy_to_guest(arg, &l, sizeof(l));
}

static long memory_machphys_mapping(uint64_t arg, uint64_t start)
{
    struct xen_machphys_mapping m = { .v_start = MACH2PHYS_VIRT_START, .v_end = MACH2PHYS_VIRT_END,
                                      .max_mfn = MACH2PHYS_NR_ENTRIES - 1 };

    (void)start;
    return copy_to_guest(arg, &m, sizeof(m));
}

static long memory_zero(uint64_t arg, uint64_t start)
{
    (void)arg, (void)start;
    return 0;                           /* no page is shared between domains by content */
}

static long memory_privileged(uint64_t arg, uint64_t start)
{
    (void)arg, (void)start;
    return -EPERM;
}

/* For guests whose physical addresses the hypervisor translates. */
static long translated_only(domid_t domid)
{
    int rc = memory_check_self(domid);

    return rc != 0 ? rc : -EACCES;
}

static long memory_add_to_physmap(uint64_t arg, uint64_t start)
{
    struct xen_add_to_physmap add;

    if (start > UINT16_MAX)
        return -EDOM;
    if (copy_from_guest(&add, arg, sizeof(add)) != 0)
        return -EFAULT;
    return add.space == XENMAPSPACE_gmfn_foreign ? -ENOSYS : translated_only(add.domid);
}

static long memory_add_to_physmap_batch(uint64_t arg, uint64_t start)
{
    struct xen_add_to_physmap_batch add;

    if (start > UINT16_MAX)
        return -EDOM;
    if (copy_from_guest(&add, arg, sizeof(add)) != 0)
        return -EFAULT;
    return add.space == XENMAPSPACE_gmfn_range ? -EOPNOTSUPP : translated_only(add.domid);
}

static long memory_remove_from_physmap(uint64_t arg, uint64_t start)
{
    struct xen_remove_from_physmap gone;

    (void)start;
    return copy_from_guest(&gone, arg, sizeof(gone)) != 0 ? -EFAULT : translated_only(gone.domid);
}

/* Populate on demand, both commands: for domains that are no PV ones. */
static long memory_pod_target(uint64_t arg, uint64_t start)
{
    struct xen_pod_target pod;

    (void)start;
    if (copy_from_guest(&pod, arg, sizeof(pod)) != 0)
        return -EFAULT;
    return memory_check_self(pod.domid) == -ESRCH ? -ESRCH : -EINVAL;
}

/* A privilege, but what is wrong in itself is said first. The domain goes by its number here. */
static long memory_claim_pages(uint64_t arg, uint64_t start)
{
    struct xen_memory_reservation r;

    (void)start;
    if (copy_from_guest(&r, arg, sizeof(r)) != 0)
        return -EFAULT;
    if (r.extent_start.p != NULL || r.extent_order != 0 || r.mem_flags != 0 || !domain_exists(r.domid))
        return -EINVAL;
    return -EPERM;
}

static long memory_get_vnumainfo(uint64_t arg, uint64_t start)
{
    struct xen_vnuma_topology_info info;
    int rc;

    (void)start;
    if (copy_from_guest(&info, arg, sizeof(info)) != 0)
        return -EFAULT;
    if (info.pad != 0)
        return -EINVAL;
    rc = memory_check_self(info.domid);
    return rc != 0 ? rc : -EOPNOTSUPP;  /* no domain has nodes */
}

/* What the upper bits of the command, an extent to start at, are to a command. */
enum start { COUNTS, IS_WRONG, IS_UNKNOWN };

static const struct {
    long (*fn)(uint64_t arg, uint64_t start);
    enum start start;
} memory_table[] = {
    [XENMEM_increase_reservation] = { memory_increase_reservation, COUNTS },
    [XENMEM_decrease_reservation] = { memory_decrease_reservation, COUNTS },
    [XENMEM_maximum_ram_page] = { memory_maximum_ram_page, IS_WRONG },
    [XENMEM_current_reservation] = { memory_current_reservation, IS_WRONG },
    [XENMEM_maximum_reservation] = { memory_maximum_reservation, IS_WRONG },
    [XENMEM_machphys_mfn_list] = { memory_machphys_mfn_list, IS_UNKNOWN },
    [XENMEM_populate_physmap] = { memory_populate_physmap, COUNTS },
    [XENMEM_add_to_physmap] = { memory_add_to_physmap, COUNTS },
    [XENMEM_memory_map] = { memory_memory_map, IS_UNKNOWN },
    [XENMEM_machine_memory_map] = { memory_privileged, IS_UNKNOWN },
    [XENMEM_exchange] = { memory_exchange, IS_WRONG },
    [XENMEM_machphys_mapping] = { memory_machphys_mapping, IS_UNKNOWN },
    [XENMEM_set_memory_map] = { memory_set_memory_map, IS_UNKNOWN },
    [XENMEM_maximum_gpfn] = { memory_maximum_gpfn, IS_WRONG },
    [XENMEM_remove_from_physmap] = { memory_remove_from_physmap, IS_WRONG },
    [XENMEM_set_pod_target] = { memory_pod_target, IS_UNKNOWN },
    [XENMEM_get_pod_target] = { memory_pod_target, IS_UNKNOWN },
    [XENMEM_get_sharing_freed_pages] = { memory_zero, IS_UNKNOWN },
    [XENMEM_get_sharing_shared_pages] = { memory_zero, IS_UNKNOWN },
    [XENMEM_add_to_physmap_batch] = { memory_add_to_physmap_batch, COUNTS },
    [XENMEM_claim_pages] = { memory_claim_pages, IS_WRONG },
    [XENMEM_get_vnumainfo] = { memory_get_vnumainfo, IS_WRONG },
    [XENMEM_acquire_resource] = { memory_privileged, COUNTS },
};

long do_memory_op(unsigned long cmd, uint64_t arg)
{
    unsigned op = cmd & MEMOP_CMD_MASK;
    uint64_t start = cmd >> MEMOP_EXTENT_SHIFT;

    if (op >= ARRAY_SIZE(memory_table) || memory_table[op].fn == NULL)
        return -ENOSYS;
    if (start != 0 && memory_table[op].start != COUNTS)
        return memory_table[op].start == IS_WRONG ? -EINVAL : -ENOSYS;
    return memory_table[op].fn(arg, start);
}
