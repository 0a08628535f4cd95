/* The vmm's timer: counts and outputs at given times, and that edges, outputs and deadlines agree.
 * The TSC runs at the timer's rate, so that a tick is 1, but where rates are tested. */
#include "cmocka_main.h"
#include "common/compiler.h"
#include "guest-pv/vmm/platform/pit.h"

static struct pit pit;
static uint64_t now;

static int fresh(void **state)
{
    (void)state;
    pit_init(&pit, PIT_HZ);
    now = 1000;
    return 0;
}

static void start(unsigned channel, unsigned mode, unsigned count)
{
    pit_write(&pit, 3, (uint8_t)(channel << 6 | 0x30 | mode << 1), now);
    pit_write(&pit, channel, (uint8_t)count, now);
    pit_write(&pit, channel, (uint8_t)(count >> 8), now);
}
static unsigned read_both(unsigned channel)
{
    unsigned low = pit_read(&pit, channel, now);

    return low | pit_read(&pit, channel, now) << 8;
}
#define expect_output(channel, high) assert_int_equal(pit_output(&pit, channel, now), high)
#define expect_edge(yes) assert_int_equal(pit_edge(&pit, now), yes)

static void rate_generator(void **state)
{
    (void)state;
    expect_edge(false);
    start(0, 2, 1000);
    assert_int_equal(pit_deadline(&pit), now + 1000);
    now += 999;
    expect_output(0, false);            /* for one tick */
    expect_edge(false);
    assert_int_equal(read_both(0), 1);
    now += 1;
    expect_output(0, true);
    expect_edge(true);
    expect_edge(false);
    assert_int_equal(read_both(0), 1000);
    now += 10500;                       /* lost ticks are one edge, and do not move the next */
    expect_edge(true);
    expect_edge(false);
    assert_int_equal(pit_deadline(&pit), now + 500);
}

static void square_wave(void **state)
{
    (void)state;
    start(0, 3, 1000);
    now += 499;
    expect_output(0, true);
    assert_int_equal(read_both(0), 2);
    now += 1;
    expect_output(0, false);
    assert_int_equal(read_both(0), 1000);
    now += 500;
    expect_edge(true);
    start(0, 7, 5);                     /* 7 is 3; 3 ticks high, 2 low */
    now += 2;
    expect_output(0, true);
    now += 1;
    expect_output(0, false);
    expect_edge(false);
    now += 2;
    expect_edge(true);
}

static void one_shots(void **state)
{
    (void)state;
    start(0, 0, 100);
    now += 99;
    expect_output(0, false);
    expect_edge(false);
    assert_int_equal(pit_deadline(&pit), now + 1);
    now += 1;
    expect_output(0, true);
    expect_edge(true);
    assert_int_equal(pit_deadline(&pit), UINT64_MAX);
    now += 1;
    assert_int_equal(read_both(0), 0xffff);
    expect_edge(false);
    start(0, 4, 100);
    assert_int_equal(pit_deadline(&pit), now + 101);
    expect_output(0, true);
    now += 100;
    expect_output(0, false);
    expect_edge(false);
    now += 1;
    expect_edge(true);
    now += 100000;
    expect_edge(false);
    start(0, 0, 0);                     /* 65536 */
    assert_int_equal(pit_deadline(&pit), now + 0x10000);
}

static void the_first_byte_stops_mode_0(void **state)
{
    (void)state;
    start(0, 0, 100);
    pit_write(&pit, 0, 50, now);
    now += 1000;
    expect_edge(false);
    expect_output(0, false);
    pit_write(&pit, 0, 0, now);
    assert_int_equal(pit_deadline(&pit), now + 50);
}

static void one_byte_counts(void **state)
{
    (void)state;
    pit_write(&pit, 3, 0x14, now);
    pit_write(&pit, 0, 200, now);
    assert_int_equal(pit_deadline(&pit), now + 200);
    now += 1;
    assert_int_equal(pit_read(&pit, 0, now), 199);
    assert_int_equal(pit_read(&pit, 0, now), 199);
    pit_write(&pit, 3, 0x24, now);
    pit_write(&pit, 0, 2, now);
    assert_int_equal(pit_deadline(&pit), now + 512);
    now += 1;
    assert_int_equal(pit_read(&pit, 0, now), 1);
    assert_int_equal(pit_read(&pit, 0, now), 1);
}

