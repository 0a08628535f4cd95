/* The trace on the console, and as a file on another port. */
#include <stdio.h>
#include "cmocka_main.h"
#include "xen/core/bug.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_show.h"
#include "xen/core/trace_sink.h"
#include "xen/pv/hypercall_counts.h"
#include "trace_ring_fixture.h"

/* --- On the console --------------------------------------------------------------------------- */
static void put_call(unsigned i, uint64_t nr, uint64_t x, uint64_t y)
{
    struct multicall_entry e = { .op = nr, .args = { x, y } };

    guest_put(SCRATCH + 2048 + i * sizeof(e), &e, sizeof(e));
}

/* What was printed since then. */
static const char *shown(size_t since)
{
    return host.console + since;
}

static unsigned lines_of(const char *text)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, "[d")) != NULL; p++)
        n++;
    return n;
}

/* Run last: a machine panics once. */
static void panic_shows_the_trace(void **state)
{
    (void)state;
    start(TRACE_ALL);
    (void)version();
    if (HOST_CATCH_END() == 0)
        panic("on purpose");
    assert_true(console_has("on purpose"));
    assert_true(console_has("Trace: the last "));
    assert_true(console_has("] xen_version(XENVER_version, NULL) = "));
    assert_int_equal(trace_header.state, TRACE_STATE_ENDED);
}

static void records_are_shown_as_lines(void **state)
{
    static const char *const lines[] = {
        "] xen_version(XENVER_version, NULL) = 262161 <7>\n",
        "] mmu_update(0xffffffff80010000, 0, NULL, DOMID_SELF) = 0 <",
        "] multicall(0xffffffff80010800, 2)\n[d1v0 0.0000",
        "]     hypercall_63(0x1, 0x2, NULL) = -38 <",
        "]     xen_version(XENVER_pagesize, NULL) = 4096 <7>\n",
        "] ... multicall = 0 <",
        "] vm_assist(VMASST_CMD_enable, 77) = -22 <",
        "] hypercall_4711(NULL, NULL, NULL) = -38 <",
        "] set_timer_op(-1) = 0 <",
        "] page fault at 1234567890 [0003] rip ffffffff80000300\n",
        "] trap 13 [0018] rip ffffffff80000300\n",
        "] event from VIRQ 1 to d1v1 port 7\n",
        "] upcall\n",
        "] emulated at rip ffffffff80000300\n",
        "] store to page table at 7000: 8067 rip ffffffff80000300\n",
    };
    const char *at;
    size_t since;

    (void)state;
    start(TRACE_ALL & ~TRACE_ARGS);
    (void)version();
    (void)TRACED(__HYPERVISOR_mmu_update, SCRATCH, 0, 0, DOMID_SELF);
    put_call(0, 63, 1, 2);
    put_call(1, __HYPERVISOR_xen_version, XENVER_pagesize, 0);
    (void)TRACED(__HYPERVISOR_multicall, SCRATCH + 2048, 2);
    (void)TRACED(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 77);
    (void)TRACED(4711, 0);
    (void)TRACED(__HYPERVISOR_set_timer_op, ~0ull);
    TRACE(TRACE_TRAP, TRC_PV_PAGE_FAULT | TRC_64_FLAG, V64(0xffffffff80000300), V64(0x1234567890),
          3);
    TRACE(TRACE_TRAP, TRC_PV_TRAP | TRC_64_FLAG, V64(0xffffffff80000300),
          13 | 1 << 15 | 0x18 << 16);
    TRACE(TRACE_EVENT, TRC_PARAGON_SEND, TRACE_SEND_VIRQ, 1, A1, 7);
    TRACE(TRACE_EVENT, TRC_PARAGON_UPCALL, V64(0xffffffff80000500));
    trace_emulated(TRC_PV_EMULATE_PRIVOP, 0xffffffff80000300, (const uint8_t *)"\x0f\x06", 2);
    TRACE(TRACE_EMUL, TRC_PV_PTWR_EMULATION | TRC_64_FLAG, V64(0x8067), V64(0x7000),
          V64(0xffffffff80000300));
    since = host.console_len;
    trace_show();
    at = shown(since);
    assert_non_null(strstr(at, "Trace: the last 14 of "));
    for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
        const char *found = strstr(at, lines[i]);

        if (found == NULL)
            fail_msg("\"%s\" is not in, or not behind:\n%s", lines[i], at);
        at = found;
    }
    assert_int_equal(lines_of(shown(since)), ARRAY_SIZE(lines));
}

/* The oldest lines are left out, whole; and lines come from blocks before the last, if that has
 * few. */
static void last_lines_are_shown(void **state)
{
    char want[64];
    size_t since;

    (void)state;
    trace_config.lines = 5;
    start(TRACE_HYPERCALL);
    for (unsigned i = 0; i < 7000; i++) {
        (void)hypercall_traced(63, (const uint64_t[6]){ i });
        if (i % 37 != 0 && trace_header.rings[0].head * TRACE_BLOCK_BYTES < 90000)
            continue;
        since = host.console_len = 0;
        trace_show();
        assert_int_equal(lines_of(shown(since)), MIN(i + 1, 5u));
        snprintf(want, sizeof(want), "hypercall_63(0x%x, NULL, NULL) = -38 <", i);
        assert_true(i == 0 || console_has(want));
        snprintf(want, sizeof(want), "hypercall_63(0x%x, NULL, NULL) = -38 <", i - 4);
        assert_true(i < 5 || console_has(want));
        snprintf(want, sizeof(want), "hypercall_63(0x%x, NULL, NULL)", i - 5);
        assert_false(i > 5 && console_has(want));
        assert_false(console_has("..."));
        if (trace_header.rings[0].head > 8)
            break;
    }
    assert_true(trace_header.rings[0].head > 8);        /* the ring has wrapped */
    trace_config.lines = 0;
    host.console_len = 0;
    trace_show();
    assert_int_equal(lines_of(shown(0)), 0);
    trace_config.lines = 100000;        /* more lines than there are: all are shown */
    host.console_len = 0;
    trace_show();
    assert_true(lines_of(shown(0)) > 300);
}

