/* memory_op: the reservation, address bits, the memory map, and what only domain 0 may. Not here:
 * exchanges (test_memory_exchange.c). */
#include "cmocka_main.h"
#include "memory_fixture.h"

static long domain_op(unsigned cmd, domid_t domid)
{
    return hcall_struct(__HYPERVISOR_memory_op, cmd, &domid, sizeof(domid));
}

static void reservation_shrinks_and_grows(void **state)
{
    uint64_t frames = d->nr_frames;
    struct xen_memory_reservation r;
    mfn_t gone;

    (void)state;
    gone = unmapped(FREE_PFN_VA);
    list_put(0, gone);
    /* no such frame: counted so far */
    list_put(1, 0x7fffffff);
    list_put(2, mfn_of_va(FREE_PFN_VA + PAGE_SIZE));
    assert_int_equal(reserve(XENMEM_decrease_reservation, extents(3, 0)), 1);
    assert_int_equal(d->nr_frames, frames - 1);
    assert_ptr_not_equal(frame_owner(mfn_to_frame(gone)), d);
    list_put(0, 4711);
    assert_int_equal(reserve(XENMEM_populate_physmap, extents(1, 0)), 1);
    assert_int_equal(d->nr_frames, frames);
    assert_int_equal(m2p_table[list_get(0)], 4711);
    assert_ptr_equal(frame_owner(mfn_to_frame(list_get(0))), d);
    d->max_frames = d->nr_frames + 2;
    /* the limit (XSA-385) */
    assert_int_equal(reserve(XENMEM_increase_reservation, extents(5, 0)), 2);
    /* too large an order */
    assert_int_equal(reserve(XENMEM_increase_reservation, extents(1, 10)), 0);
    /* no frame is left */
    assert_int_equal(reserve(XENMEM_increase_reservation | 3 << 6, extents(3, 0)), 3);
    r = extents(1, 0);
    r.domid = 77;
    assert_int_equal(reserve(XENMEM_decrease_reservation, r), 0);
    r = extents(~0u, 9);
    set_xen_guest_handle_raw(r.extent_start, (xen_pfn_t *)HOLE_START);
    assert_int_equal(reserve(XENMEM_populate_physmap, r), 0);
    assert_int_equal(domain_op(XENMEM_current_reservation, DOMID_SELF), d->nr_frames);
    assert_int_equal(domain_op(XENMEM_maximum_reservation, DOMID_SELF), d->max_frames);
    assert_int_equal(domain_op(XENMEM_maximum_reservation, 77), -ESRCH);
    assert_int_equal(hcall(__HYPERVISOR_memory_op, XENMEM_machine_memory_map, SCRATCH), -EPERM);
    assert_int_equal(hcall(__HYPERVISOR_memory_op, 63, SCRATCH), -ENOSYS);
}

static void memory_map_is_one_range(void **state)
{
    struct xen_memory_map map = { .nr_entries = 9 };
    struct { uint64_t addr, size; uint32_t type; } __attribute__((packed)) e;

    (void)state;
    set_xen_guest_handle_raw(map.buffer, (void *)LIST);
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_memory_map, &map, sizeof(map)), 0);
    assert_int_equal(map.nr_entries, 1);
    guest_get(&e, LIST, sizeof(e));
    assert_true(e.addr == 0 && e.size == d->max_frames << PAGE_SHIFT && e.type == 1);
    map.nr_entries = 0;
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_memory_map, &map, sizeof(map)), 0);
    assert_int_equal(map.nr_entries, 0);
}

