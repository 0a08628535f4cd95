/* Suite "timers": the vCPU's two timers, set_timer_op, block, poll and yield. Clocks are in
 * clocks.c. No test has a time limit that a busy machine could exceed: "in time" means within
 * seconds. */
#include <string.h>
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "start.h"
#include "suite.h"
#include "thread.h"

#define PATIENCE (10 * NS_PER_S)

static volatile unsigned ticks;
static volatile uint64_t tick_ns;

static void on_tick(void)
{
    ticks++;
    tick_ns = clock_ns();
}

static void hook_on(void)
{
    clock_hook(on_tick);
    xen_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL);
    event_force_upcall();
    ticks = 0;
}

static void hook_off(void)
{
    xen_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL);
    clock_hook(NULL);
}

static long singleshot(uint64_t at_ns, uint32_t flags)
{
    struct vcpu_set_singleshot_timer op = { .timeout_abs_ns = at_ns, .flags = flags };

    return xen_vcpu_op(VCPUOP_set_singleshot_timer, 0, &op);
}

static bool wait_ticks(unsigned n, uint64_t ns)
{
    for (uint64_t end = clock_ns() + ns; ticks < n && clock_ns() < end;)
        __builtin_ia32_pause();
    return ticks >= n;
}

static void singleshot_fires_once(void)
{
    uint64_t at;

    hook_on();
    at = clock_ns() + 2 * NS_PER_MS;
    EXPECT_EQ(singleshot(at, 0), 0);
    EXPECT(wait_ticks(1, PATIENCE));
    EXPECT_MSG(tick_ns >= at, "%lu ns too early", at - tick_ns);
    EXPECT(!wait_ticks(2, 20 * NS_PER_MS));
    hook_off();
}

static void past_deadline_fires_at_once(void)
{
    static const uint64_t past[] = { 1, 1000 };

    hook_on();
    for (unsigned i = 0; i < 2; i++) {
        ticks = 0;
        EXPECT_EQ(singleshot(past[i], 0), 0);
        EXPECT(wait_ticks(1, PATIENCE));
    }
    ticks = 0;
    EXPECT_EQ(singleshot(clock_ns(), 0), 0);
    EXPECT(wait_ticks(1, PATIENCE));
    hook_off();
}

/* The flag is ignored: a deadline in the past fires. */
static void only_in_the_future(void)
{
    hook_on();
    EXPECT_EQ(singleshot(1000, VCPU_SSHOTTMR_future), 0);
    EXPECT(wait_ticks(1, PATIENCE));
    ticks = 0;
    EXPECT_EQ(singleshot(clock_ns() + 50 * NS_PER_MS, VCPU_SSHOTTMR_future), 0);
    EXPECT(wait_ticks(1, PATIENCE));
    hook_off();
}

static void stopped_and_replaced(void)
{
    uint64_t at;

    hook_on();
    EXPECT_EQ(singleshot(clock_ns() + 300 * NS_PER_MS, 0), 0);
    EXPECT_EQ(xen_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    EXPECT(!wait_ticks(1, 350 * NS_PER_MS));
    EXPECT_EQ(singleshot(clock_ns() + 3600 * NS_PER_S, 0), 0);
    at = clock_ns() + NS_PER_MS;
    EXPECT_EQ(singleshot(at, 0), 0);                    /* the last deadline replaces the first */
    EXPECT(wait_ticks(1, PATIENCE));
    EXPECT(tick_ns >= at);
    hook_off();
}

/* Extreme values must not overflow. Whether and when these timers fire is not defined; afterwards
 * timers work. */
static void wild_deadlines(void)
{
    static const uint64_t wild[] = { 0, ~0ul, 1ul << 63, (1ul << 63) - 1, 1ul << 62 };

    hook_on();
    for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        long rc = singleshot(wild[i], 0);

        EXPECT_MSG(rc == 0 || rc == -XEN_EINVAL, "%#lx: %ld", wild[i], rc);
        wait_ticks(1, NS_PER_MS);
        rc = xen_set_timer_op(wild[i]);
        EXPECT_MSG(rc == 0, "set_timer_op(%#lx): %ld", wild[i], rc);
    }
    xen_set_timer_op(0);
    ticks = 0;
    EXPECT_EQ(singleshot(clock_ns() + NS_PER_MS, 0), 0);
    EXPECT(wait_ticks(1, PATIENCE));
    hook_off();
}

static void singleshot_arguments(void)
{
    struct vcpu_set_singleshot_timer op = { .timeout_abs_ns = 1 };

    EXPECT_EQ(xen_vcpu_op(VCPUOP_set_singleshot_timer, 0, NULL), -XEN_EFAULT);
    EXPECT_EQ(xen_vcpu_op(VCPUOP_set_singleshot_timer, 9999, &op), -XEN_ENOENT);
    EXPECT_EQ(xen_vcpu_op(VCPUOP_stop_singleshot_timer, 9999, NULL), -XEN_ENOENT);
}

static void periodic(void)
{
    static const uint64_t bad[] = { 0, 1, NS_PER_MS - 1, ~0ul, 1ul << 63 };
    struct vcpu_set_periodic_timer op;
    uint64_t start;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        op.period_ns = bad[i];
        long rc = xen_vcpu_op(VCPUOP_set_periodic_timer, 0, &op);

        EXPECT_MSG(rc == -XEN_EINVAL, "period %#lx: %ld", bad[i], rc);
    }
    hook_on();
    start = clock_ns();
    op.period_ns = 5 * NS_PER_MS;
    EXPECT_EQ(xen_vcpu_op(VCPUOP_set_periodic_timer, 0, &op), 0);
    EXPECT(wait_ticks(4, PATIENCE));
    EXPECT(clock_ns() - start >= 15 * NS_PER_MS);
    EXPECT_EQ(xen_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    ticks = 0;
    EXPECT(!wait_ticks(1, 50 * NS_PER_MS));
    hook_off();
}

