/*
 * Suite "memory": memory_op: giving frames back, getting others, exchanging them, and what is said
 * about the machine's and the domain's memory. Every test leaves the domain with as many frames as
 * it had.
 */
#include <string.h>
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"

#define NR 4
#define UNMAPPED ((void *)0xffffff0000001000ul)

static long reservation(unsigned cmd, xen_pfn_t *list, uint64_t nr, unsigned order, domid_t dom)
{
    struct xen_memory_reservation op = { .nr_extents = nr, .extent_order = order, .domid = dom };

    set_xen_guest_handle(op.extent_start, list);
    return xen_memory_op(cmd, &op);
}

static long current_pages(void)
{
    domid_t self = DOMID_SELF;

    return xen_memory_op(XENMEM_current_reservation, &self);
}

/* Frames without their p2v() mapping: this kernel has no reference to them any more. */
static void allocate(pfn_t *pfns, xen_pfn_t *mfns, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        pfns[i] = frame_alloc();
        mfns[i] = pfn_to_mfn(pfns[i]);
        ASSERT_EQ(unmap_page(p2v(pfns[i])), 0);
    }
}

/* Makes mfn the frame of pfn, as M1 (mm.h) wants it, and gives the old frame back. */
static void adopt(pfn_t pfn, mfn_t mfn)
{
    ASSERT_EQ(map_page(p2v(pfn), make_pte(mfn, PTE_KERNEL)), 0);
    p2m_set(pfn, mfn);
    *(volatile uint64_t *)p2v(pfn) = mfn;
    EXPECT_EQ(*(volatile uint64_t *)p2v(pfn), mfn);
    frame_free(pfn);
}

static void give_and_populate(void)
{
    pfn_t pfns[NR];
    xen_pfn_t list[NR], old[NR];
    long before = current_pages();

    allocate(pfns, old, NR);
    memcpy(list, old, sizeof(list));
    ASSERT_EQ(reservation(XENMEM_decrease_reservation, list, NR, 0, DOMID_SELF), NR);
    EXPECT_EQ(current_pages(), before - NR);
    /* it is no longer ours, whatever the p2m says */
    EXPECT(map_page(p2v(pfns[0]), make_pte(old[0], PTE_KERNEL)) < 0);
    EXPECT(map_page(p2v(pfns[0]), make_pte(old[0], PTE_RO)) < 0);
    memcpy(list, pfns, sizeof(list));
    ASSERT_EQ(reservation(XENMEM_populate_physmap, list, NR, 0, DOMID_SELF), NR);
    EXPECT_EQ(current_pages(), before);
    for (unsigned i = 0; i < NR; i++) {
        adopt(pfns[i], list[i]);
        EXPECT_EQ(mfn_to_pfn(list[i]), pfns[i]);        /* the M2P was filled in for us */
    }
}

static void give_and_increase(void)
{
    pfn_t pfns[NR];
    xen_pfn_t list[NR];
    long before = current_pages();

    allocate(pfns, list, NR);
    ASSERT_EQ(reservation(XENMEM_decrease_reservation, list, NR, 0, DOMID_SELF), NR);
    ASSERT_EQ(reservation(XENMEM_increase_reservation, list, NR, 0, DOMID_SELF), NR);
    EXPECT_EQ(current_pages(), before);
    for (unsigned i = 0; i < NR; i++) {
        /* no pfn was given, so the guest fills in the M2P */
        EXPECT_EQ(mmu_set_cmd(list[i] << PAGE_SHIFT, pfns[i], MMU_MACHPHYS_UPDATE), 0);
        adopt(pfns[i], list[i]);
        EXPECT_EQ(mfn_to_pfn(list[i]), pfns[i]);
    }
}

/* Asks for frames below 4 GiB: there are some, wherever most of the machine's memory lies. */
static void populate_below(void)
{
    struct xen_memory_reservation op = { .nr_extents = 1, .domid = DOMID_SELF, .mem_flags = XENMEMF_address_bits(32) };
    pfn_t pfn;
    xen_pfn_t list[1];

    allocate(&pfn, list, 1);
    ASSERT_EQ(reservation(XENMEM_decrease_reservation, list, 1, 0, DOMID_SELF), 1);
    set_xen_guest_handle(op.extent_start, list);
    list[0] = pfn;
    op.mem_flags = XENMEMF_address_bits(12);            /* none has so few */
    EXPECT_EQ(xen_memory_op(XENMEM_populate_physmap, &op), 0);
    op.mem_flags = XENMEMF_address_bits(32);
    ASSERT_EQ(xen_memory_op(XENMEM_populate_physmap, &op), 1);
    EXPECT(list[0] < 1ul << 20);
    adopt(pfn, list[0]);
}

