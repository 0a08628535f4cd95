/* The scheduler on a clock that the test sets: shares by weight, no vCPU starves, a woken vCPU runs
 * soon, the CPU halts when all are blocked, and a domain ends beside others. Not here: the
 * hypercalls (test_sched_op.c, test_vcpu_op.c) and timers (test_timer.c). */
#include <string.h>
#include "cmocka_main.h"
#include "support.h"
#include "xen/core/alloc.h"
#include "xen/core/domain_list.h"
#include "xen/core/sched.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"
#include "xen/core/walk.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/input.h"

#define MS 1000000ull

static uint64_t worst_gap[8];
static bool stop;

/* A vCPU that always computes: 0.1 ms of work, then the exit path of the hypervisor, again and
 * again. */
static void busy(struct vcpu *v)
{
    uint64_t last = now_ns(), *gap = &worst_gap[v->domain->id];

    while (!stop) {
        uint64_t now = now_ns();

        *gap = MAX(*gap, now - last);
        last = now;
        host_advance(MS / 10);
        if (v->work != 0 || upcall_due(v))
            exit_to_guest_work();
    }
    domain_shutdown(v->domain, SHUTDOWN_poweroff);
    exit_to_guest_work();
}

static struct domain *busy_guest(domid_t id, unsigned weight, void (*program)(struct vcpu *))
{
    struct domain *d = domain_create(id, "busy", 1, 16, weight);

    assert_non_null(d);
    host_vcpu(d->vcpu[0])->program = program;
    d->vcpu[0]->info->evtchn_upcall_mask = 1;
    domain_start(d);
    return d;
}

static void stop_them(void *arg)
{
    (void)arg;
    stop = true;
}

static void run_for(uint64_t ns)
{
    struct timer t;

    stop = false;
    timer_init(&t, stop_them, NULL);
    timer_set(&t, now_ns() + ns);
    (void)host_run(1000 * ns);
    assert_true(stop);
}

static uint64_t time_of[8];

static void note_times(void *arg)
{
    struct domain *d;

    (void)arg;
    for_each_domain(d)
        time_of[d->id] = d->vcpu[0]->cpu_ns;
}

static void shares_follow_weights(void **state)
{
    static const unsigned weights[5] = { 0, 128, 256, 512, 1024 };
    struct timer t;
    uint64_t sum = 0;

    (void)state;
    memset(worst_gap, 0, sizeof(worst_gap));
    for (domid_t id = 1; id <= 4; id++)
        busy_guest(id, weights[id], busy);
    timer_init(&t, note_times, NULL);
    timer_set(&t, now_ns() + 3999 * MS);
    run_for(4000 * MS);
    for (unsigned id = 1; id <= 4; id++)
        sum += time_of[id];
    assert_in_range(sum, 3900 * MS, 4001 * MS);
    for (unsigned id = 1; id <= 4; id++) {
        uint64_t want = sum * weights[id] / 1920;

        if (time_of[id] < want - want / 10 || time_of[id] > want + want / 10)
            fail_msg("weight %u got %lu ms of %lu", weights[id], time_of[id] / MS, want / MS);
        assert_in_range(worst_gap[id], 1, 400 * MS);    /* nobody starves */
    }
}

/* Extreme weights do not starve the small one. */
static void the_lightest_still_runs(void **state)
{
    (void)state;
    memset(worst_gap, 0, sizeof(worst_gap));
    busy_guest(1, 1, busy);
    busy_guest(2, 65535, busy);
    run_for(4000 * MS);
    assert_true(worst_gap[1] > 0);
}

/* Sleeps, works a little, and measures how late it got the CPU. */
static uint64_t worst_latency, wakeups;

static void wake(void *arg)
{
    vcpu_wake(arg);
}

static void interactive(struct vcpu *v)
{
    struct timer t;

    timer_init(&t, wake, v);
    while (!stop) {
        uint64_t at = now_ns() + 7 * MS;

        timer_set(&t, at);
        vcpu_block();
        if (now_ns() >= at) {
            wakeups++;
            worst_latency = MAX(worst_latency, now_ns() - at);
        }
        host_advance(MS / 20);
        if (v->work != 0)
            exit_to_guest_work();
    }
    timer_cancel(&t);
    domain_shutdown(v->domain, SHUTDOWN_poweroff);
    exit_to_guest_work();
}

static void the_one_that_wakes_is_served_soon(void **state)
{
    (void)state;
    worst_latency = wakeups = 0;
    for (domid_t id = 1; id <= 4; id++)
        busy_guest(id, 256, busy);
    busy_guest(5, 256, interactive);
    run_for(2000 * MS);
    assert_in_range(wakeups, 150, 300);
    assert_in_range(worst_latency, 0, 12 * MS);
}