static void set_timer_op(void)
{
    uint64_t at;

    hook_on();
    at = clock_ns() + 2 * NS_PER_MS;
    EXPECT_EQ(xen_set_timer_op(at), 0);
    EXPECT(wait_ticks(1, PATIENCE));
    EXPECT(tick_ns >= at);
    EXPECT_EQ(xen_set_timer_op(clock_ns() + 300 * NS_PER_MS), 0);
    EXPECT_EQ(xen_set_timer_op(0), 0);                  /* 0 cancels it */
    EXPECT(!wait_ticks(2, 350 * NS_PER_MS));
    hook_off();
}

/* --- block, poll, yield ----------------------------------------------------------------------- */

static void block_until_timer(void)
{
    uint64_t at;

    hook_on();
    events_off();
    at = clock_ns() + 5 * NS_PER_MS;
    EXPECT_EQ(singleshot(at, 0), 0);
    while (!ticks && clock_ns() < at + PATIENCE) {      /* other events wake it, too */
        EXPECT_EQ(xen_sched_op(SCHEDOP_block, NULL), 0);
        EXPECT(!events_masked());                       /* block clears the mask */
        events_off();
    }
    EXPECT_EQ(ticks, 1);
    EXPECT(tick_ns >= at);
    hook_off();
}

/* If an event is pending, poll does not sleep. No timer would end a wrong sleep. */
static void block_with_event_pending(void)
{
    int port = event_bind_ipi(NULL, NULL);

    ASSERT(port > 0);
    hook_on();
    singleshot(clock_ns() + PATIENCE, 0);
    events_off();
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(event_count(port), 0);
    EXPECT_EQ(xen_sched_op(SCHEDOP_block, NULL), 0);
    EXPECT_EQ(ticks, 0);
    hook_off();
    EXPECT(!event_pending(port));
    EXPECT_EQ(event_close(port), 0);
}

static long poll(const port_t *ports, unsigned n, uint64_t timeout)
{
    struct sched_poll op = { .nr_ports = n, .timeout = timeout };

    set_xen_guest_handle(op.ports, (evtchn_port_t *)ports);
    return xen_sched_op(SCHEDOP_poll, &op);
}

static void poll_times_out(void)
{
    int port = event_bind_ipi(NULL, NULL);
    port_t ports[1] = { port };
    uint64_t start;

    ASSERT(port > 0);
    events_off();
    start = clock_ns();
    EXPECT_EQ(poll(ports, 1, start + 5 * NS_PER_MS), 0);
    EXPECT(clock_ns() - start >= 5 * NS_PER_MS || shared_info->vcpu_info[0].evtchn_upcall_pending);
    EXPECT_EQ(poll(ports, 1, start), 0);                /* the deadline is past */
    EXPECT(events_masked());                            /* poll keeps the mask, unlike block */
    events_on();
    EXPECT_EQ(event_close(port), 0);
}

/* A masked port ends the poll, too, and its event stays pending, as no handler ran. */
static void poll_sees_port(void)
{
    int port = event_bind_ipi(NULL, NULL);
    port_t ports[2] = { clock_port, port };
    uint64_t end, n;

    ASSERT(port > 0);
    n = event_count(port);
    event_mask(port);
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(poll(ports, 2, clock_ns() + 60 * NS_PER_S), 0);
    EXPECT(event_pending(port));
    event_clear(port);
    EXPECT_EQ(event_count(port), n);
    EXPECT_EQ(event_close(port), 0);
    /* An event that comes during the poll. */
    hook_on();
    event_mask(clock_port);
    end = clock_ns() + 60 * NS_PER_S;
    EXPECT_EQ(singleshot(clock_ns() + 5 * NS_PER_MS, 0), 0);
    while (!event_pending(clock_port) && clock_ns() < end)
        EXPECT_EQ(poll(ports, 1, end), 0);
    EXPECT(clock_ns() < end);
    EXPECT_EQ(ticks, 0);
    event_unmask(clock_port);
    EXPECT_EQ(ticks, 1);
    hook_off();
}

static void poll_arguments(void)
{
    static port_t ports[129];
    port_t bad = ~0u;

    EXPECT_EQ(poll(&bad, 1, 1), -XEN_EINVAL);
    EXPECT_EQ(poll(ports, 129, 1), -XEN_EINVAL);
    EXPECT_EQ(poll((void *)0x10, 1, 1), -XEN_EFAULT);
    EXPECT_EQ(xen_sched_op(SCHEDOP_poll, (void *)0x10), -XEN_EFAULT);
}

static void yield(void)
{
    for (unsigned i = 0; i < 100; i++)
        ASSERT_EQ(xen_sched_op(SCHEDOP_yield, NULL), 0);
}

SUITE(timers, 51, SUITE_ON_BARE, TEST_ON_BARE(singleshot_fires_once),
      TEST_ON_BARE(past_deadline_fires_at_once), TEST_ON_BARE(only_in_the_future),
      TEST_ON_BARE(stopped_and_replaced), TEST(wild_deadlines), TEST(singleshot_arguments),
      TEST(periodic), TEST(set_timer_op), TEST(block_until_timer), TEST(block_with_event_pending),
      TEST(poll_times_out), TEST(poll_sees_port), TEST(poll_arguments), TEST(yield));