/* A frame that is still mapped is freed when the mapping is removed. */
static void give_while_mapped(void)
{
    pfn_t pfn = frame_alloc();
    xen_pfn_t list[1] = { pfn_to_mfn(pfn) };
    long before = current_pages();

    ASSERT_EQ(reservation(XENMEM_decrease_reservation, list, 1, 0, DOMID_SELF), 1);
    EXPECT_NO_FAULT(try_write64(p2v(pfn), 1));
    EXPECT_EQ(current_pages(), before);
    EXPECT_EQ(unmap_page(p2v(pfn)), 0);
    EXPECT_EQ(current_pages(), before - 1);
    list[0] = pfn;
    ASSERT_EQ(reservation(XENMEM_populate_physmap, list, 1, 0, DOMID_SELF), 1);
    adopt(pfn, list[0]);
}

/* The result counts the extents that were done: it stops at the first wrong one. */
static void wrong_frames(void)
{
    pfn_t pfn;
    xen_pfn_t list[3], wild = ~0ul;
    long before = current_pages();

    allocate(&pfn, list, 1);
    list[1] = 1ul << 40;
    list[2] = 0;
    EXPECT_EQ(reservation(XENMEM_decrease_reservation, &wild, 1, 0, DOMID_SELF), 0);
    EXPECT_EQ(reservation(XENMEM_decrease_reservation, list, 3, 0, DOMID_SELF), 1);
    EXPECT_EQ(current_pages(), before - 1);
    EXPECT_EQ(reservation(XENMEM_decrease_reservation, list, 0, 0, DOMID_SELF), 0);
    list[0] = pfn;
    ASSERT_EQ(reservation(XENMEM_populate_physmap, list, 1, 0, DOMID_SELF), 1);
    adopt(pfn, list[0]);
    EXPECT_EQ(current_pages(), before);
}

/* Nothing is done, and the result is 0 or an error. What the domain owns stays the same. */
static void wrong_arguments(void)
{
    static xen_pfn_t list[1];
    static const unsigned cmds[] = { XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                     XENMEM_populate_physmap };
    long before = current_pages();

    for (unsigned i = 0; i < 3; i++) {
        list[0] = ~0ul;
        EXPECT(reservation(cmds[i], list, 1, 0, NO_SUCH_DOMAIN) <= 0);
        EXPECT(reservation(cmds[i], list, 1, 60, DOMID_SELF) <= 0);
        EXPECT(reservation(cmds[i], list, 1, ~0u, DOMID_SELF) <= 0);
        EXPECT(reservation(cmds[i], list, ~0ul, 0, DOMID_SELF) <= 0);
        EXPECT(reservation(cmds[i], (void *)HOLE_START, 1, 0, DOMID_SELF) <= 0);
        EXPECT(xen_memory_op(cmds[i], UNMAPPED) <= 0);
        /* an increase may have been done before its list turns out to be unwritable */
        if (cmds[i] != XENMEM_increase_reservation)
            EXPECT(reservation(cmds[i], UNMAPPED, 1, 0, DOMID_SELF) <= 0);
    }
    EXPECT_EQ(current_pages(), before);
    EXPECT_EQ(xen_memory_op(63, UNMAPPED), -XEN_ENOSYS);
}

/* --- exchange --------------------------------------------------------------------------------- */

static long exchange(struct xen_memory_exchange *op, xen_pfn_t *in, uint64_t nr_in, xen_pfn_t *out,
                     uint64_t nr_out)
{
    memset(op, 0, sizeof(*op));
    op->in = (struct xen_memory_reservation){ .nr_extents = nr_in, .domid = DOMID_SELF };
    op->out = (struct xen_memory_reservation){ .nr_extents = nr_out, .domid = DOMID_SELF };
    set_xen_guest_handle(op->in.extent_start, in);
    set_xen_guest_handle(op->out.extent_start, out);
    return xen_memory_op(XENMEM_exchange, op);
}

static void exchange_frames(void)
{
    pfn_t pfns[2];
    xen_pfn_t in[2], out[2];
    struct xen_memory_exchange op;
    long before = current_pages();

    allocate(pfns, in, 2);
    out[0] = pfns[0], out[1] = pfns[1];
    EXPECT_EQ(exchange(&op, in, 2, out, 2), 0);
    EXPECT_EQ(op.nr_exchanged, 2);
    EXPECT_EQ(current_pages(), before);
    for (unsigned i = 0; i < 2; i++) {
        mfn_t mfn = op.nr_exchanged > i ? out[i] : in[i];

        adopt(pfns[i], mfn);
        EXPECT_EQ(mfn_to_pfn(mfn), pfns[i]);
    }
}