static void the_machine_sleeps_when_all_do(void **state)
{
    (void)state;
    worst_latency = wakeups = 0;
    busy_guest(1, 256, interactive);
    run_for(1000 * MS);
    assert_in_range(wakeups, 135, 150);
    assert_in_range(worst_latency, 0, MS / 10);
}

/* A thousand tables, pinned and full, of the domain that is current: the frame behind FREE_PFN_VA,
 * 512 times in each. */
#define NR_TABLES 1000u

static void pin_full_tables(struct domain *d)
{
    uint64_t list = guest_start_info(d)->mfn_list,
        entry = mfn_of_va(FREE_PFN_VA) << PAGE_SHIFT | PTE_P | PTE_RW;

    for (unsigned i = 0; i < NR_TABLES; i++) {
        struct mmuext_op op = { .cmd = MMUEXT_PIN_L1_TABLE };
        uint64_t *table;

        guest_get(&op.arg1.mfn, list + 8 * (d->max_frames - 1 - i), 8);
        table = mfn_to_virt(op.arg1.mfn);
        for (unsigned j = 0; j < PTES_PER_TABLE; j++)
            table[j] = entry;
        guest_put(SCRATCH, &op, sizeof(op));
        assert_int_equal(do_mmuext_op(SCRATCH, 1, 0, DOMID_SELF), 0);
    }
}

/* Freeing it takes an interrupt window for every few tables, each of which lasts a millisecond
 * here. Meanwhile the other domain has its half of the CPU, and never waits longer than one slice;
 * and the freeing ends, although the other domain never sleeps. */
static void a_domain_ends_beside_others(void **state)
{
    struct domain *dying = guest_make_sized(1, 1, GUEST_FRAMES + NR_TABLES, 256);
    uint64_t free_before = nr_free_frames(), windows, begin;

    (void)state;
    work_budget = 100000;
    host_become(dying->vcpu[0]);
    pin_full_tables(dying);
    host_become(cpus[0]->idle);
    stop = false;
    memset(worst_gap, 0, sizeof(worst_gap));
    busy_guest(2, 256, busy);
    host.window_ticks = 2400000;
    windows = host.windows;
    begin = now_ns();
    domain_shutdown(dying, SHUTDOWN_poweroff);
    while (domain_count() == 2)
        (void)host_run(MS);
    windows = host.windows - windows;
    assert_in_range(windows, NR_TABLES / 8, 2 * NR_TABLES);
    assert_in_range(now_ns() - begin, windows * MS * 3 / 2, windows * MS * 3);
    assert_in_range(worst_gap[2], MS, 12 * MS);
    assert_true(nr_free_frames() > free_before + GUEST_FRAMES + NR_TABLES - 200);
    host.window_ticks = 0;
    run_for(MS);
}

static void stop_now(void *arg)
{
    (void)arg;
    stop = true;
}

/* Its last output goes over a slow line; then its end must not wait for the busy domain to
 * sleep. */
static void a_domain_with_last_words_ends_beside_a_busy_one(void **state)
{
    struct domain *dying = guest_make_sized(1, 1, GUEST_FRAMES, 256);
    struct xencons_interface *ring = dying->console_ring;
    struct timer end;

    (void)state;
    stop = false;
    host_become(cpus[0]->idle);
    console_input_start();
    busy_guest(2, 256, busy);
    host.byte_ticks = 208333;           /* 11520 bytes a second */
    for (unsigned i = 0; i < 600; i++)
        ring->out[ring->out_prod++ % sizeof(ring->out)] = i % 20 == 19 ? '\n' : 'x';
    domain_shutdown(dying, SHUTDOWN_poweroff);
    timer_init(&end, stop_now, NULL);
    timer_set(&end, now_ns() + 4000 * MS);
    for (unsigned i = 0; i < 4000 && !stop && domain_count() == 2; i++)
        (void)host_run(MS);
    assert_false(stop);
    assert_int_equal(domain_count(), 1);
    timer_cancel(&end);
    stop = true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_machine(shares_follow_weights),
        with_machine(the_lightest_still_runs),
        with_machine(the_one_that_wakes_is_served_soon),
        with_machine(the_machine_sleeps_when_all_do),
        with_machine(a_domain_ends_beside_others),
        with_machine(a_domain_with_last_words_ends_beside_a_busy_one),
    };

    return cmocka_run_group_tests_name("sched", tests, NULL, NULL);
}
