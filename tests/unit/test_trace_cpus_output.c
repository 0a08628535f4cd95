/* What becomes of the records of several CPUs: printed in order, counted at the end, and sent to a
 * port. Who writes which is in test_trace_cpus.c, the console's lines and ports of one CPU in
 * test_trace_show.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "trace_cpus_fixture.h"
#include "xen/core/trace_show.h"
#include "xen/core/trace_sink.h"

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

/* The hypervisor goes on with any contents of the rings, because the host can write to them. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_cpus(printed_records_are_in_order),
        with_cpus(rubbish_is_not_followed),
        with_cpus(the_end_counts_all_rings),
        with_cpus(a_panic_asks_nobody),
        with_cpus(the_port_gets_the_records_of_all),   /* the port stays open */
    };

    return cmocka_run_group_tests_name("trace cpus output", tests, NULL, NULL);
}