static void exchange_refused(void)
{
    pfn_t pfn = frame_alloc();
    xen_pfn_t in[1] = { pfn_to_mfn(pfn) }, out[1] = { pfn };
    struct xen_memory_exchange op;
    long before = current_pages();

    EXPECT(exchange(&op, in, 1, out, 1) < 0);           /* it is mapped */
    EXPECT_EQ(op.nr_exchanged, 0);
    EXPECT_EQ(exchange(&op, in, 1, out, 2), -XEN_EINVAL);
    in[0] = 1ul << 40;
    EXPECT(exchange(&op, in, 1, out, 1) < 0);
    EXPECT_EQ(op.nr_exchanged, 0);
    EXPECT(exchange(&op, UNMAPPED, 1, out, 1) < 0);
    EXPECT_EQ(exchange(&op, (void *)HOLE_START, 1, out, 1), -XEN_EFAULT);
    EXPECT_EQ(exchange(&op, in, 1, (void *)HOLE_START, 1), -XEN_EFAULT);
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, UNMAPPED), -XEN_EFAULT);
    EXPECT_EQ(current_pages(), before);
    EXPECT_NO_FAULT(try_write64(p2v(pfn), 1));
    frame_free(pfn);
}

/* --- queries ---------------------------------------------------------------------------------- */

static void reservation_queries(void)
{
    static const unsigned cmds[] = { XENMEM_current_reservation, XENMEM_maximum_reservation,
                                     XENMEM_maximum_gpfn };
    domid_t self = DOMID_SELF, own = own_domid(), none = NO_SUCH_DOMAIN;
    long now = xen_memory_op(XENMEM_current_reservation, &self);

    EXPECT(now > 0);
    EXPECT_EQ(xen_memory_op(XENMEM_current_reservation, &own), now);
    EXPECT(xen_memory_op(XENMEM_maximum_reservation, &self) >= now);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_EQ(xen_memory_op(cmds[i], &none), -XEN_ESRCH);
        EXPECT_EQ(xen_memory_op(cmds[i], UNMAPPED), -XEN_EFAULT);
    }
    EXPECT(xen_memory_op(XENMEM_maximum_ram_page, NULL) > 0);
}

/* Commands that the header shows to tools only. */
#define SHARING_FREED 18
#define SHARING_SHARED 19
#define CLAIM_PAGES 24
#define FROM_EXTENT(n) ((unsigned long)(n) << 6)        /* in the command; only for those that take extents */

/* A start extent is part of the command only for commands with extents; how the others answer
 * it. */
static void start_extents(void)
{
    static const unsigned simple[] = { XENMEM_maximum_ram_page, XENMEM_current_reservation,
                                       XENMEM_maximum_reservation, XENMEM_maximum_gpfn, XENMEM_exchange,
                                       XENMEM_remove_from_physmap, CLAIM_PAGES, XENMEM_get_vnumainfo };
    static const unsigned arch[] = { XENMEM_memory_map, XENMEM_machine_memory_map, XENMEM_machphys_mapping,
                                     XENMEM_set_memory_map, XENMEM_machphys_mfn_list, XENMEM_set_pod_target,
                                     XENMEM_get_pod_target, SHARING_FREED,
                                     SHARING_SHARED };
    static uint64_t arg[16];

    for (unsigned i = 0; i < sizeof(simple) / sizeof(simple[0]); i++) {
        arg[0] = DOMID_SELF;
        EXPECT_EQ(xen_memory_op(simple[i] | FROM_EXTENT(1), arg), -XEN_EINVAL);
        EXPECT_EQ(xen_memory_op(simple[i] | FROM_EXTENT(1), UNMAPPED), -XEN_EINVAL);
    }
    for (unsigned i = 0; i < sizeof(arch) / sizeof(arch[0]); i++)
        EXPECT_EQ(xen_memory_op(arch[i] | FROM_EXTENT(1), arg), -XEN_ENOSYS);
    EXPECT_EQ(xen_memory_op(SHARING_FREED, NULL), 0);
    EXPECT_EQ(xen_memory_op(SHARING_SHARED, NULL), 0);
}

