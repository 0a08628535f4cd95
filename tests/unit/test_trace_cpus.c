/* The trace of several CPUs on fake ones: each writes its own ring, they share the memory, all take
 * note of what is traced, and the records of a vCPU that moves are in order. Here one CPU runs at a
 * time; a record may be written by any of them at any time that the test chooses. The rings of one
 * CPU: test_trace_ring.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cmocka_main.h"
#include "xen/core/alloc.h"
#include "xen/core/request.h"
#include "xen/core/sched.h"
#include "xen/core/trace_show.h"
#include "xen/core/trace_sink.h"
#include "trace_ring_fixture.h"

#define MOST_CPUS 16u

static struct cpu **before, *own[MOST_CPUS];
static struct vcpu *idles_of[MOST_CPUS];
static void (*in_interrupt)(void);      /* called on the CPU that is asked, before it answers */
static unsigned asked;
static struct trace_reader readers[MOST_CPUS];

static void go_to(unsigned cpu)
{
    current = cpus[cpu]->running;
}

static void answer(unsigned cpu)
{
    struct vcpu *v = current;

    if (!(cpus[cpu]->requests & REQUEST_TRACE))
        return;
    asked++;
    go_to(cpu);
    if (in_interrupt != NULL)
        in_interrupt();
    serve_requests();
    current = v;
}

static void cpus_up(unsigned nr)
{
    host.on_ipi = answer;
    before = cpus;
    own[0] = cpus[0];
    for (unsigned i = 1; i < nr; i++) {
        own[i] = aligned_alloc(128, sizeof(struct cpu));
        assert_non_null(own[i]);
        memset(own[i], 0, sizeof(struct cpu));
        cpu_set_up(own[i], i);
        idles_of[i] = arch_vcpu_alloc();
        idles_of[i]->domain = &idle_domain;
        idles_of[i]->id = i;
        sched_init(own[i], idles_of[i]);
    }
    cpus = own;
    nr_cpus = sched_nr_cpus = nr;
    asked = 0;
    in_interrupt = NULL;
    for (unsigned i = 0; i < nr; i++) {
        reader_start(&readers[i], collect);
        readers[i].cpu = i;
    }
    nr_seen = next_seen = 0;
    trace_boot((struct trace_config){ .size = 1 << 20, .lines = 32 });
}

static void runs_untraced(unsigned cpu, struct vcpu *v)
{
    current = cpus[cpu]->running = v;
    v->cpu = cpus[cpu];
}

static void cpus_down(void)
{
    unsigned nr = nr_cpus;

    go_to(0);
    panic_depth = 0;
    in_interrupt = NULL;
    trace_end();
    a->trace = b->trace = 0;
    reader_drop_ring();
    runs_untraced(0, a->vcpu[0]);
    a->vcpu[1]->cpu = b->vcpu[0]->cpu = cpus[0];
    cpus = before;
    nr_cpus = sched_nr_cpus = 1;
    host.on_ipi = NULL;
    for (unsigned i = 1; i < nr; i++) {
        arch_vcpu_free(idles_of[i]);
        free(own[i]);
    }
}

/* v goes on on that CPU. */
static void runs(unsigned cpu, struct vcpu *v)
{
    struct vcpu *old;

    go_to(cpu);
    old = current;
    trace_runstate(old, RUNSTATE_running, RUNSTATE_runnable);
    trace_runstate(v, RUNSTATE_runnable, RUNSTATE_running);
    current = cpus[cpu]->running = v;
    v->cpu = cpus[cpu];
}

/* The records of that CPU that have not been seen yet, without those that begin a block. */
static const struct trace_record *next_of(unsigned cpu, unsigned *nr)
{
    unsigned first = nr_seen;

    reader_follow(&readers[cpu]);
    *nr = nr_seen - first;
    return &seen[first];
}

#define MUST_BE(r, e, ...)                                                                        \
    do {                                                                                          \
        const uint32_t w_[] = { __VA_ARGS__ };                                                    \
        assert_int_equal((r)->event, e);                                                          \
        assert_memory_equal((r)->words, w_, sizeof(w_));                                          \
    } while (0)

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

/* --- Printed records ------------------------------------------------------------------------- */
static void printed_records_are_in_order(void **state)
{
    const char *at, *line;
    uint32_t last = 0;
    unsigned found = 0;

    (void)state;
    cpus_up(3);
    trace_config.lines = 20;
    runs_untraced(1, a->vcpu[1]);
    runs_untraced(2, b->vcpu[0]);
    go_to(0);
    trace_domain(a, TRACE_TRAP);
    trace_domain(b, TRACE_TRAP);
    for (unsigned n = 0; n < 300; n++) {
        go_to(n < 285 ? n % 2 : 2 - n % 2);
        TRACE(TRACE_TRAP, TRC_PV_TRAP | TRC_64_FLAG, 0x1000 + n, 0, 3);
    }
    go_to(0);
    trace_show();
    at = strstr(host.console, "the last 20 of ");
    assert_non_null(at);
    while ((line = strstr(at, "trap 3 ")) != NULL) {
        const char *begin = line;
        uint32_t n = (uint32_t)strtoul(strstr(line, "rip ") + 4, NULL, 16) - 0x1000, cpu;

        while (*begin != '[')
            begin--;
        cpu = (uint32_t)strtoul(begin + 4, NULL, 10);
        assert_memory_equal(begin, "[cpu", 4);
        assert_int_equal(cpu, n < 285 ? n % 2 : 2 - n % 2);
        assert_memory_equal(begin + 5, cpu == 0 ? " d1v0 " : cpu == 1 ? " d1v1 " : " d2v0 ", 6);
        assert_int_equal(n, found == 0 ? 280 : last + 1);
        last = n;
        found++;
        at = line + 1;
    }
    assert_int_equal(found, 20);
}

