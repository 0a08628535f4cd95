/* Timers against a sorted list, and the time that they wait for. */
#include <string.h>
#include "cmocka_main.h"
#include "support.h"
#include "xen/core/cpu.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/vtimer.h"

#define MS 1000000ull

#define NR_TIMERS 40u

static struct timer timers[NR_TIMERS];
static uint64_t due[NR_TIMERS];         /* the model: 0 is off */
static uint64_t last_due;

static void fired(void *arg)
{
    unsigned i = (unsigned)((struct timer *)arg - timers);

    assert_true(due[i] != 0 && now_ns() >= due[i]);
    assert_true(due[i] >= last_due || due[i] == 1);
    for (unsigned j = 0; j < NR_TIMERS; j++)
        assert_true(due[j] == 0 || due[j] >= due[i]);   /* the earliest first */
    due[i] = 0;
    if (i % 8 == 0)
        timer_set(&timers[i], due[i] = now_ns() + 5 * MS);
}

static void timers_fire_in_order(void **state)
{
    (void)state;
    memset(due, 0, sizeof(due));
    for (unsigned i = 0; i < NR_TIMERS; i++)
        timer_init(&timers[i], fired, &timers[i]);
    for (unsigned round = 0; round < 5000; round++) {
        unsigned i = (unsigned)(host_random() % NR_TIMERS);

        switch (host_random() % 4) {
        case 0:
            timer_cancel(&timers[i]);
            due[i] = 0;
            break;
        case 1:
            host_advance(host_random() % (3 * MS));
            for (unsigned j = 0; j < NR_TIMERS; j++)
                assert_true(due[j] == 0 || due[j] + 2000 > now_ns());   /* nothing is overdue */
            break;
        default:
            timer_set(&timers[i], due[i] = now_ns() + 1 + host_random() % (10 * MS));
        }
        for (unsigned j = 0; j < NR_TIMERS; j++)
            assert_int_equal(timer_armed(&timers[j]), due[j] != 0);
    }
    for (unsigned i = 0; i < NR_TIMERS; i++)
        timer_cancel(&timers[i]);
    host_advance(100 * MS);
}

/* Hypercalls and interrupts of another CPU, on this stack. */
static void as_cpu(unsigned cpu)
{
    current->cpu = cpus[cpu];
}

static unsigned fired_on[2];

static void note_cpu(void *arg)
{
    (void)arg;
    fired_on[this_cpu()->id]++;
}

/* A timer fires where it was set last, and any CPU may cancel it. */
static void timers_are_armed_on_the_cpu_that_sets_them(void **state)
{
    struct timer t, other;

    (void)state;
    host_add_cpus(2);
    timer_init(&t, note_cpu, NULL);
    timer_init(&other, note_cpu, NULL);
    timer_set(&t, now_ns() + MS);
    as_cpu(1);
    timer_set(&other, now_ns() + MS);
    timer_set(&t, now_ns() + 2 * MS);
    as_cpu(0);
    host_advance(3 * MS);
    timers_run();
    assert_int_equal(fired_on[0], 0);
    timer_cancel(&other);
    as_cpu(1);
    timers_run();
    assert_int_equal(fired_on[0], 0);
    assert_int_equal(fired_on[1], 1);
    assert_false(timer_armed(&t));
    timer_set(&t, now_ns() + MS);
    as_cpu(0);
    timer_end(&t);
    assert_false(timer_armed(&t));
    assert_true(list_empty(&cpus[1]->timers.armed));
    host_remove_cpus();
}

static void time_is_monotonic_and_right(void **state)
{
    uint64_t start = now_ns(), before = start;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now = now_ns();

        assert_true(now >= before);
        before = now;
        host_advance(MS);
    }
    assert_in_range(now_ns() - start, 1000 * MS, 1001 * MS);
    /* no timer is early, and none late */
    for (uint64_t wait = 1; wait < 1ull << 60; wait = wait * 3 / 2 + 1)
        for (unsigned i = 0; i < 100; i++) {
            uint64_t ns, then;

            host.tsc += i;
            ns = now_ns() + wait;
            then = tsc_to_ns(ns_to_tsc(ns));
            assert_in_range(then, ns, ns + 10 + (wait >> 30));
        }
}

static unsigned ticks;

static void count_tick(struct vcpu *v)
{
    (void)v;
    ticks++;
}

/* Another CPU stops the timer right after the vCPU's own has found that it has a period. */
static void periodic_timer_that_another_cpu_stops_ends(void **state)
{
    void (*before)(struct vcpu *v) = vcpu_timer_fired;
    struct vcpu *v = guest_up(1)->vcpu[0];

    (void)state;
    vcpu_timer_fired = count_tick;
    ticks = 0;
    v->virq_port[VIRQ_TIMER] = 1;
    assert_int_equal(vcpu_set_periodic(v, MS), 0);
    for (unsigned i = 0; i < 10; i++)
        host_advance(MS);
    assert_in_range(ticks, 9, 11);
    ticks = 0;
    v->periodic_ns = 0;
    for (unsigned i = 0; i < 20; i++)
        host_advance(MS / 10);
    assert_in_range(ticks, 0, 1);
    v->virq_port[VIRQ_TIMER] = 0;
    vcpu_timer_fired = before;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_machine(timers_fire_in_order),
        with_machine(timers_are_armed_on_the_cpu_that_sets_them),
        with_machine(time_is_monotonic_and_right),
        cmocka_unit_test_teardown(periodic_timer_that_another_cpu_stops_ends, machine_down),
    };

    return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
