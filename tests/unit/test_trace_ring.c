/* The trace's ring: its header and its blocks, losses when it wraps, and its memory. Not here: the
 * records (test_trace_calls.c and others), the ring as a host reads it (test_trace_host.c), whose
 * records are kept (test_trace_control.c), how they are shown (test_trace_show.c). */
#include <stdio.h>
#include <stdlib.h>
#include "cmocka_main.h"
#include "arch/arch.h"
#include "xen/core/alloc.h"
#include "xen/core/sched.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_show.h"
#include "xen/pv/hypercall_counts.h"
#include "trace_ring_fixture.h"

/* --- Off -------------------------------------------------------------------------------------- */
static void busy(void)
{
    struct evtchn_bind_ipi ipi = { .vcpu = 0 };

    (void)version();
    assert_int_equal(hcall_struct(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &ipi,
                                  sizeof(ipi)), 0);
    guest_put(SCRATCH, &ipi.port, 4);
    assert_int_equal(hcall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, SCRATCH), 0);
    become(b->vcpu[0]);
    become(a->vcpu[0]);
}

/* Without a ring nothing is written; with one, its memory stays as the allocator cleared it. */
static void trace_off_writes_nothing(void **state)
{
    uint64_t free = nr_free_frames();
    size_t said;

    (void)state;
    busy();
    assert_int_equal(trace_on, 0);
    assert_int_equal(nr_free_frames(), free);
    assert_null(trace_rings[0].slots);
    assert_int_equal(trace_header.state, TRACE_STATE_NONE);
    said = host.console_len;
    trace_show();
    trace_end();
    assert_int_equal(host.console_len, said);

    trace_boot((struct trace_config){ .size = 64 << 10, .wanted = true });
    assert_int_equal(nr_free_frames(), free - 16);
    assert_int_equal(trace_header.state, TRACE_STATE_RUNNING);
    busy();
    trace_show();
    assert_int_equal(trace_on, 0);
    assert_int_equal(trace_rings[0].records, 0);
    assert_int_equal(trace_header.rings[0].head, 0);
    for (unsigned i = 0; i < (64 << 10) / 8; i++)
        assert_int_equal(((uint64_t *)trace_rings[0].slots)[i], 0);
    trace_end();
    assert_int_equal(nr_free_frames(), free - 16);
    assert_int_equal(trace_late_frames(), 0);   /* it was never counted as free */
}

/* --- Blocks ----------------------------------------------------------------------------------- */
static void header_says_where_the_ring_is(void **state)
{
    const struct trace_header *h = &trace_header;

    (void)state;
    assert_int_equal((uintptr_t)h % PAGE_SIZE, 0);
    assert_int_equal(h->pa, 0);
    start(TRACE_HYPERCALL);
    assert_memory_equal(h->magic, "PARAGON-TRACE-01", 16);
    assert_int_equal(h->pa, arch_static_maddr(h));
    assert_int_equal(h->version, 2);
    assert_int_equal(h->state, TRACE_STATE_RUNNING);
    assert_int_equal(h->ram_end, max_mfn << PAGE_SHIFT);
    assert_int_equal(h->tsc_hz, arch_tsc_hz());
    assert_int_equal(h->block_bytes, 16384);
    assert_int_equal(h->nr_blocks, 4);
    assert_int_equal(h->nr_cpus, 1);
    assert_ptr_equal(mfn_to_virt(h->rings[0].pa >> PAGE_SHIFT), trace_rings[0].slots);
    assert_int_equal(h->rings[0].head, 1);
    for (unsigned i = 1; i < TRACE_MAX_CPUS; i++)
        assert_int_equal(h->rings[i].pa, 0);
}

/* The longest record has seven words: as many fit as the first two leave room for, and not one
 * more. */
static void ring_wraps_and_counts_losses(void **state)
{
    const unsigned per_block = (BLOCK_ROOM - BEGIN_BYTES) / WIDE_BYTES;
    /* a record of the classes as well */
    const unsigned in_first = (BLOCK_ROOM - BEGIN_BYTES - 4 * 4) / WIDE_BYTES;
    unsigned counters = 0;
    char says[80];

    (void)state;
    nr_wide = 0;
    start(TRACE_EMUL);
    assert_int_equal(per_block, 407);
    put_wide(in_first);
    assert_int_equal(trace_header.rings[0].head, 1);
    put_wide(1);
    assert_int_equal(trace_header.rings[0].head, 2);
    put_wide(per_block - 1 + 8 * per_block);
    assert_int_equal(trace_header.rings[0].head, 10);
    for (unsigned n = 7; n <= 10; n++) {
        const struct trace_block *block = slot((n - 1) % 4);

        assert_ptr_equal(block, (char *)trace_rings[0].slots + (n - 1) % 4 * 16384);
        assert_int_equal(block->number, n);
        assert_int_equal(block->first_record, in_first + 3 + (n - 2) * (per_block + 2));
        assert_int_equal(block->used, BEGIN_BYTES + per_block * WIDE_BYTES);
        assert_int_equal(block->cpu, 0);
        assert_int_equal(TRC_HD_TO_EVENT(block->records[0]), TRC_PARAGON_CLOCK);
        assert_int_equal(TRC_HD_TO_EVENT(block->records[10]), TRC_SCHED_CONTINUE_RUNNING);
        assert_int_equal(block->records[13], A0);
        assert_true(n == 7 || block->first_tsc > slot((n - 2) % 4)->first_tsc);
    }
    reader_follow(&reader);             /* it had seen three: CLOCK, who runs, the classes */
    assert_int_equal(reader.lost, in_first + 5 * (per_block + 2));
    assert_int_equal(reader.seen, 3 + 4 * (per_block + 2));
    for (unsigned i = next_seen; i < nr_seen; i++) {
        assert_int_equal(seen[i].words[0] + 1 + 2 * seen[i].block, seen[i].index);
        assert_int_equal(seen[i].words[1], ~seen[i].words[0]);
    }
    hypercalls_of_ended[17]++;
    for (unsigned nr = 0; nr < NR_HYPERCALLS; nr++)
        counters += hypercall_count(nr) != 0;
    trace_end();                        /* their counts begin another block */
    snprintf(says, sizeof(says), "Trace: %u records, the last %u are in the ring\n",
             in_first + 3 + 9 * (per_block + 2) + 2 + counters, 3 * (per_block + 2) + 2 + counters);
    assert_true(console_has(says));
}

