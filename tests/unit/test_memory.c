/* memory_op and multicall: extents are counted as they are done, exchanges happen whole or not at
 * all, and no member of an array affects the others. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <string.h>
#include "support.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/pv/hypercall_counts.h"
#include "xen/pv/hypercalls.h"

#define LIST (SCRATCH + 1024)
#define CALLS (SCRATCH + 2048)

static struct domain *d;

static int one_guest(void **state)
{
    machine_up(state);
    d = guest_make(1, 1);
    assert_non_null(d);
    host_become(d->vcpu[0]);
    return 0;
}

static struct xen_memory_reservation extents(unsigned nr, unsigned order)
{
    struct xen_memory_reservation r =
        { .nr_extents = nr, .extent_order = order, .domid = DOMID_SELF };

    set_xen_guest_handle_raw(r.extent_start, (xen_pfn_t *)LIST);
    return r;
}

static long reserve(unsigned cmd, struct xen_memory_reservation r)
{
    return hcall_struct(__HYPERVISOR_memory_op, cmd, &r, sizeof(r));
}

static void list_put(unsigned i, uint64_t value)
{
    guest_put(LIST + i * 8, &value, 8);
}

static uint64_t list_get(unsigned i)
{
    uint64_t value;

    guest_get(&value, LIST + i * 8, 8);
    return value;
}

/* Removes all mappings of the frame at va, so that only its owner's reference is left. */
static mfn_t unmapped(uint64_t va)
{
    mfn_t mfn = mfn_of_va(va);

    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, va, 0, UVMF_INVLPG), 0);
    return mfn;
}

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
    /* none is left */
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

#define BELOW_4G 0x100000u             /* in frames */

static int across_4g(void **state)
{
    (void)state;
    machine_up_at(BELOW_4G - 10 * 2 * CHUNK_FRAMES);    /* ten chunks below, six above */
    d = guest_make(1, 1);
    assert_non_null(d);
    host_become(d->vcpu[0]);
    d->max_frames = ~0ull >> 1;
    return 0;
}

static uint64_t free_below(mfn_t end)
{
    uint64_t n = 0;

    for (mfn_t mfn = 0; mfn < MIN(end, max_mfn); mfn++) {
        const struct frame *f = mfn_to_frame(mfn);

        n += f->owner == 0 && (f->count & FRAME_COUNT_MASK) == 0;
    }
    return n;
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

/* Larger extents, and exchanges; low memory is used last when there is no limit. */
static void address_bits_limit_extents_and_exchanges(void **state)
{
    struct xen_memory_reservation r = extents(1, 8);
    struct xen_memory_exchange x = { .in = extents(1, 0), .out = extents(1, 0) };
    uint64_t low = free_below(BELOW_4G);

    (void)state;
    r.mem_flags = XENMEMF_address_bits(32);
    list_put(0, 100);
    assert_int_equal(reserve(XENMEM_populate_physmap, r), 1);
    assert_true(list_get(0) + 256 <= BELOW_4G);
    assert_int_equal(free_below(BELOW_4G), low - 256);
    assert_int_equal(reserve(XENMEM_increase_reservation, extents(1, 0)), 1);
    assert_true(list_get(0) >= BELOW_4G);
    x.out.mem_flags = XENMEMF_address_bits(32);
    set_xen_guest_handle_raw(x.out.extent_start, (xen_pfn_t *)(LIST + 64 * 8));
    list_put(64, 4711);
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_exchange, &x, sizeof(x)), 0);
    assert_true(list_get(64) < BELOW_4G);
    assert_int_equal(free_below(BELOW_4G), low - 257);
}

/* The errors for an ordinary domain's requests that need privilege; other answers of memory_op are
 * in guest-pv/suites/memory.c. */
