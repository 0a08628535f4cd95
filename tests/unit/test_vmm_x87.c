/* x87 in the vmm's core, and the state of all that is in FXSAVE's image: every row of map_x87.def,
 * FXSAVE, FXRSTOR, LDMXCSR and STMXCSR against the host's CPU, with random state and memory,
 * exceptions included. What the control registers have to say is test_vmm_fx.c's. VMM_CASES=n: so
 * many cases of each row. */
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "tests/unit/vmm_fx_fixture.h"
#include "tests/unit/vmm_native.h"

#define CASES_OF_A_ROW 300

/* MXCSR in memory, which a random number hardly ever is. */
static void make_loadable(const struct fx_row *row, const uint64_t regs[18])
{
    unsigned offset = row->op == OP_LDMXCSR ? 0 : 24;
    uint64_t address = regs[RBX];

    if (row->op != OP_LDMXCSR && row->op != OP_FXRSTOR && row->op != OP_FXRSTOR64)
        return;
    if (address >= NATIVE_DATA && address < NATIVE_READ_ONLY - 512 && fx_random() % 4)
        memset((uint8_t *)(uintptr_t)address + offset + 2, 0, 2);
}

static unsigned nr_cases(void)
{
    const char *cases = getenv("VMM_CASES");

    return cases ? (unsigned)strtoul(cases, NULL, 0) : CASES_OF_A_ROW;
}

static void run_x87(void)
{
    fx_run_rows(fx_x87, nr_cases(), NULL);
}

static void run_images(void)
{
    fx_run_rows(fx_images, nr_cases(), make_loadable);
}

static void every_row_is_as_on_the_host(void **state)
{
    (void)state;
    fx_in_child(run_x87);
}

static void images_are_as_on_the_host(void **state)
{
    (void)state;
    fx_in_child(run_images);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_as_on_the_host),
        cmocka_unit_test(images_are_as_on_the_host),
    };

    return cmocka_run_group_tests_name("x87 and the host's CPU", tests, NULL, NULL);
}
