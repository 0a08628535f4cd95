/* MMX, SSE and SSE2 in the vmm's core: every row of map_sse.def against the host's CPU, with random
 * registers, memory and MXCSR, exceptions included; those of later extensions are #UD. What the
 * control registers have to say is test_vmm_fx.c's. VMM_CASES=n: so many cases of each row. */
#include "cmocka_main.h"
#include <stdlib.h>
#include "tests/unit/vmm_fx_fixture.h"

#define CASES_OF_A_ROW 300

static void run_rows(void)
{
    const char *cases = getenv("VMM_CASES");

    fx_run_rows(fx_sse, cases ? (unsigned)strtoul(cases, NULL, 0) : CASES_OF_A_ROW, NULL);
}

static void every_row_is_as_on_the_host(void **state)
{
    (void)state;
    fx_in_child(run_rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_as_on_the_host),
    };

    return cmocka_run_group_tests_name("SSE instructions and the host's CPU", tests, NULL, NULL);
}