/* Allocates all frames below the limit, while others are free above it; then allocation fails. */
static void address_bits_limit_frames(void **state)
{
    static const struct { unsigned bits; mfn_t end; } rows[] = {
        { 1, 0 }, { 12, 0 }, { 13, 0 }, { 31, 0 }, { 32, BELOW_4G }, { 33, 2 * BELOW_4G },
    };
    uint64_t high = nr_free_frames() - free_below(BELOW_4G);

    (void)state;
    assert_true(high > 0 && free_below(BELOW_4G) > 1000);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t there = free_below(rows[i].end), got = 0;
        struct xen_memory_reservation r = extents(1, 0);

        r.mem_flags = XENMEMF_address_bits(rows[i].bits);
        for (;; got++) {
            list_put(0, got);
            guest_put(SCRATCH, &r, sizeof(r));
            if (hypercall_table[__HYPERVISOR_memory_op](XENMEM_populate_physmap, SCRATCH, 0, 0, 0,
                                                        0) != 1)
                break;
            assert_true(list_get(0) < rows[i].end);
        }
        assert_int_equal(got, there);
        assert_int_equal(free_below(rows[i].end), 0);
    }
    assert_int_equal(nr_free_frames(), 0);
    audit();
}

/* The errors for an ordinary domain's requests that need privilege; other answers of memory_op are
 * in guest-pv/suites/memory.c. */
static void privileged_requests_are_refused(void **state)
{
    struct xen_memory_reservation claim = { .nr_extents = 1, .domid = 1 };
    struct xen_pod_target pod = { .domid = DOMID_SELF };
    struct domain *other = guest_make(2, 1);

    (void)state;
    assert_non_null(other);
    assert_int_equal(reserve(XENMEM_claim_pages, claim), -EPERM);
    claim.domid = DOMID_SELF;                           /* addressed by frame number */
    assert_int_equal(reserve(XENMEM_claim_pages, claim), -EINVAL);
    claim = (struct xen_memory_reservation){ .nr_extents = 1, .domid = 1, .extent_order = 1 };
    assert_int_equal(reserve(XENMEM_claim_pages, claim), -EINVAL);
    claim = extents(1, 0);
    claim.domid = 1;
    assert_int_equal(reserve(XENMEM_claim_pages, claim), -EINVAL);
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_get_pod_target, &pod, sizeof(pod)),
                     -EINVAL);
    pod.domid = 2;
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_set_pod_target, &pod, sizeof(pod)),
                     -EINVAL);
    pod.domid = 77;
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_set_pod_target, &pod, sizeof(pod)),
                     -ESRCH);
    assert_int_equal(domain_op(XENMEM_current_reservation, 2), -EPERM);
    assert_int_equal(domain_op(XENMEM_current_reservation | 1 << 6, 77), -EINVAL);
}

/* A memory map that the guest set is freed when it ends, as machine_down checks, or when it sets
 * another. */
static void guest_sets_its_memory_map(void **state)
{
    struct xen_foreign_memory_map set = { .domid = DOMID_SELF, .map.nr_entries = 300 };
    struct xen_memory_map map = { .nr_entries = 9 };
    uint64_t before = nr_free_frames();

    (void)state;
    set_xen_guest_handle_raw(set.map.buffer, (void *)LIST);
    set_xen_guest_handle_raw(map.buffer, (void *)LIST);
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_set_memory_map, &set, sizeof(set)),
                     0);
    assert_int_equal(nr_free_frames(), before - 2);
    set.map.nr_entries = 0;
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_set_memory_map, &set, sizeof(set)),
                     0);
    assert_int_equal(nr_free_frames(), before);
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_memory_map, &map, sizeof(map)),
                     -ENOSYS);
    set.map.nr_entries = 1;
    host_leave_free(0);
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_set_memory_map, &set, sizeof(set)),
                     -ENOMEM);
    host_free_taken();
    set.domid = 77;
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_set_memory_map, &set, sizeof(set)),
                     -ESRCH);
    set.domid = DOMID_SELF;
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_set_memory_map, &set, sizeof(set)),
                     0);
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_memory_map, &map, sizeof(map)), 0);
    assert_int_equal(map.nr_entries, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_memory_across_4g(address_bits_limit_frames),
        with_guest(reservation_shrinks_and_grows),
        with_guest(privileged_requests_are_refused),
        with_guest(memory_map_is_one_range),
        with_guest(guest_sets_its_memory_map),
    };

    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
