/* The trace of several CPUs: each writes its own ring, they share the memory, all take note of what
 * is traced, and the records of a vCPU that moves are in order. What becomes of the records is in
 * test_trace_cpus_output.c, the rings of one CPU in test_trace_ring.c. */
#include <stdlib.h>
#include "trace_cpus_fixture.h"
#include "xen/core/alloc.h"

/* --- Rings ------------------------------------------------------------------------------------ */
static void rings_share_the_size(void **state)
{
    static const struct { unsigned cpus; uint64_t bytes; unsigned blocks; } table[] = {
        { 1, 1 << 20, 64 }, { 2, 1 << 20, 32 }, { 3, 1 << 20, 16 }, { 4, 1 << 20, 16 },
        { 16, 1 << 20, 4 }, { 16, 64 << 10, 4 }, { 2, 16 << 20, 64 },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        uint64_t free;

        cpus_up(table[i].cpus);
        free = nr_free_frames();
        trace_config.size = table[i].bytes;
        trace_domain(a, TRACE_EMUL);
        assert_int_equal(trace_header.nr_cpus, table[i].cpus);
        assert_int_equal(trace_header.nr_blocks, table[i].blocks);
        assert_int_equal(free - nr_free_frames(), table[i].cpus * table[i].blocks * 4);
        assert_int_equal(trace_late_frames(), table[i].cpus * table[i].blocks * 4);
        for (unsigned c = 0; c < table[i].cpus; c++)
            for (unsigned other = 0; other < c; other++)
                assert_true((size_t)labs((char *)trace_rings[c].slots -
                                         (char *)trace_rings[other].slots) >=
                            table[i].blocks * TRACE_BLOCK_BYTES);
        for (unsigned c = 0; c < TRACE_MAX_CPUS; c++)
            assert_int_equal(trace_header.rings[c].pa != 0, c < table[i].cpus);
        cpus_down();
    }
}

/* If there is no memory for all of them, none is kept. */
static void without_memory_there_is_no_ring(void **state)
{
    (void)state;
    cpus_up(4);
    host_leave_free(3 * 16 + 15);
    trace_domain(a, TRACE_ALL);
    assert_int_equal(trace_on, 0);
    assert_int_equal(nr_free_frames(), 3 * 16 + 15);
    for (unsigned c = 0; c < 4; c++)
        assert_null(trace_rings[c].slots);
    host_free_taken();
    trace_domain(a, TRACE_ALL);
    assert_int_equal(trace_header.nr_blocks, 16);
}

/* Every record carries the CPU that wrote it and how many it had written. */
static void each_cpu_writes_its_own_ring(void **state)
{
    uint32_t written[4] = { 0 };

    (void)state;
    cpus_up(4);
    for (unsigned c = 1; c < 4; c++)
        runs_untraced(c, c == 1 ? a->vcpu[1] : c == 2 ? b->vcpu[0] : cpus[c]->idle);
    trace_domain(a, TRACE_EMUL);
    trace_domain(b, TRACE_EMUL);
    for (unsigned c = 0; c < 4; c++) {
        reader_follow(&readers[c]);
        readers[c].on_record = NULL;
    }
    for (unsigned n = 0; n < 30000; n++) {
        unsigned c = (unsigned)host_random() % 4;
        const uint32_t words[7] = { c, written[c]++ };
        const struct trace_ring *r = &trace_rings[c];
        uint64_t records[4];

        for (unsigned i = 0; i < 4; i++)
            records[i] = trace_rings[i].records;
        go_to(c);
        trace_put(TRACE_EMUL, WIDE_EVENT, words, 7);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(i != c, records[i] == trace_rings[i].records);
        assert_int_equal(r->pos[-7], c);
        assert_true((char *)r->pos > (char *)r->slots);
        assert_true((char *)r->pos <= (char *)r->slots +
                                      trace_header.nr_blocks * TRACE_BLOCK_BYTES);
        if (n % 1000 == 999)
            for (unsigned i = 0; i < 4; i++)
                reader_follow(&readers[i]);
    }
    for (unsigned i = 0; i < 4; i++) {
        reader_follow(&readers[i]);
        assert_int_equal(readers[i].lost, 0);
        assert_true(readers[i].seen > written[i]);
        assert_int_equal(trace_rings[i].pos[-6], written[i] - 1);
    }
    assert_int_equal(readers[1].who, A1);
    assert_int_equal(readers[2].who, B0);
    assert_int_equal(readers[3].who, IDLE_WORD | 3);
}

/* --- What is traced --------------------------------------------------------------------------- */
static void every_cpu_notes_what_is_traced(void **state)
{
    static const uint32_t classes[] = { TRACE_EMUL, TRACE_EMUL | TRACE_TRAP, TRACE_TRAP, 0 };

    (void)state;
    cpus_up(4);
    for (unsigned i = 0; i < ARRAY_SIZE(classes); i++) {
        trace_domain(a, classes[i]);
        assert_int_equal(asked, 3 * (i + 1));
        for (unsigned c = 0; c < 4; c++) {
            unsigned nr;
            const struct trace_record *r = next_of(c, &nr);

            assert_int_equal(nr, 1);
            MUST_BE(r, TRC_PARAGON_CLASSES, classes[i]);
        }
    }
    trace_domain(b, 0);                 /* no change: nobody is asked */
    assert_int_equal(asked, 12);
}