static void latches(void **state)
{
    (void)state;
    start(0, 2, 0x1234);
    pit_write(&pit, 3, 0x00, now);
    now += 0x100;
    pit_write(&pit, 3, 0x00, now);      /* the first is kept until it is read */
    assert_int_equal(read_both(0), 0x1234);
    assert_int_equal(read_both(0), 0x1134);
    pit_write(&pit, 3, 0xc2, now);      /* status and count of channel 0: status first */
    now += 0x100;
    assert_int_equal(pit_read(&pit, 0, now), 0xb4);
    assert_int_equal(read_both(0), 0x1134);
    assert_int_equal(read_both(0), 0x1034);
    pit_write(&pit, 3, 0x30, now);      /* no count yet; mode 0's output is low */
    pit_write(&pit, 3, 0xee, now);      /* status of all */
    assert_int_equal(pit_read(&pit, 0, now), 0x70);
    assert_int_equal(pit_read(&pit, 1, now), 0xf6);
    assert_int_equal(pit_read(&pit, 2, now), 0xf6);
    assert_int_equal(pit_read(&pit, 3, now), 0xff);
}

/* As Linux's quick calibration: the counter runs down from FFFFh while the gate is open. */
static void the_speakers_channel(void **state)
{
    (void)state;
    start(2, 0, 0xffff);
    now += 1000;
    assert_int_equal(read_both(2), 0xffff);
    assert_int_equal(pit_read61(&pit, now) & 0x2f, 0);
    pit_write61(&pit, 0x01, now);
    now += 0x8000;
    assert_int_equal(read_both(2), 0x7fff);
    pit_write61(&pit, 0x02, now);       /* the count stays */
    now += 1000;
    assert_int_equal(read_both(2), 0x7fff);
    assert_int_equal(pit_read61(&pit, now) & 0x2f, 0x02);
    pit_write61(&pit, 0xff, now);
    now += 0x7fff;
    assert_int_equal(pit_read61(&pit, now) & 0x2f, 0x2f);
    assert_int_equal(pit_deadline(&pit), UINT64_MAX);
    assert_int_not_equal((pit_read61(&pit, 18) ^ pit_read61(&pit, 35)) & 0x10, 0x10);
    assert_int_equal((pit_read61(&pit, 18) ^ pit_read61(&pit, 36)) & 0x10, 0x10);
}

static void started_by_the_gate(void **state)
{
    (void)state;
    start(2, 1, 100);
    now += 1000;
    expect_output(2, true);
    pit_write61(&pit, 1, now);
    now += 99;
    expect_output(2, false);
    pit_write61(&pit, 0, now);          /* does not stop it */
    now += 1;
    expect_output(2, true);
    start(2, 5, 100);
    now += 100;
    expect_output(2, true);
    pit_write61(&pit, 1, now);
    now += 100;
    expect_output(2, false);
    now += 1;
    expect_output(2, true);
    start(2, 2, 100);
    now += 50;
    pit_write61(&pit, 0, now);          /* high, and from the beginning when it opens */
    now += 49;
    expect_output(2, true);
    pit_write61(&pit, 1, now);
    now += 99;
    expect_output(2, false);
}

/* Ticks of rates that do not divide, and times that overflow when multiplied. */
static void rates(void **state)
{
    static const uint64_t rates_hz[] = { 1000000, 999999937, 2400000000, 5000000000 };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rates_hz); i++) {
        pit_init(&pit, rates_hz[i]);
        now = 0;
        start(0, 2, PIT_HZ / 100 & 0xffff);
        for (unsigned n = 0; n < 1000; n++) {
            uint64_t next = pit_deadline(&pit);

            assert_in_range(next, now + 1, now + rates_hz[i] / 99);
            now = next - 1;
            expect_edge(false);
            now = next;
            expect_edge(true);
        }
        now = rates_hz[i] * 1000000;    /* eleven days */
        expect_edge(true);
        assert_in_range(pit_deadline(&pit), now + 1, now + rates_hz[i] / 99);
    }
}

/* What the output does, tick by tick, is what edges and deadline say. */
static void edges_are_the_outputs(void **state)
{
    static const struct {
        unsigned mode, count, edges;
    } cases[] = {
        { 0, 1, 1 }, { 0, 7, 1 }, { 2, 2, 50 }, { 2, 7, 14 }, { 3, 2, 50 }, { 3, 7, 14 },
        { 3, 8, 12 }, { 4, 1, 1 }, { 4, 7, 1 }, { 1, 7, 0 }, { 5, 7, 0 }, { 0, 200, 0 },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned edges = 0;
        bool was;

        start(0, cases[i].mode, cases[i].count);
        was = pit_output(&pit, 0, now);
        for (unsigned tick = 1; tick <= 100; tick++) {
            bool due = pit_deadline(&pit) == ++now, is = pit_output(&pit, 0, now);

            expect_edge(is && !was);
            assert_int_equal(due, is && !was);
            edges += is && !was;
            was = is;
        }
        assert_int_equal(edges, cases[i].edges);
    }
}

#define test(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(rate_generator), test(square_wave), test(one_shots),
        test(the_first_byte_stops_mode_0), test(one_byte_counts), test(latches),
        test(the_speakers_channel), test(started_by_the_gate), test(rates),
        test(edges_are_the_outputs),
    };

    return cmocka_run_group_tests_name("vmm_pit", tests, NULL, NULL);
}
