/* Where a vCPU that wakes runs and how soon, affinity, and that no CPU idles for more than a
 * millisecond while somebody waits for it. */
#include "cmocka_main.h"
#include "sched_simulation.h"

static void sleepers_leave_no_cpu_idle(void **state)
{
    uint64_t worst_wake = 0;

    (void)state;
    machine_with(8);
    for (unsigned i = 0; i < 24; i++) {
        struct actor *a = add((domid_t)(i + 1), 1, 256, ~0ull, 0);

        a->work_ns = (1 + i % 5) * MS * 3 / 10;
        a->sleep_ns = (1 + i % 7) * MS;
    }
    run_for(4000 * MS);
    for (unsigned i = 0; i < nr_actors; i++)
        worst_wake = MAX(worst_wake, actors[i].worst_wake);
    printf("# 24 sleepers on 8 CPUs: idle beside a queue at most %lu us, waking at most %lu us\n",
           worst_idle / 1000, worst_wake / 1000);
    assert_true(worst_idle <= MS);
    assert_in_range(worst_wake, 0, 20 * MS);
    machine_ends();
}

/* A vCPU that wakes while its CPU is busy runs on an idle one, at once. */
static void who_wakes_finds_an_idle_cpu(void **state)
{
    struct actor *a;

    (void)state;
    machine_with(4);
    for (unsigned i = 0; i < 3; i++)
        add((domid_t)(i + 1), 1, 256, ~0ull, 0);
    a = add(9, 1, 256, ~0ull, 0);
    a->work_ns = MS;
    a->sleep_ns = 5 * MS;
    run_for(2000 * MS);
    assert_in_range(a->worst_wake, 0, 2 * STEP_NS);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(actors[i].v->runstate.time[RUNSTATE_runnable] / (10 * MS), 0);
    machine_ends();
}

static void affinity_is_kept(void **state)
{
    (void)state;
    machine_with(4);
    add(1, 3, 256, 0x3, 0);             /* check_state() looks at each step */
    add(2, 1, 256, 0x4, 0);
    add(3, 2, 256, ~0ull, 0);
    run_for(2000 * MS);
    account_all();
    begin_measuring();
    run_for(4000 * MS);
    account_all();
    assert_in_range(share(&actors[3], 4000 * MS) * 1000, 450, 1000);
    assert_true(worst_idle <= MS);
    machine_ends();
}

/* One that sleeps until it is woken by the test, on the queue of CPU 0. */
static struct actor *add_sleeper(domid_t id, uint64_t cpu_bits)
{
    struct actor *a = add(id, 1, 256, cpu_bits, 0);

    a->work_ns = 3 * MS;
    a->sleep_ns = 1000000 * MS;
    run_for(MS);
    for (unsigned i = 0; i < 20 && !a->v->blocked; i++)
        run_for(MS);
    assert_true(a->v->blocked);
    return a;
}

/* It ran for long, so that it preempts nobody on CPU 0, whose slice has just begun. */
static void wake_heavy(struct actor *a)
{
    cpus[0]->slice_start = cpus[0]->balanced_at = now_ns();
    a->v->vruntime = cpus[0]->min_vruntime + 1000 * MS;
    go_to(0);
    vcpu_wake(a->v);
}

/* At the instant of the wake-up somebody else holds the lock of the idle CPU's queue. */
static void an_idle_cpu_with_a_taken_lock_is_told(void **state)
{
    struct actor *a;

    (void)state;
    machine_with(2);
    a = add_sleeper(1, 1);
    add(2, 1, 256, 1, 0);
    run_for(20 * MS);
    assert_ptr_equal(a->v->cpu, cpus[0]);
    assert_true(cpus[1]->running == cpus[1]->idle);
    a->v->domain->cpus.bits[0] = 3;
    cpus[1]->lock.taken = 1;
    wake_heavy(a);
    cpus[1]->lock.taken = 0;
    assert_ptr_equal(a->v->cpu, cpus[0]);
    run_for(MS / 2);
    assert_ptr_equal(cpus[1]->running, a->v);
    machine_ends();
}

/* The idle CPU is farther away than a wake-up looks for one to lock. */
static void a_far_idle_cpu_is_told(void **state)
{
    struct actor *a;

    (void)state;
    machine_with(14);
    a = add_sleeper(1, 1);
    for (unsigned i = 0; i < 13; i++)
        add((domid_t)(i + 2), 1, 256, 1ull << i, 0);
    run_for(20 * MS);
    assert_true(cpus[13]->running == cpus[13]->idle);
    a->v->domain->cpus.bits[0] = (1ull << 14) - 1;
    wake_heavy(a);
    run_for(MS / 2);
    assert_ptr_equal(cpus[13]->running, a->v);
    machine_ends();
}

/* One that may run anywhere is preempted by one that may run only there, and goes elsewhere. */
static void who_is_preempted_goes_to_an_idle_cpu(void **state)
{
    (void)state;
    machine_with(2);
    add(1, 1, 256, 3, 0);
    for (unsigned i = 0; i < 2; i++) {
        struct actor *a = add((domid_t)(i + 2), 1, 256, 1ull << i, 0);

        a->work_ns = 3 * MS;
        a->sleep_ns = (7 + 4 * i) * MS;
    }
    run_for(3000 * MS);
    printf("# an idle CPU beside one that is preempted: at most %lu us\n", worst_idle / 1000);
    assert_true(worst_idle <= MS);
    machine_ends();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleepers_leave_no_cpu_idle),
        cmocka_unit_test(who_wakes_finds_an_idle_cpu),
        cmocka_unit_test(affinity_is_kept),
        cmocka_unit_test(an_idle_cpu_with_a_taken_lock_is_told),
        cmocka_unit_test(a_far_idle_cpu_is_told),
        cmocka_unit_test(who_is_preempted_goes_to_an_idle_cpu),
    };

    return cmocka_run_group_tests_name("sched_place", tests, NULL, NULL);
}