static void write_before_the_answer(void)
{
    if (trace_on & TRACE_EMUL)
        put_wide(1);
}

/* A CPU that writes a record before it was asked, or after tracing was switched off: who runs, and
 * what is traced, stand before that record. */
static void a_record_may_come_before_the_request(void **state)
{
    (void)state;
    cpus_up(3);
    runs_untraced(1, b->vcpu[0]);
    go_to(0);
    in_interrupt = write_before_the_answer;
    trace_domain(b, TRACE_EMUL);
    for (unsigned c = 1; c < 3; c++) {
        unsigned nr;
        const struct trace_record *r = next_of(c, &nr);

        assert_int_equal(nr, 2);
        MUST_BE(&r[0], TRC_PARAGON_CLASSES, TRACE_EMUL);
        assert_int_equal(r[1].event, WIDE_EVENT);
        assert_int_equal(r[1].who, c == 1 ? B0 : IDLE_WORD | c);
    }
}

static void who_runs_is_known_again_after_a_pause(void **state)
{
    const struct trace_record *r;
    unsigned nr;

    (void)state;
    cpus_up(2);
    runs_untraced(1, b->vcpu[0]);
    go_to(0);
    trace_domain(a, TRACE_ALL);
    reader_follow(&readers[1]);
    assert_int_equal(readers[1].who, B0);
    trace_toggle();
    reader_follow(&readers[1]);
    runs_untraced(1, a->vcpu[1]);       /* nobody writes it down */
    go_to(0);
    in_interrupt = write_before_the_answer;
    trace_toggle();
    r = next_of(1, &nr);
    assert_int_equal(nr, 3);
    MUST_BE(&r[0], TRC_SCHED_CONTINUE_RUNNING, A1);
    MUST_BE(&r[1], TRC_PARAGON_CLASSES, TRACE_ALL);
    assert_int_equal(r[2].event, WIDE_EVENT);
    assert_int_equal(r[2].who, A1);
}

/* A record of a CPU that saw tracing on just before it was switched off, and writes afterwards. */
static void after_the_answer_nothing_is_written(void **state)
{
    uint64_t records;

    (void)state;
    cpus_up(2);
    runs_untraced(1, a->vcpu[1]);
    go_to(0);
    trace_domain(a, TRACE_EMUL);
    trace_domain(a, 0);
    records = trace_rings[1].records;
    go_to(1);
    TRACE(TRACE_EMUL, WIDE_EVENT, 1, 2, 3, 4, 5, 6, 7);
    assert_int_equal(trace_rings[1].records, records);
    assert_false(trace_rings[1].open);
}

/* --- Migration -------------------------------------------------------------------------------- */
static int by_tsc(const void *x, const void *y)
{
    const struct trace_record *r = x, *s = y;

    return r->tsc < s->tsc ? -1 : r->tsc > s->tsc;
}

/* A vCPU's calls on two CPUs: by their times they are in the order in which it made them. */
static void a_vcpu_that_moves_stays_in_order(void **state)
{
    uint32_t next = 0;

    (void)state;
    cpus_up(4);
    trace_domain(a, TRACE_EMUL);
    runs(0, cpus[0]->idle);
    for (unsigned n = 0; n < 2000; n++) {
        unsigned c = (unsigned)host_random() % 4;

        runs(c, a->vcpu[1]);
        put_wide(1);
        runs(c, cpus[c]->idle);
    }
    next_seen = nr_seen;
    nr_wide = 0;
    for (unsigned c = 0; c < 4; c++) {
        reader_follow(&readers[c]);
        assert_int_equal(readers[c].lost, 0);
    }
    qsort(seen, nr_seen, sizeof(seen[0]), by_tsc);
    for (unsigned i = 0; i < nr_seen; i++)
        if (seen[i].event == WIDE_EVENT) {
            assert_int_equal(seen[i].words[0], next == 0 ? seen[i].words[0] : next);
            assert_int_equal(seen[i].who, A1);
            next = seen[i].words[0] + 1;
        }
    assert_true(next >= 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_cpus(rings_share_the_size),
        with_cpus(without_memory_there_is_no_ring),
        with_cpus(each_cpu_writes_its_own_ring),
        with_cpus(every_cpu_notes_what_is_traced),
        with_cpus(a_record_may_come_before_the_request),
        with_cpus(who_runs_is_known_again_after_a_pause),
        with_cpus(after_the_answer_nothing_is_written),
        with_cpus(a_vcpu_that_moves_stays_in_order),
    };

    return cmocka_run_group_tests_name("trace cpus", tests, NULL, NULL);
}
