/* Suite "hostile": invalid arguments for every hypercall: numbers and commands that do not exist,
 * structures at addresses that cannot be read or must not be written. Each must return an error and
 * change nothing, and the domain must survive. Random arguments are in fuzz.c, requests that end
 * the domain in crash.c. */
#include <string.h>
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include <public/platform.h>
#include "mm.h"
#include "start.h"
#include "suite.h"

#define UNMAPPED 0xffffff0000001000ul

static void unknown_numbers(void)
{
    static const uint64_t numbers[] = { 44, 45, 46, 47, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 127,
                                        128, 255, 256, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
                                        0x100000000, 0x100000011, 1ul << 63, ~0ul };

    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        long rc = hypercall_raw(numbers[i], 0, 0, 0, 0, 0);

        EXPECT_MSG(rc == -XEN_ENOSYS, "number %#lx: %ld", numbers[i], rc);
        rc = hypercall_raw(numbers[i], ~0ul, UNMAPPED, ~0ul, 1, ~0ul);
        EXPECT_MSG(rc == -XEN_ENOSYS, "number %#lx with arguments: %ld", numbers[i], rc);
    }
}

/* In a multicall too, where each entry has its own result. */
static void unknown_numbers_in_multicall(void)
{
    struct multicall_entry calls[3] = {
        { .op = 63 }, { .op = ~0ul }, { .op = __HYPERVISOR_xen_version },
    };

    ASSERT_EQ(xen_multicall(calls, 3), 0);
    EXPECT_EQ(calls[0].result, -XEN_ENOSYS);
    EXPECT_EQ(calls[1].result, -XEN_ENOSYS);
    EXPECT_EQ(calls[2].result, xen_version(XENVER_version, NULL));
}

/* Hypercalls for a toolstack: the version of the interface is checked before the caller's
 * privilege. The versions are those of Xen 4.17, whose headers show two of them to tools only. */
static void control_calls(void)
{
    static const struct { uint64_t nr; uint32_t version; } calls[] = {
        { __HYPERVISOR_platform_op, XENPF_INTERFACE_VERSION },
        { __HYPERVISOR_sysctl, 0x15 },
        { __HYPERVISOR_domctl, 0x15 },
    };
    uint32_t op[64] = { 9999 };

    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        EXPECT_EQ(hypercall_raw(calls[i].nr, UNMAPPED, 0, 0, 0, 0), -XEN_EFAULT);
        op[1] = calls[i].version + 1;
        EXPECT_EQ(hypercall_raw(calls[i].nr, (uint64_t)op, 0, 0, 0, 0), -XEN_EACCES);
        op[1] = calls[i].version;
        op[2] = DOMID_SELF;                     /* a domctl names its domain by number */
        if (own_domid() != 0)
            EXPECT_EQ(hypercall_raw(calls[i].nr, (uint64_t)op, 0, 0, 0, 0),
                      i == 2 ? -XEN_ESRCH : -XEN_EPERM);
    }
    if (own_domid() == 0)
        SKIP("the rest is allowed to us");
    op[2] = own_domid();
    EXPECT_EQ(hypercall_raw(__HYPERVISOR_domctl, (uint64_t)op, 0, 0, 0, 0), -XEN_EPERM);
    op[2] = 0;
    EXPECT_EQ(hypercall_raw(__HYPERVISOR_domctl, (uint64_t)op, 0, 0, 0, 0), -XEN_EPERM);
    EXPECT_EQ(hypercall_raw(__HYPERVISOR_kexec_op, 0, UNMAPPED, 0, 0, 0), -XEN_EPERM);
    EXPECT_EQ(hypercall_raw(__HYPERVISOR_hypfs_op, 0, UNMAPPED, 0, 0, 0), -XEN_EPERM);
    EXPECT_EQ(hypercall_raw(__HYPERVISOR_arch_0, UNMAPPED, 0, 0, 0, 0), -XEN_EPERM);
    EXPECT_EQ(hypercall_raw(__HYPERVISOR_xenpmu_op, 0, UNMAPPED, 0, 0, 0), -XEN_EOPNOTSUPP);
}

