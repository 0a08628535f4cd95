/* Way 3's translated code, run by this process, against the core alone: vmm_translated.h says how.
 * SEED in the environment chooses other programs. */
#include "cmocka_main.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/vmm_cases.h"
#include "tests/unit/vmm_programs.h"

#define MAX_STEPS 3000u

static struct pair pair;

static void set_seed(void)
{
    const char *chosen = getenv("SEED");

    random_seed = chosen != NULL ? strtoull(chosen, NULL, 0) | 1 : 0x9e3779b97f4a7c15;
}

static void make_program(struct program *program, uint64_t *data)
{
    random_program(program, 4 + random_below(24));
    *data = random64();
    load_program(&pair, program, *data);
}

/* Of nr programs in lockstep: how many came to their end. */
static unsigned run_programs(unsigned nr, const struct lockstep *how, bool then_alone)
{
    struct program program;
    unsigned whole = 0;
    uint64_t data;

    for (unsigned i = 0; i < nr; i++) {
        make_program(&program, &data);
        run_lockstep(&pair, how);
        assert_null(check_chains(pair.translated));
        if (pair.foreign || pair.core->stop == STOP_NOT)
            continue;
        whole++;
        if (!then_alone)
            continue;
        load_program(&pair, &program, data);
        run_translated_alone(&pair);
        run_core_alone(&pair, MAX_STEPS);
        compare_pair(&pair, "at full speed");
        assert_null(check_chains(pair.translated));
    }
    return whole;
}

/* Every host instruction of every block that runs; then at full speed, to the same end. */
static void every_point_is_a_state_of_the_guest(void **state)
{
    static const struct lockstep how = { .max_steps = MAX_STEPS };

    (void)state;
    set_seed();
    assert_true(run_programs(400, &how, true) > 40);
}

static void interrupts_come_at_any_point(void **state)
{
    static const struct lockstep how = { .max_steps = MAX_STEPS, .interrupts = 12 };

    (void)state;
    set_seed();
    assert_true(run_programs(300, &how, false) > 30);
}

/* What is mapped back is all that the guest is: the core takes it to the same end. */
static void the_core_goes_on_from_any_point(void **state)
{
    static const struct lockstep how = { .max_steps = MAX_STEPS, .interrupts = 20, .leave = 6 };

    (void)state;
    set_seed();
    assert_true(run_programs(300, &how, false) > 30);
}

/* The same, at each point once. */
static void the_core_goes_on_from_every_point(void **state)
{
    (void)state;
    set_seed();
    for (unsigned i = 0; i < 12; i++) {
        struct lockstep how = { .max_steps = 300 };
        struct program program;
        unsigned nr_points;
        uint64_t data;

        random_program(&program, 3);
        data = random64();
        load_program(&pair, &program, data);
        run_lockstep(&pair, &how);
        nr_points = pair.foreign ? 0 : pair.nr_points;
        for (how.leave_at = 1; how.leave_at <= nr_points; how.leave_at++) {
            load_program(&pair, &program, data);
            run_lockstep(&pair, &how);
            assert_false(pair.foreign);
        }
    }
}

static int make_pair(void **state)
{
    (void)state;
    return translated_init(&pair) ? 0 : -1;
}
static int free_pair(void **state)
{
    (void)state;
    translated_free(&pair);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_point_is_a_state_of_the_guest),
        cmocka_unit_test(interrupts_come_at_any_point),
        cmocka_unit_test(the_core_goes_on_from_any_point),
        cmocka_unit_test(the_core_goes_on_from_every_point),
    };

    return cmocka_run_group_tests(tests, make_pair, free_pair);
}