/* Whatever is in the rings: the host may have written it. */
static void rubbish_is_not_followed(void **state)
{
    (void)state;
    cpus_up(2);
    trace_domain(a, TRACE_ALL);
    put_wide(407 * 20);
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned c = 0; c < 2; c++)
            for (unsigned i = 0; i < 16; i++) {
                struct trace_block *block = trace_slot(&trace_rings[c], i + 1);

                for (unsigned j = 0; round > 1 && j < BLOCK_ROOM / 4; j++)
                    block->records[j] = (uint32_t)host_random();
                block->used = round == 0 ? UINT32_MAX : (uint32_t)host_random() % 20000;
                if (round % 4 == 3)
                    block->number = host_random() % 3;
            }
        host.console_len = 0;
        trace_show();
    }
}

/* --- The end, and the port -------------------------------------------------------------------- */
static void the_end_counts_all_rings(void **state)
{
    uint64_t records = 0, counters = 0;
    char says[80];

    (void)state;
    cpus_up(4);
    trace_domain(a, TRACE_EMUL);
    runs(2, a->vcpu[1]);
    put_wide(50);
    go_to(0);
    trace_end();
    assert_int_equal(trace_header.state, TRACE_STATE_ENDED);
    for (unsigned c = 0; c < 4; c++) {
        assert_false(trace_rings[c].open);
        reader_follow(&readers[c]);
        records += trace_rings[c].records;
    }
    for (unsigned i = 0; i < nr_seen; i++)
        counters += seen[i].event == TRC_PARAGON_COUNTER;
    snprintf(says, sizeof(says), "Trace: %lu records, the last %lu are in the ring\n", records,
             records);
    assert_true(console_has(says));
    assert_true(records >= 4 * 3 + 50 + 2 + counters);
}

/* In a panic no other CPU answers. */
static void a_panic_asks_nobody(void **state)
{
    (void)state;
    cpus_up(3);
    trace_domain(a, TRACE_EMUL);
    asked = 0;
    panic_depth = 1;
    trace_end();
    panic_depth = 0;
    assert_int_equal(asked, 0);
    assert_int_equal(trace_header.state, TRACE_STATE_ENDED);
}

/* Each window is of one CPU, and has all of its records up to there: their numbers have no gap. */
static void the_port_gets_the_records_of_all(void **state)
{
    uint32_t next[3] = { 0 };
    size_t at = 0;

    (void)state;
    cpus_up(3);
    assert_true(trace_sink_parse("debugcon"));
    host.sink_len = 0;
    trace_domain(a, TRACE_EMUL);
    for (unsigned n = 0; n < 900; n++) {
        go_to(n % 3);
        put_wide(1);
    }
    go_to(0);
    trace_end();
    assert_true(host.sink_len < sizeof(host.sink));
    while (at < host.sink_len) {
        const uint32_t *w = (const uint32_t *)(host.sink + at), *p = w + 3,
                       *end = p + w[2] / 4;

        assert_int_equal(w[0], TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT);
        assert_in_range(w[1], 0, 2);
        assert_int_equal(TRC_HD_TO_EVENT(p[0]), TRC_PARAGON_CLOCK);
        assert_int_equal(p[3 + 4], TRACE_FORMAT_VERSION);
        assert_int_equal(p[3 + 5], 3);
        assert_int_equal(p[3 + 6], next[w[1]]);
        for (; p < end; next[w[1]]++)
            p += 1 + 2 * TRC_HD_INCLUDES_CYCLE_COUNT(*p) + TRC_HD_EXTRA(*p);
        assert_ptr_equal(p, end);
        at += 12 + w[2];
    }
    assert_int_equal(at, host.sink_len);
    for (unsigned c = 0; c < 3; c++)
        assert_int_equal(next[c], trace_rings[c].records);
}

/* Also after a failure. */
static int down(void **state)
{
    if (nr_cpus != 1)
        cpus_down();
    return trace_down(state);
}
#define with_cpus(test) cmocka_unit_test_setup_teardown(test, trace_up, down)

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
        with_cpus(printed_records_are_in_order),
        with_cpus(rubbish_is_not_followed),
        with_cpus(the_end_counts_all_rings),
        with_cpus(a_panic_asks_nobody),
        with_cpus(the_port_gets_the_records_of_all),   /* the port stays open */
    };

    return cmocka_run_group_tests_name("trace cpus", tests, NULL, NULL);
}