/* A call that has not ended is shown without a result; it comes later on a line of its own, and
 * never on another guest's. */
static void late_results_are_shown_on_their_own_line(void **state)
{
    uint64_t asleep, awake;
    const char *at;

    (void)state;
    trace_domain(b, TRACE_HYPERCALL);
    start(TRACE_HYPERCALL);
    asleep = trace_hypercall(__HYPERVISOR_sched_op, (const uint64_t[6]){ SCHEDOP_block }, false);
    become(b->vcpu[0]);
    awake = trace_hypercall(__HYPERVISOR_vcpu_op, (const uint64_t[6]){ VCPUOP_is_up, 1 }, false);
    become(a->vcpu[0]);
    trace_result(__HYPERVISOR_sched_op, 0, asleep);
    become(b->vcpu[0]);
    trace_result(__HYPERVISOR_vcpu_op, -2, awake);
    become(a->vcpu[0]);
    (void)trace_hypercall(__HYPERVISOR_sched_op, (const uint64_t[6]){ SCHEDOP_yield }, false);
    host.console_len = 0;
    trace_show();
    at = shown(0);
    assert_non_null(at = strstr(at, "] sched_op(SCHEDOP_block, NULL)\n[d2v0 "));
    assert_non_null(at = strstr(at, "] vcpu_op(VCPUOP_is_up, 1, NULL)\n[d1v0 "));
    assert_non_null(at = strstr(at, "] ... sched_op = 0 <"));
    assert_non_null(at = strstr(at, "\n[d2v0 "));
    assert_non_null(at = strstr(at, "] ... vcpu_op = -2 <"));
    assert_non_null(at = strstr(at, "\n[d1v0 "));
    assert_non_null(strstr(at, "] sched_op(SCHEDOP_yield, NULL)\n"));
}

/* --- Another port ----------------------------------------------------------------------------- */
static void sink_words_are_parsed(void **state)
{
    static const struct { const char *value; bool ok; } table[] = {
        { "debugcon", true }, { "debugcon,0x402", true }, { "com2", true }, { "com1,0x3e8", false },
        { "com2,", false },
        { "com2,0x10000", false }, { "com2,xyz", false }, { "com2,0x2f8,1", false },
        { "com3", false }, { "", false },
        { "debug", false }, { "debugconx", false },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
        if (trace_sink_parse(table[i].value) != table[i].ok)
            fail_msg("trace_to=%s", table[i].value);
}

/* The bytes are a trace file: windows of whole records, the same as a reader of the ring saw, from
 * first to last. */
static void sink_output_is_a_trace_file(void **state)
{
    size_t at = 0, windows = 0;
    uint64_t records = 0, clocks = 0, total;

    (void)state;
    assert_true(trace_sink_parse("debugcon"));
    reader.on_record = NULL;
    start(TRACE_HYPERCALL | TRACE_EMUL);
    put_wide(2 * 407 + 100);
    for (unsigned i = 0; i < 30; i++)
        (void)version();
    assert_int_equal(trace_header.rings[0].head, 3);
    reader_follow(&reader);
    assert_int_equal(reader.lost, 0);
    total = reader.seen;
    for (unsigned nr = 0; nr < NR_HYPERCALLS; nr++)
        total += hypercall_count(nr) != 0;
    trace_end();
    assert_true(host.sink_len < sizeof(host.sink));
    while (at < host.sink_len) {
        uint32_t window[3], left;

        assert_true(at + sizeof(window) <= host.sink_len);
        memcpy(window, host.sink + at, sizeof(window));
        at += sizeof(window);
        assert_int_equal(window[0], TRC_TRACE_CPU_CHANGE | 2 << TRACE_EXTRA_SHIFT);
        assert_int_equal(window[1], 0);
        assert_true(window[2] != 0 && window[2] % 4 == 0 && at + window[2] <= host.sink_len);
        for (left = window[2]; left != 0; records++) {
            uint32_t head, bytes;

            memcpy(&head, host.sink + at, 4);
            bytes = 4 * (1 + (TRC_HD_INCLUDES_CYCLE_COUNT(head) ? 2 : 0) + TRC_HD_EXTRA(head));
            assert_true(bytes <= left);
            assert_int_equal(TRC_HD_TO_EVENT(head) == TRC_PARAGON_CLOCK, left == window[2]);
            clocks += TRC_HD_TO_EVENT(head) == TRC_PARAGON_CLOCK;
            at += bytes;
            left -= bytes;
        }
        windows++;
    }
    assert_int_equal(windows, 3);
    assert_int_equal(clocks, 3);
    assert_int_equal(records, total);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_trace(records_are_shown_as_lines),
        with_trace(last_lines_are_shown),
        with_trace(late_results_are_shown_on_their_own_line),
        with_trace(sink_words_are_parsed),
        with_trace(sink_output_is_a_trace_file),
        with_trace(panic_shows_the_trace),
    };

    return cmocka_run_group_tests_name("trace show", tests, NULL, NULL);
}
