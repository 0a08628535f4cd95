/* Shares of vCPUs that always compute, on several CPUs, against the weighted max-min ideal: within
 * 3 % of a CPU, over 10 s of simulated time after 2 s. Prints them. */
#include "cmocka_main.h"
#include "sched_simulation.h"

/* Weighted max-min: everybody gets level * weight, but at most one CPU; the level is the one at
 * which the shares add up to all CPUs. */
static double ideal(const unsigned *weights, unsigned n, unsigned nr, unsigned i)
{
    double low = 0, high = nr;

    for (unsigned round = 0; round < 100; round++) {
        double level = (low + high) / 2, sum = 0;

        for (unsigned j = 0; j < n; j++)
            sum += MIN(1.0, level * weights[j]);
        *(sum < MIN(nr, n) ? &low : &high) = level;
    }
    return MIN(1.0, low * weights[i]);
}

/* One domain for each weight, all busy for 10 s. Returns the largest difference from the ideal. */
static double unfairness(unsigned nr, const unsigned *weights, unsigned n)
{
    double worst = 0;

    machine_with(nr);
    for (unsigned i = 0; i < n; i++)
        add((domid_t)(i + 1), 1, weights[i], ~0ull, 0);
    run_for(2000 * MS);
    account_all();
    begin_measuring();
    run_for(10000 * MS);
    account_all();
    for (unsigned i = 0; i < n; i++) {
        double want = ideal(weights, n, nr, i), got = share(&actors[i], 10000 * MS);

        worst = MAX(worst, MAX(got - want, want - got));
        printf("# %4u %6u %6.3f %6.3f %+7.3f %9lu\n", nr, weights[i], got, want, got - want,
               actors[i].worst_wait / 1000000);
    }
    assert_true(worst_idle <= MS);
    machine_ends();
    return worst;
}

#define FAIR(nr, ...)                                                                   \
    do {                                                                                \
        static const unsigned weights[] = { __VA_ARGS__ };                              \
        assert_true(unfairness(nr, weights, ARRAY_SIZE(weights)) <= 0.03);              \
    } while (0)

static void shares_are_max_min(void **state)
{
    (void)state;
    printf("# CPUs weight  share  ideal    diff  longest wait, ms\n");
    FAIR(1, 256, 512, 1024);
    FAIR(2, 256, 256);
    FAIR(2, 256, 256, 256);
    FAIR(2, 256, 256, 256, 256, 256);
    FAIR(2, 1024, 256, 256);
    FAIR(2, 512, 256, 256, 256);
    FAIR(2, 65535, 1, 1);
    FAIR(3, 256, 256, 256, 256);
    FAIR(4, 128, 256, 512, 1024, 256, 128);
    FAIR(4, 256, 256, 256, 256, 256, 256, 256);
    FAIR(8, 256, 256, 256, 256, 256, 256, 256, 256, 256);
    FAIR(8, 512, 512, 512, 256, 256, 256, 256, 256, 256, 256, 256, 128);
}

/* Weight is per vCPU: a guest with twice the vCPUs has twice the share. */
static void weight_is_for_each_vcpu(void **state)
{
    (void)state;
    machine_with(2);
    add(1, 4, 256, ~0ull, 0);
    add(2, 2, 256, ~0ull, 0);
    run_for(2000 * MS);
    account_all();
    begin_measuring();
    run_for(6000 * MS);
    account_all();
    for (unsigned i = 0; i < nr_actors; i++)
        assert_in_range(share(&actors[i], 6000 * MS) * 1000, 303, 363);
    machine_ends();
}

/* Among equals nobody waits longer than two slices for each that the fullest queue can have, with
 * one that balance brings. */
static void nobody_waits_for_long(void **state)
{
    static const unsigned most[][2] = { { 1, 4 }, { 2, 3 }, { 2, 5 }, { 4, 7 }, { 8, 9 } };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(most); i++) {
        unsigned nr = most[i][0], n = most[i][1], queue = (n + nr - 1) / nr + 1;
        uint64_t worst = 0;

        machine_with(nr);
        for (unsigned j = 0; j < n; j++)
            add((domid_t)(j + 1), 1, 256, ~0ull, 0);
        run_for(2000 * MS);
        begin_measuring();
        run_for(4000 * MS);
        for (unsigned j = 0; j < n; j++)
            worst = MAX(worst, actors[j].worst_wait);
        printf("# %u vCPUs on %u CPUs: longest wait %lu ms\n", n, nr, worst / 1000000);
        assert_in_range(worst, 0, 2 * slice_ns() * queue);
        machine_ends();
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_max_min),
        cmocka_unit_test(weight_is_for_each_vcpu),
        cmocka_unit_test(nobody_waits_for_long),
    };

    return cmocka_run_group_tests_name("sched_cpus", tests, NULL, NULL);
}
