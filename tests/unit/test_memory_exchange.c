/* XENMEM_exchange, and extents of several frames. */
#include "cmocka_main.h"
#include "memory_fixture.h"

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
                nr_refs(mfn_to_frame(mfn)->word) != 0;
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
    d->max_frames = d->nr_frames;                       /* no frame more may be needed */
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
    list_put(0, list_get(64));                          /* and the other way */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_memory_across_4g(address_bits_limit_extents_and_exchanges),
        cmocka_unit_test_setup_teardown(extent_is_found_among_pieces, across_4g, machine_down),
        with_guest(exchange_gives_and_takes_as_many),
    };

    return cmocka_run_group_tests_name("memory exchange", tests, NULL, NULL);
}