/* Populate on demand, translated addresses, virtual NUMA: not for a domain like this one. */
static void not_for_us(void)
{
    static const unsigned cmds[] = { XENMEM_set_pod_target, XENMEM_get_pod_target, XENMEM_add_to_physmap,
                                     XENMEM_remove_from_physmap, XENMEM_get_vnumainfo };
    static const long refusals[] = { -XEN_EINVAL, -XEN_EINVAL, -XEN_EACCES, -XEN_EACCES, -XEN_EOPNOTSUPP };
    struct xen_pod_target pod = { .domid = DOMID_SELF };
    struct xen_add_to_physmap add = { .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info };
    struct xen_remove_from_physmap gone = { .domid = DOMID_SELF };
    struct xen_vnuma_topology_info vnuma = { .domid = DOMID_SELF };
    void *const args[] = { &pod, &pod, &add, &gone, &vnuma };

    for (unsigned i = 0; i < 5; i++) {
        EXPECT_EQ(xen_memory_op(cmds[i], args[i]), refusals[i]);
        EXPECT_EQ(xen_memory_op(cmds[i], UNMAPPED), -XEN_EFAULT);
    }
    pod.domid = NO_SUCH_DOMAIN;
    add.domid = gone.domid = vnuma.domid = NO_SUCH_DOMAIN;
    for (unsigned i = 0; i < 5; i++)
        EXPECT_EQ(xen_memory_op(cmds[i], args[i]), -XEN_ESRCH);
    vnuma.pad = 1;
    EXPECT_EQ(xen_memory_op(XENMEM_get_vnumainfo, &vnuma), -XEN_EINVAL);
    EXPECT_EQ(xen_memory_op(XENMEM_add_to_physmap | FROM_EXTENT(0x10000), UNMAPPED), -XEN_EDOM);
    add.space = XENMAPSPACE_gmfn_foreign;
    EXPECT_EQ(xen_memory_op(XENMEM_add_to_physmap, &add), -XEN_ENOSYS);
}

/* The checks of an exchange, in their order; nothing to do is no error, wherever the lists are. */
static void exchange_checks(void)
{
    struct xen_memory_exchange op = { .in = { .domid = DOMID_SELF }, .out = { .domid = DOMID_SELF } };

    set_xen_guest_handle(op.in.extent_start, (void *)HOLE_START);
    set_xen_guest_handle(op.out.extent_start, (void *)HOLE_START);
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), 0);
    op.in.nr_extents = op.out.nr_extents = op.nr_exchanged = 3;
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), 0);
    EXPECT_EQ(op.nr_exchanged, 3);
    op.nr_exchanged = 4;
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), -XEN_EINVAL);
    op.nr_exchanged = 0;
    op.in.domid = NO_SUCH_DOMAIN;
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), -XEN_EINVAL);    /* the two differ */
    op.out.domid = NO_SUCH_DOMAIN;
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), -XEN_EFAULT);
    set_xen_guest_handle(op.in.extent_start, UNMAPPED);
    set_xen_guest_handle(op.out.extent_start, UNMAPPED);
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), -XEN_ESRCH);
    op.in.nr_extents = op.out.nr_extents = 1ul << 32;
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), -XEN_ESRCH);
    op.in.extent_order = op.out.extent_order = 3;
    op.in.nr_extents = op.out.nr_extents = 1ul << 61;
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), -XEN_EINVAL);
    op.out.extent_order = 40;
    EXPECT_EQ(xen_memory_op(XENMEM_exchange, &op), -XEN_EPERM);
}

/* A domain may set its own memory map; then it reads that one. */
static void own_memory_map(void)
{
    struct entry { uint64_t addr, size; uint32_t type; } __attribute__((packed)) set[2] = {
        { 0, 1 << 20, 1 }, { 2 << 20, start_info->nr_pages << PAGE_SHIFT, 1 } }, got[3];
    struct xen_foreign_memory_map op = { .domid = DOMID_SELF, .map = { .nr_entries = 2 } };
    struct xen_memory_map map = { .nr_entries = 3 };

    set_xen_guest_handle(op.map.buffer, set);
    set_xen_guest_handle(map.buffer, got);
    ASSERT_EQ(xen_memory_op(XENMEM_set_memory_map, &op), 0);
    EXPECT_EQ(xen_memory_op(XENMEM_memory_map, &map), 0);
    EXPECT_EQ(map.nr_entries, 2);
    EXPECT_EQ(memcmp(set, got, sizeof(set)), 0);
    map.nr_entries = 1;
    EXPECT_EQ(xen_memory_op(XENMEM_memory_map, &map), 0);
    EXPECT_EQ(map.nr_entries, 1);
    set_xen_guest_handle(map.buffer, UNMAPPED);
    EXPECT_EQ(xen_memory_op(XENMEM_memory_map, &map), -XEN_EFAULT);
    op.map.nr_entries = 1025;
    EXPECT_EQ(xen_memory_op(XENMEM_set_memory_map, &op), -XEN_EINVAL);
    op.map.nr_entries = 1;
    op.domid = NO_SUCH_DOMAIN;
    EXPECT_EQ(xen_memory_op(XENMEM_set_memory_map, &op), -XEN_ESRCH);
    op.domid = DOMID_SELF;
    set_xen_guest_handle(op.map.buffer, UNMAPPED);
    EXPECT_EQ(xen_memory_op(XENMEM_set_memory_map, &op), -XEN_EFAULT);
    op.map.nr_entries = 0;
    EXPECT_EQ(xen_memory_op(XENMEM_set_memory_map, &op), 0);
    EXPECT_EQ(xen_memory_op(XENMEM_memory_map, &map), -XEN_ENOSYS);
}