/* Records of all lengths: none crosses a block's end, and none is lost to a reader that keeps
 * up. */
static void records_of_all_lengths_fit(void **state)
{
    static const uint32_t words[7] = { 1, 2, 3, 4, 5, 6, 7 };
    static const uint8_t bytes[64];
    unsigned records = 0;

    (void)state;
    start(TRACE_ALL);
    while (trace_header.rings[0].head < 40) {
        switch (host_random() % 6) {
        case 0:
            trace_put(TRACE_EVENT, TRC_PARAGON_UPCALL, words, 2);
            break;
        case 1:
            trace_put(TRACE_EVENT, TRC_PARAGON_SEND, words, 4);
            break;
        case 2:
            put_wide(1);
            break;
        case 3:
            trace_copy(TRC_PARAGON_COPY_IN, SCRATCH, bytes, 1 + host_random() % 20);
            break;
        case 4:
            trace_result(63, 0, trace_hypercall(63, (const uint64_t[6]){ 0 }, false));
            records += 2;
            break;
        default:
            trace_result(29, 0, trace_hypercall(29, (const uint64_t[6]){ 0 }, false));
            records++;
        }
        records++;
        reader_follow(&reader);
        nr_seen = 0;
    }
    assert_int_equal(reader.lost, 0);
    assert_int_equal(reader.seen, records + 2 * 40 + 1);
}

/* --- Memory ----------------------------------------------------------------------------------- */
static void without_memory_there_is_no_trace(void **state)
{
    (void)state;
    host_leave_free(15);              /* the smallest ring has sixteen frames */
    trace_domain(a, TRACE_ALL);
    assert_int_equal(trace_on, 0);
    assert_null(trace_rings[0].slots);
    assert_int_equal(trace_header.state, TRACE_STATE_NONE);
    assert_int_equal(nr_free_frames(), 15);
    assert_true(console_has("trace: no memory for its ring, it stays off"));
    (void)TRACED(__HYPERVISOR_xen_version, XENVER_version);
    trace_show();
    trace_end();
    host_free_taken();
    trace_domain(a, TRACE_ALL);         /* and then there is */
    assert_int_equal(trace_on, TRACE_ALL);
    assert_int_equal(trace_header.nr_blocks, 4);
}

/* The machine's RAM consists of pieces of 1 MiB: a ring of 16 MiB gets one. */
static void ring_shrinks_to_what_is_free(void **state)
{
    uint64_t free = nr_free_frames();

    (void)state;
    trace_config.size = 16 << 20;
    start(TRACE_EMUL);
    assert_int_equal(trace_header.nr_blocks, 64);
    assert_int_equal(nr_free_frames(), free - 256);
    put_wide(407 * 70);
    assert_int_equal(trace_header.rings[0].head, 70);
    nr_seen = next_seen = 0;
    reader.on_record = NULL;
    reader_follow(&reader);
    assert_true(reader.lost > 0);
}

/* Sizes between two powers of two are rounded down; sizes that are too small are raised to the
 * minimum. */
static void ring_sizes_are_rounded_down(void **state)
{
    static const struct { uint64_t bytes; unsigned blocks; } table[] = {
        { 0, 4 }, { 65536, 4 }, { 131071, 4 }, { 131072, 8 }, { 200000, 8 }, { 1 << 20, 64 },
    };
    uint64_t free = nr_free_frames();

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        trace_config.size = table[i].bytes;
        trace_domain(a, TRACE_EMUL);
        assert_int_equal(trace_header.nr_blocks, table[i].blocks);
        assert_int_equal(nr_free_frames(), free - table[i].blocks * 4);
        a->trace = 0;
        trace_end();
        assert_int_equal(trace_header.state, TRACE_STATE_ENDED);
        assert_int_equal(trace_header.rings[0].head, 1);
        /* the count of lost frames includes them */
        assert_int_equal(nr_free_frames() + trace_late_frames(), free);
        reader_drop_ring();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_trace(trace_off_writes_nothing),
        /* first, as its second ring is one from boot, and later ones are not */
        with_trace(header_says_where_the_ring_is),
        with_trace(ring_wraps_and_counts_losses),
        with_trace(records_of_all_lengths_fit),
        with_trace(without_memory_there_is_no_trace),
        with_trace(ring_shrinks_to_what_is_free),
        with_trace(ring_sizes_are_rounded_down),
    };

    return cmocka_run_group_tests_name("trace ring", tests, NULL, NULL);
}