static void refuses_what_only_domain_0_may(void **state)
{
    struct xen_memory_reservation claim = { .nr_extents = 1, .domid = 1 };
    struct xen_pod_target pod = { .domid = DOMID_SELF };
    struct domain *other = guest_make(2, 1);

    (void)state;
    assert_non_null(other);
    assert_int_equal(reserve(XENMEM_claim_pages, claim), -EPERM);
    claim.domid = DOMID_SELF;                           /* it goes by number */
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

/* If there is a free block of its size anywhere, an extent is found, whatever smaller blocks lie in
 * higher memory. */
static void extent_is_found_among_pieces(void **state)
{
    unsigned whole = 0, got = 0;

    (void)state;
    for (mfn_t chunk = BELOW_4G - 20 * CHUNK_FRAMES; chunk < max_mfn; chunk += 2 * CHUNK_FRAMES) {
        unsigned used = 0;

        for (mfn_t mfn = chunk; mfn < chunk + CHUNK_FRAMES; mfn++)
            used += mfn_to_frame(mfn)->owner != 0 ||
                (mfn_to_frame(mfn)->count & FRAME_COUNT_MASK) != 0;
        whole += used == 0;
    }
    assert_true(whole > 2 && nr_free_frames() - free_below(BELOW_4G) > 0);
    while (reserve(XENMEM_increase_reservation, extents(1, CHUNK_ORDER)) == 1)
        got++;
    assert_int_equal(got, whole);
}

static long exchange(struct xen_memory_exchange *x, unsigned in, unsigned in_order, unsigned out,
                     unsigned out_order)
{
    *x = (struct xen_memory_exchange){
        .in = extents(in, in_order), .out = extents(out, out_order),
    };
    set_xen_guest_handle_raw(x->out.extent_start, (xen_pfn_t *)(LIST + 64 * 8));
    return hcall_struct(__HYPERVISOR_memory_op, XENMEM_exchange, x, sizeof(*x));
}

static void exchange_gives_and_takes_as_many(void **state)
{
    struct xen_memory_exchange x;
    uint64_t frames = d->nr_frames;
    mfn_t old[4];

    (void)state;
    d->max_frames = d->nr_frames;                       /* none may be needed on top */
    for (unsigned i = 0; i < 4; i++) {
        list_put(i, old[i] = unmapped(FREE_PFN_VA + i * PAGE_SIZE));
        list_put(64 + i, 100 + 4 * i);
    }
    assert_int_equal(exchange(&x, 4, 0, 1, 2), 0);      /* four single frames for one of four */
    assert_int_equal(x.nr_exchanged, 4);
    assert_int_equal(d->nr_frames, frames);
    assert_int_equal(list_get(64) & 3, 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_ptr_equal(frame_owner(mfn_to_frame(list_get(64) + i)), d);
        assert_int_equal(m2p_table[list_get(64) + i], 100 + i);
    }
    list_put(0, list_get(64));                          /* and back */
    for (unsigned i = 0; i < 4; i++)
        list_put(64 + i, 200 + i);
    assert_int_equal(exchange(&x, 1, 2, 4, 0), 0);
    assert_int_equal(x.nr_exchanged, 1);
    assert_int_equal(m2p_table[list_get(64 + 3)], 203);

    for (unsigned i = 0; i < 4; i++)
        list_put(i, list_get(64 + i));
    list_put(2, list_get(1));   /* freed with the first chunk when the second comes to it */
    assert_int_equal(exchange(&x, 4, 0, 2, 1), -EINVAL);
    assert_int_equal(x.nr_exchanged, 2);
    list_put(0, list_get(3));
    list_put(1, list_get(3));                           /* twice in one chunk */
    assert_int_equal(exchange(&x, 2, 0, 1, 1), -EINVAL);
    assert_int_equal(x.nr_exchanged, 0);
    list_put(0, mfn_of_va(SCRATCH));                    /* still mapped */
    assert_int_equal(exchange(&x, 1, 0, 1, 0), -EINVAL);
    assert_int_equal(exchange(&x, 1, 10, 1, 10), -EPERM);
    assert_int_equal(exchange(&x, 3, 0, 1, 1), -EINVAL);
    assert_int_equal(d->nr_frames, frames);
    list_put(0, list_get(67));
    host_leave_free(0);
    x = (struct xen_memory_exchange){ .in = extents(1, 0), .out = extents(1, 0) };
    guest_put(SCRATCH, &x, sizeof(x));
    assert_int_equal(hypercall_table[__HYPERVISOR_memory_op](XENMEM_exchange, SCRATCH, 0, 0, 0, 0),
                     -ENOMEM);
    host_free_taken();
    audit();
}

static void put_call(unsigned i, uint64_t op, uint64_t a, uint64_t b)
{
    struct multicall_entry e = { .op = op, .args = { a, b }, .result = 0x5555 };

    guest_put(CALLS + i * sizeof(e), &e, sizeof(e));
}

static long result_of(unsigned i)
{
    struct multicall_entry e;

    guest_get(&e, CALLS + i * sizeof(e), sizeof(e));
    return (long)e.result;
}

static void multicall_makes_each_call(void **state)
{
    uint64_t counted = hypercall_counts[__HYPERVISOR_xen_version];

    (void)state;
    put_call(0, __HYPERVISOR_xen_version, XENVER_version, 0);
    put_call(1, __HYPERVISOR_multicall, CALLS, 1);
    put_call(2, 4711, 0, 0);
    put_call(3, 63, 0, 0);
    put_call(4, __HYPERVISOR_xen_version, XENVER_version, 0);
    assert_int_equal(hcall(__HYPERVISOR_multicall, CALLS, 5), 0);
    assert_true(result_of(0) > 0);
    assert_int_equal(result_of(1), -EINVAL);
    assert_int_equal(result_of(2), -ENOSYS);
    assert_int_equal(result_of(3), -ENOSYS);
    assert_int_equal(result_of(4), result_of(0));
    assert_int_equal(hypercall_counts[__HYPERVISOR_xen_version] - counted, 2);
    assert_int_equal(hcall(__HYPERVISOR_multicall, HOLE_START, 1), -EFAULT);
    assert_int_equal(hcall(__HYPERVISOR_multicall, 0x1000, 1), -EFAULT);
    assert_int_equal(hcall(__HYPERVISOR_multicall, CALLS, 0), 0);
    assert_false(d->vcpu[0]->in_multicall);
}

/* Sorted by count, equal ones by number; calls that are not served come last, in one line. */
static void counts_are_shown_sorted(void **state)
{
    static const char expected[] =
        "(XEN) Hypercalls by number of calls (members of a multicall count as well):\n"
        "(XEN)          900 iret\n"
        "(XEN)           70 memory_op\n"
        "(XEN)           70 event_channel_op\n"
        "(XEN)            1 set_trap_table\n"
        "(XEN)            5 of numbers that are not served\n";
    char shown[sizeof(expected)], *out = shown;
    size_t before = host.console_len;

    (void)state;
    memset(hypercall_counts, 0, sizeof(hypercall_counts));
    hypercall_counts[__HYPERVISOR_set_trap_table] = 1;
    hypercall_counts[__HYPERVISOR_memory_op] = hypercall_counts[__HYPERVISOR_event_channel_op] = 70;
    hypercall_counts[__HYPERVISOR_iret] = 900;
    hypercall_counts[60] = 2;
    hypercall_counts[61] = 3;
    hypercalls_report();
    for (const char *in = host.console + before; *in != '\0' && out < shown + sizeof(shown) - 1;
         in++)
        if (*in != '\r')
            *out++ = *in;
    *out = '\0';
    assert_string_equal(shown, expected);
}

/* Calls after an iret in an array are not made (XSA-213). */
static void multicall_ends_at_iret(void **state)
{
    uint64_t frame[8] = { 99, 0, 0, 0, GUEST_BASE, 0xe030, 0x200, SCRATCH };

    (void)state;
    guest_put(SCRATCH + 512, frame, sizeof(frame));
    guest_regs(current)->rsp = SCRATCH + 512;
    put_call(0, __HYPERVISOR_iret, 0, 0);
    put_call(1, __HYPERVISOR_xen_version, XENVER_version, 0);
    assert_int_equal(hcall(__HYPERVISOR_multicall, CALLS, 2), 99);
    assert_int_equal(result_of(1), 0x5555);
}

#define with_guest(test) cmocka_unit_test_setup_teardown(test, one_guest, machine_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(address_bits_limit_frames, across_4g, machine_down),
        cmocka_unit_test_setup_teardown(address_bits_limit_extents_and_exchanges, across_4g,
                                        machine_down),
        cmocka_unit_test_setup_teardown(extent_is_found_among_pieces, across_4g, machine_down),
        with_guest(reservation_shrinks_and_grows),
        with_guest(refuses_what_only_domain_0_may),
        with_guest(memory_map_is_one_range),
        with_guest(guest_sets_its_memory_map),
        with_guest(exchange_gives_and_takes_as_many),
        with_guest(multicall_makes_each_call),
        with_guest(counts_are_shown_sorted),
        with_guest(multicall_ends_at_iret),
    };

    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