static void memory_map(void)
{
    struct { uint64_t addr, size; uint32_t type; } __attribute__((packed)) map[16];
    struct xen_memory_map op = { .nr_entries = 16 };
    uint64_t ram = 0;
    long rc;

    set_xen_guest_handle(op.buffer, map);
    rc = xen_memory_op(XENMEM_memory_map, &op);
    if (rc == -XEN_ENOSYS)
        SKIP("no map: the guest is to assume one piece of memory");
    ASSERT_EQ(rc, 0);
    ASSERT(op.nr_entries >= 1 && op.nr_entries <= 16);
    EXPECT_EQ(map[0].addr, 0);
    EXPECT_EQ(map[0].type, 1);
    for (unsigned i = 0; i < op.nr_entries; i++) {
        ram += map[i].type == 1 ? map[i].size : 0;
        EXPECT(i == 0 || map[i].addr >= map[i - 1].addr + map[i - 1].size);
    }
    EXPECT(ram >= start_info->nr_pages << PAGE_SHIFT);
    set_xen_guest_handle(op.buffer, (void *)HOLE_START);
    EXPECT_EQ(xen_memory_op(XENMEM_memory_map, &op), -XEN_EFAULT);
}

static void machphys_mapping(void)
{
    struct xen_machphys_mapping map = { 0 };

    ASSERT_EQ(xen_memory_op(XENMEM_machphys_mapping, &map), 0);
    EXPECT(map.v_start >= HOLE_START && map.v_end <= HOLE_END && map.v_start < map.v_end);
    for (pfn_t pfn = 0; pfn < mem_pages(); pfn++)
        ASSERT(pfn_to_mfn(pfn) <= map.max_mfn);
    EXPECT(start_info->shared_info >> PAGE_SHIFT <= map.max_mfn);
    EXPECT_EQ(xen_memory_op(XENMEM_machphys_mapping, UNMAPPED), -XEN_EFAULT);
    EXPECT_FAULT(try_write64((void *)(map.v_start + 8 * pfn_to_mfn(0)), 0), TRAP_PF, ANY_ERROR);
}

static void machphys_mfn_list(void)
{
    static xen_pfn_t list[512];
    struct xen_machphys_mfn_list op = { .max_extents = 512 };
    unsigned all;
    long rc;

    set_xen_guest_handle(op.extent_start, list);
    rc = xen_memory_op(XENMEM_machphys_mfn_list, &op);
    if (rc == -XEN_ENOSYS)
        SKIP("the M2P is not given out by frames");
    ASSERT_EQ(rc, 0);
    all = op.nr_extents;
    EXPECT(all >= 1 && all <= 512);
    EXPECT(list[0] != 0);
    op.max_extents = 0;
    EXPECT_EQ(xen_memory_op(XENMEM_machphys_mfn_list, &op), 0);
    EXPECT_EQ(op.nr_extents, 0);
    op.max_extents = 512;
    set_xen_guest_handle(op.extent_start, UNMAPPED);
    EXPECT_EQ(xen_memory_op(XENMEM_machphys_mfn_list, &op), -XEN_EFAULT);
    EXPECT(map_page(va_alloc(1), make_pte(list[0], PTE_KERNEL)) < 0);   /* not to be written that way */
}

SUITE(memory, 54, 0, TEST(give_and_populate), TEST(give_and_increase), TEST(populate_below), TEST(give_while_mapped),
      TEST(wrong_frames), TEST(wrong_arguments), TEST(exchange_frames), TEST(exchange_refused),
      TEST(exchange_checks), TEST(start_extents), TEST(not_for_us),
      TEST(reservation_queries), TEST(memory_map), TEST(own_memory_map), TEST(machphys_mapping), TEST(machphys_mfn_list));