/* Numbers of device interrupts exist, but none can be bound. */
static void device_interrupts(void)
{
    static uint64_t bits[512] __attribute__((aligned(PAGE_SIZE)));
    struct physdev_pirq_eoi_gmfn eoi = { .gmfn = ~0ul };
    struct physdev_irq_status_query query = { .irq = 30 };
    struct physdev_map_pirq map = { .domid = DOMID_SELF };
    struct physdev_unmap_pirq unmap = { .domid = DOMID_SELF };

    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_pirq_eoi_gmfn_v2, (void *)UNMAPPED), -XEN_EFAULT);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_pirq_eoi_gmfn_v2, &eoi), -XEN_EINVAL);
    eoi.gmfn = v2mfn(bits);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_pirq_eoi_gmfn_v2, &eoi), 0);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_pirq_eoi_gmfn_v2, &eoi), -XEN_EBUSY);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_pirq_eoi_gmfn_v1, &eoi), -XEN_EBUSY);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_irq_status_query, &query), 0);
    EXPECT_EQ(query.flags, XENIRQSTAT_needs_eoi);
    query.irq = 1u << 30;
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_irq_status_query, &query), -XEN_EINVAL);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_eoi, &query), -XEN_EINVAL);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_map_pirq, (void *)UNMAPPED), -XEN_EFAULT);
    map.domid = unmap.domid = 0x7abc;
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_map_pirq, &map), -XEN_ESRCH);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_unmap_pirq, &unmap), -XEN_ESRCH);
    if (own_domid() == 0)
        SKIP("the rest is allowed to us");
    map.domid = unmap.domid = DOMID_SELF;
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_map_pirq, &map), -XEN_EPERM);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_unmap_pirq, &unmap), -XEN_EPERM);
}

static void unknown_commands(void)
{
    static const struct {
        const char *name;
        uint8_t nr;
        uint64_t cmd;
        int rc;
    } calls[] = {
        { "event_channel_op", __HYPERVISOR_event_channel_op, 99, -XEN_ENOSYS },
        { "event_channel_op", __HYPERVISOR_event_channel_op, 0xffffffff, -XEN_ENOSYS },
        { "sched_op", __HYPERVISOR_sched_op, 99, -XEN_ENOSYS },
        { "vcpu_op", __HYPERVISOR_vcpu_op, 99, -XEN_ENOSYS },
        { "memory_op", __HYPERVISOR_memory_op, 63, -XEN_ENOSYS },
        { "xen_version", __HYPERVISOR_xen_version, 99, -XEN_ENOSYS },
        { "console_io", __HYPERVISOR_console_io, 99, -XEN_ENOSYS },
        { "callback_op", __HYPERVISOR_callback_op, 99, -XEN_ENOSYS },
        { "physdev_op", __HYPERVISOR_physdev_op, 999, -XEN_ENOSYS },
        { "nmi_op", __HYPERVISOR_nmi_op, 99, -XEN_ENOSYS },
        { "set_segment_base", __HYPERVISOR_set_segment_base, 99, -XEN_EINVAL },
        { "set_debugreg", __HYPERVISOR_set_debugreg, 99, -XEN_ENODEV },
        { "get_debugreg", __HYPERVISOR_get_debugreg, 99, -XEN_ENODEV },
    };

    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        long rc = hypercall_raw(calls[i].nr, calls[i].cmd, 0, 0, 0, 0);

        EXPECT_MSG(rc == calls[i].rc, "%s(%lu): %ld, expected %d", calls[i].name, calls[i].cmd, rc,
                   calls[i].rc);
    }
}

/* Argument `at` (1..3) is the address of a structure to read. The other arguments are such that it
 * is read. */
