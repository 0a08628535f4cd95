/* cap=: what a domain gets over a long time and in each period of 10 ms, and how its vCPUs share
 * it. */
#include "cmocka_main.h"
#include "sched_simulation.h"

#define PERIOD_NS (10 * MS)

/* A domain whose vCPUs would all run all the time, for 4 s after it has settled. */
static void measure_capped(unsigned nr_vcpus, unsigned cap)
{
    add(1, nr_vcpus, 256, ~0ull, cap);
    run_for(500 * MS);
    account_all();
    begin_measuring();
    run_for(4000 * MS);
    account_all();
}

static void capped_domains_get_their_cap(void **state)
{
    static const struct {
        unsigned cap, vcpus, want;
    } cases[] = { { 50, 1, 500 }, { 25, 2, 250 }, { 150, 2, 1500 }, { 3, 4, 30 }, { 0, 1, 1000 } };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        double sum = 0;

        machine_with(4);
        measure_capped(cases[i].vcpus, cases[i].cap);
        for (unsigned j = 0; j < nr_actors; j++)
            sum += share(&actors[j], 4000 * MS);
        printf("# cap=%u, %u vCPUs: %.3f\n", cases[i].cap, cases[i].vcpus, sum);
        assert_in_range(sum * 1000, cases[i].want - 30, cases[i].want + 30);
        machine_ends();
    }
}

/* With one CPU and less for all of them than they would use, each gets the same. */
static void a_cap_is_shared_fairly(void **state)
{
    static const struct {
        unsigned cap, vcpus;
    } cases[] = { { 5, 2 }, { 10, 2 }, { 20, 2 }, { 25, 2 }, { 25, 4 }, { 50, 4 } };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        double want = cases[i].cap / 100.0 / cases[i].vcpus;

        machine_with(1);
        measure_capped(cases[i].vcpus, cases[i].cap);
        for (unsigned j = 0; j < nr_actors; j++) {
            printf("# cap=%u, vCPU %u of %u: %.3f\n", cases[i].cap, j, cases[i].vcpus,
                   share(&actors[j], 4000 * MS));
            assert_in_range(share(&actors[j], 4000 * MS) * 1000, want * 1000 * 0.8,
                            want * 1000 * 1.2);
        }
        machine_ends();
    }
}

/* Wakes all that sleep. */
static void wake_all(void)
{
    for (unsigned i = 0; i < nr_actors; i++)
        if (actors[i].v->blocked)
            actors[i].until = now_ns();
}

/* The most that the first domain ran in one of its periods, in 4 s. If wake_at is not 0 all vCPUs
 * wake so long after a period has begun. */
static uint64_t most_in_a_period(uint64_t wake_at)
{
    struct domain *d = actors[0].v->domain;
    uint64_t end = now_ns() + 4000 * MS, most = 0, began = now_ns();
    uint32_t period = 0;

    while (now_ns() < end) {
        uint64_t ran = 0;

        run_step();
        if (wake_at != 0 && now_ns() >= began + wake_at) {
            wake_all();
            began = end;
        }
        if (period == (uint32_t)(d->budget >> 32))
            continue;
        account_all();
        for (unsigned i = 0; i < nr_actors; i++)
            ran += actors[i].v->cpu_ns - actors[i].cpu_ns_then;
        most = period == 0 ? 0 : MAX(most, ran);
        period = (uint32_t)(d->budget >> 32);
        began = now_ns();
        begin_measuring();
    }
    return most;
}

/* Whatever they do, in no period do they run longer than their budget; each CPU may be late by one
 * step of the simulation. */
static void no_period_has_more_than_its_budget(void **state)
{
    static const struct {
        unsigned cpus, cap, vcpus;
        uint64_t work_ns, sleep_ns, wake_at;
    } cases[] = {
        { 1, 50, 1, 0, 0, 0 },
        { 2, 50, 2, 0, 0, 0 },
        { 4, 150, 4, 0, 0, 0 },
        { 4, 50, 8, 3 * STEP_NS, 23 * STEP_NS, 0 },
        { 4, 100, 16, 5 * STEP_NS, 90 * STEP_NS, 0 },
        { 8, 20, 32, STEP_NS, 99 * STEP_NS, 0 },
        { 8, 400, 32, 7 * STEP_NS, 31 * STEP_NS, 0 },
        { 8, 100, 8, 50 * STEP_NS, 1000000 * MS, 95 * STEP_NS },    /* they run at the border */
        { 8, 50, 8, 2 * STEP_NS, 1000000 * MS, 95 * STEP_NS },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t budget = PERIOD_NS * cases[i].cap / 100, most;

        machine_with(cases[i].cpus);
        add(1, cases[i].vcpus, 256, ~0ull, cases[i].cap);
        for (unsigned j = 0; j < nr_actors && cases[i].work_ns != 0; j++) {
            actors[j].work_ns = cases[i].work_ns;
            actors[j].sleep_ns = cases[i].sleep_ns + j % 3 * STEP_NS;
        }
        most = most_in_a_period(cases[i].wake_at);
        printf("# %u CPUs, cap=%u, %u vCPUs: at most %lu us of %lu in a period\n", cases[i].cpus,
               cases[i].cap, cases[i].vcpus, most / 1000, budget / 1000);
        assert_in_range(most, budget / 4, budget + cases[i].cpus * STEP_NS);
        machine_ends();
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(capped_domains_get_their_cap),
        cmocka_unit_test(a_cap_is_shared_fairly),
        cmocka_unit_test(no_period_has_more_than_its_budget),
    };

    return cmocka_run_group_tests_name("sched_cap", tests, NULL, NULL);
}
