/* Suite "bench" (only by name): the cost of each hypercall as the median of many calls. The rows
 * are the operations that a guest spends most on. There is no upper bound; a row fails when its
 * operation fails. Here are the measurement and the shortest calls; page tables are in
 * bench_tables.c, descriptors, timers, grants and the console in bench_services.c, traps and events
 * in bench_traps.c. */
#include <stdlib.h>
#include <string.h>
#include "bench.h"
#include "clock.h"
#include "hypercall.h"
#include "start.h"
#include "suite.h"
#include "tools/counts/marks.h"

static uint64_t ticks[BENCH_SAMPLES], base;     /* base: the cost of an empty call */

static uint64_t ticks_now(void)
{
    __builtin_ia32_lfence();
    return clock_tsc();
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

uint64_t bench_median(uint64_t *samples, unsigned n)
{
    qsort(samples, n, sizeof(*samples), by_value);
    return samples[n / 2];
}

void bench_samples(const char *name, uint64_t *samples, unsigned n, uint64_t nothing)
{
    uint64_t median = bench_median(samples, n);

    MARK(MARK_ROW);
    bench_print(name, median > nothing ? median - nothing : 0);
}

/* Not a copy for the empty call, which would be cheaper by that call. */
static __attribute__((noinline, noclone)) uint64_t sample(bench_op op, long expected)
{
    unsigned wrong = 0;
    long rc = 0;

    for (unsigned i = 0; i < BENCH_SAMPLES; i++) {
        uint64_t start;
        long now;

        MARK(MARK_BEGIN);
        start = ticks_now();
        now = op();
        ticks[i] = ticks_now() - start;
        MARK(MARK_END);
        if (now != expected)
            wrong++, rc = now;
    }
    MARK(MARK_ROW);
    EXPECT_MSG(!wrong, "%u of %u failed: %ld", wrong, BENCH_SAMPLES, rc);
    return bench_median(ticks, BENCH_SAMPLES);
}

static long op_nothing(void)
{
    return 0;
}

uint64_t bench_cost(bench_op op, long expected)
{
    uint64_t median;

    if (!base)
        base = sample(op_nothing, 0);
    median = sample(op, expected);
    return median > base ? median - base : 0;
}

void bench_print(const char *name, uint64_t cost)
{
    test_diag("bench: %s %lu", name, cost);
}

void bench(const char *name, bench_op op, long expected, unsigned per)
{
    bench_print(name, bench_cost(op, expected) / per);
}

/* --- The shortest ----------------------------------------------------------------------------- */

static uint64_t gs_base;

static long op_unserved(void)       { return hypercall_raw(63, 0, 0, 0, 0, 0); }
static long op_version(void)        { return xen_version(XENVER_version, NULL) > 0; }
static long op_yield(void)          { return xen_sched_op(SCHEDOP_yield, NULL); }
static long op_stack_switch(void)
{
    return xen_stack_switch(FLAT_KERNEL_SS, (uint64_t)boot_stack + 4096);
}

static long op_segment_base(void)   { return xen_set_segment_base(SEGBASE_GS_USER, gs_base); }

static void calls(void)
{
    bench("empty hypercall", op_unserved, -XEN_ENOSYS, 1);
    bench("xen_version", op_version, 1, 1);
    bench("yield", op_yield, 0, 1);
    bench("stack_switch", op_stack_switch, 0, 1);
    bench("set_segment_base", op_segment_base, 0, 1);
}

SUITE(bench, 95, SUITE_NAMED_ONLY, TEST(calls));