static const struct pointer_call {
    const char *name;
    uint8_t nr, at;
    uint64_t a[4];
} pointer_calls[] = {
    { "set_trap_table", __HYPERVISOR_set_trap_table, 0, { 0 } },
    { "mmu_update", __HYPERVISOR_mmu_update, 0, { 0, 1, 0, DOMID_SELF } },
    { "set_gdt", __HYPERVISOR_set_gdt, 0, { 0, 16 } },
    { "memory_op current", __HYPERVISOR_memory_op, 1, { XENMEM_current_reservation } },
    { "memory_op exchange", __HYPERVISOR_memory_op, 1, { XENMEM_exchange } },
    { "memory_op mapping", __HYPERVISOR_memory_op, 1, { XENMEM_machphys_mapping } },
    { "memory_op remove", __HYPERVISOR_memory_op, 1, { XENMEM_remove_from_physmap } },
    { "memory_op add", __HYPERVISOR_memory_op, 1, { XENMEM_add_to_physmap } },
    { "multicall", __HYPERVISOR_multicall, 0, { 0, 1 } },
    { "xen_version", __HYPERVISOR_xen_version, 1, { XENVER_extraversion } },
    { "xen_version features", __HYPERVISOR_xen_version, 1, { XENVER_get_features } },
    { "grant map", __HYPERVISOR_grant_table_op, 1, { GNTTABOP_map_grant_ref, 0, 1 } },
    { "grant unmap", __HYPERVISOR_grant_table_op, 1, { GNTTABOP_unmap_grant_ref, 0, 1 } },
    { "grant setup", __HYPERVISOR_grant_table_op, 1, { GNTTABOP_setup_table, 0, 1 } },
    { "grant copy", __HYPERVISOR_grant_table_op, 1, { GNTTABOP_copy, 0, 1 } },
    { "grant query", __HYPERVISOR_grant_table_op, 1, { GNTTABOP_query_size, 0, 1 } },
    { "vcpu runstate", __HYPERVISOR_vcpu_op, 2, { VCPUOP_get_runstate_info, 0 } },
    { "vcpu singleshot", __HYPERVISOR_vcpu_op, 2, { VCPUOP_set_singleshot_timer, 0 } },
    { "vcpu info", __HYPERVISOR_vcpu_op, 2, { VCPUOP_register_vcpu_info, 0 } },
    { "mmuext_op", __HYPERVISOR_mmuext_op, 0, { 0, 1, 0, DOMID_SELF } },
    { "sched_op shutdown", __HYPERVISOR_sched_op, 1, { SCHEDOP_shutdown } },
    { "sched_op poll", __HYPERVISOR_sched_op, 1, { SCHEDOP_poll } },
    { "callback register", __HYPERVISOR_callback_op, 1, { CALLBACKOP_register } },
    { "callback unregister", __HYPERVISOR_callback_op, 1, { CALLBACKOP_unregister } },
    { "nmi_op", __HYPERVISOR_nmi_op, 1, { XENNMI_register_callback } },
    { "evtchn send", __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_send } },
    { "evtchn close", __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_close } },
    { "evtchn status", __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_status } },
    { "evtchn alloc", __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_alloc_unbound } },
    { "evtchn bind", __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_bind_interdomain } },
    { "evtchn virq", __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_bind_virq } },
    { "evtchn ipi", __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_bind_ipi } },
    { "evtchn unmask", __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_unmask } },
    { "evtchn reset", __HYPERVISOR_event_channel_op, 1, { EVTCHNOP_reset } },
    { "physdev set_iopl", __HYPERVISOR_physdev_op, 1, { PHYSDEVOP_set_iopl } },
    { "physdev iobitmap", __HYPERVISOR_physdev_op, 1, { PHYSDEVOP_set_iobitmap } },
};

static void try_pointer(uint64_t va)
{
    for (unsigned i = 0; i < sizeof(pointer_calls) / sizeof(pointer_calls[0]); i++) {
        const struct pointer_call *c = &pointer_calls[i];
        uint64_t a[4];
        long rc;

        memcpy(a, c->a, sizeof(a));
        a[c->at] = va;
        if (!va && c->nr == __HYPERVISOR_set_trap_table)
            continue;                                   /* NULL is valid here: no handlers */
        rc = hypercall_raw(c->nr, a[0], a[1], a[2], a[3], 0);
        EXPECT_MSG(rc == -XEN_EFAULT, "%s at %#lx: %ld", c->name, va, rc);
    }
}

static void null_pointers(void)       { try_pointer(0); }
static void unmapped_pointers(void)   { try_pointer(UNMAPPED); }
static void low_pointers(void)        { try_pointer(0x7ffffffff000); }
/* The guest can read the M2P, but the hypervisor takes no arguments from there. */
static void hole_pointers(void)       { try_pointer(HOLE_START); }
static void hypervisor_pointers(void) { try_pointer(0xffff82d040000000); }
static void odd_hole_pointers(void)   { try_pointer(HOLE_START + 0x2003); }
static void hole_end_pointers(void)   { try_pointer(HOLE_END - 1); }
static void wild_pointers(void)       { try_pointer(0x8000000000000123); }
static void last_byte_pointers(void)  { try_pointer(~0ul); }

/* Structures that begin in a mapped page and end in an unmapped one. */
static void straddling_pointers(void)
{
    char *page = va_alloc(2);
    pfn_t pfn = frame_alloc();

    ASSERT_EQ(map_page(page, make_pte(pfn_to_mfn(pfn), PTE_KERNEL)), 0);
    try_pointer((uint64_t)page + PAGE_SIZE - 1);
    EXPECT_EQ(unmap_page(page), 0);
    frame_free(pfn);
}

/* Structures that are written back, at addresses that can only be read. */
static void read_only_results(void)
{
    static uint64_t page[512] __attribute__((aligned(4096)));

    ASSERT_EQ(frame_set_ro(v2p(page)), 0);
    EXPECT_EQ(xen_version(XENVER_extraversion, page), -XEN_EFAULT);
    EXPECT_EQ(xen_version(XENVER_get_features, page), -XEN_EFAULT);
    EXPECT_EQ(xen_vcpu_op(VCPUOP_get_runstate_info, 0, page), -XEN_EFAULT);
    EXPECT_EQ(xen_memory_op(XENMEM_machphys_mapping, page), -XEN_EFAULT);
    EXPECT_EQ(page[0] | page[1] | page[511], 0);
    ASSERT_EQ(frame_set_rw(v2p(page)), 0);
    page[0] = DOMID_SELF;                               /* the domain that status names */
    ASSERT_EQ(frame_set_ro(v2p(page)), 0);
    EXPECT_EQ(xen_event_channel_op(EVTCHNOP_status, page), -XEN_EFAULT);
    EXPECT_EQ(page[0], DOMID_SELF);
    ASSERT_EQ(frame_set_rw(v2p(page)), 0);
}

