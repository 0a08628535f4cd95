/* The second file of suite "memory": what memory_op tells about the machine's and the domain's
 * memory. */
#include <string.h>
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"

#define UNMAPPED ((void *)0xffffff0000001000ul)

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
#define FROM_EXTENT(n) ((unsigned long)(n) << 6)        /* upper bits of a command */

/* Only commands with extents take a start extent in the upper bits; others refuse it or ignore
 * it. */
static void start_extents(void)
{
    static const unsigned simple[] = { XENMEM_maximum_ram_page, XENMEM_current_reservation,
                                       XENMEM_maximum_reservation, XENMEM_maximum_gpfn,
                                       XENMEM_exchange, XENMEM_remove_from_physmap, CLAIM_PAGES,
                                       XENMEM_get_vnumainfo };
    static const unsigned arch[] = { XENMEM_memory_map, XENMEM_machine_memory_map,
                                     XENMEM_machphys_mapping, XENMEM_set_memory_map,
                                     XENMEM_machphys_mfn_list, XENMEM_set_pod_target,
                                     XENMEM_get_pod_target, SHARING_FREED, SHARING_SHARED };
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

/* Commands that are not for an ordinary PV domain: populate on demand, translated addresses,
 * virtual NUMA. */
static void not_for_us(void)
{
    static const unsigned cmds[] = { XENMEM_set_pod_target, XENMEM_get_pod_target,
                                     XENMEM_add_to_physmap, XENMEM_remove_from_physmap,
                                     XENMEM_get_vnumainfo };
    static const long refusals[] = { -XEN_EINVAL, -XEN_EINVAL, -XEN_EACCES, -XEN_EACCES,
                                     -XEN_EOPNOTSUPP };
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

/* A domain may set its own memory map, which it then reads. */
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
    EXPECT(map_page(va_alloc(1), make_pte(list[0], PTE_KERNEL)) < 0);   /* read-only */
}

SUITE_PART(memory, 54, 1, TEST(start_extents), TEST(not_for_us), TEST(reservation_queries),
           TEST(memory_map), TEST(own_memory_map), TEST(machphys_mapping),
           TEST(machphys_mfn_list));