/* Counts whose product with a size does not fit. */
static void huge_counts(void)
{
    struct mmu_update req = { 0 };
    unsigned done = 0;
    long rc = xen_mmu_update(&req, 0x7fffffff, &done, DOMID_SELF);

    EXPECT_MSG(rc < 0, "mmu_update of many: %ld", rc);
    EXPECT(xen_multicall((void *)UNMAPPED, 0x7fffffff) < 0);
    EXPECT(xen_set_gdt((void *)UNMAPPED, 0x7fffffff) < 0);
    EXPECT(xen_set_gdt((void *)UNMAPPED, ~0u) < 0);
    EXPECT(xen_grant_table_op(GNTTABOP_map_grant_ref, (void *)UNMAPPED, 0x7fffffff) < 0);
    EXPECT(xen_grant_table_op(GNTTABOP_map_grant_ref, (void *)UNMAPPED, ~0u) < 0);
    EXPECT_EQ(done, 0);
}

static void wild_callbacks(void)
{
    struct callback_register cb = { .type = CALLBACKTYPE_event, .address = 0x8000000000000000 };
    struct trap_info t[2] = {
        { .vector = TRAP_UD, .cs = FLAT_KERNEL_CS, .address = 0x8000000000000000 },
    };

    EXPECT_EQ(xen_callback_op(CALLBACKOP_register, &cb), -XEN_EINVAL);
    cb.type = 99, cb.address = (uint64_t)event_entry;
    EXPECT(xen_callback_op(CALLBACKOP_register, &cb) < 0);
    EXPECT_EQ(xen_set_trap_table(t), -XEN_EINVAL);
    EXPECT_EQ(trap_callbacks_install(), 0);
    EXPECT_EQ(trap_table_install(), 0);
}

/* Random arguments for operations that are harmless if they succeed: the domain must survive. */
static void random_arguments(void)
{
    static const uint8_t numbers[] = {
        __HYPERVISOR_mmu_update, __HYPERVISOR_set_gdt, __HYPERVISOR_get_debugreg,
        __HYPERVISOR_update_descriptor, __HYPERVISOR_memory_op, __HYPERVISOR_xen_version,
        __HYPERVISOR_grant_table_op, __HYPERVISOR_mmuext_op, __HYPERVISOR_event_channel_op,
        __HYPERVISOR_callback_op, __HYPERVISOR_nmi_op,
    };
    uint64_t x = 88172645463325252;
    unsigned taken = 0;

    for (unsigned i = 0; i < 20000; i++) {
        uint64_t a[5];

        for (unsigned j = 0; j < 5; j++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            /* Small numbers, addresses that are not mapped, and words with all bits. No word is a
             * valid address. */
            a[j] = x % 3 == 0 ? x >> 58 : x % 3 == 1 ? UNMAPPED + (x >> 52 & 0xfff) : x | 1ul << 63;
        }
        if (numbers[i % sizeof(numbers)] == __HYPERVISOR_event_channel_op)
            a[1] = UNMAPPED;
        if (a[0] >= (uint64_t)image_start)
            a[0] &= ~(1ul << 62);
        taken += hypercall_raw(numbers[i % sizeof(numbers)], a[0], a[1], a[2], a[3], a[4]) >= 0;
    }
    test_diag("%u of 20000 calls did something", taken);
    EXPECT_EQ(xen_version(XENVER_version, NULL) > 0, 1);
    EXPECT_NO_FAULT(try_read64(image_start, NULL));
}

SUITE(hostile, 58, 0, TEST(unknown_numbers), TEST(unknown_numbers_in_multicall),
      TEST(unknown_commands), TEST(control_calls), TEST(device_interrupts), TEST(null_pointers),
      TEST(unmapped_pointers), TEST(low_pointers), TEST(hole_pointers), TEST(hypervisor_pointers),
      TEST(odd_hole_pointers), TEST(hole_end_pointers), TEST(wild_pointers),
      TEST(last_byte_pointers), TEST(straddling_pointers), TEST(read_only_results),
      TEST(huge_counts), TEST(wild_callbacks), TEST(random_arguments));
