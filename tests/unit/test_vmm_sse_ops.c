/* MMX, SSE and SSE2 by way 1's operations: every row of map_sse.def against the host's CPU, as
 * test_vmm_sse.c has it of the core. Each instruction is a block of its own. VMM_CASES=n: so many
 * cases of each row. */
#include "cmocka_main.h"
#include <stdlib.h>
#include "tests/unit/vmm_fx_fixture.h"
#include "tests/unit/vmm_one_block.h"

#define CASES_OF_A_ROW 300

/* What has no operation: MMX registers, and what is rare. */
static bool is_generic(const struct insn_case *k)
{
    static const uint16_t rare[] = { OP_PINSRW, OP_PEXTRW, OP_MASKMOVDQU, OP_EMMS };

    for (unsigned i = 0; i < 3; i++)
        if (k->forms[i] == FORM_Pq || k->forms[i] == FORM_Qq || k->forms[i] == FORM_Qd)
            return true;
    for (unsigned i = 0; i < ARRAY_SIZE(rare); i++)
        if (rare[i] == k->op)
            return true;
    return false;
}

static int run_as_block(const uint8_t *bytes, unsigned len)
{
    struct insn in;
    enum one_block end = run_one_block(fx_cpu, bytes, len);

    if (end == BLOCK_NONE || !decode_insn(bytes, len, MODE_64, &in))
        fx_fail("no block can be made");
    if (is_generic(find_case(&in)) != was_generic())
        fx_fail("opcode %#x, prefix %#x: is it to be generic?", in.opcode, in.rep);
    return end == BLOCK_FAULT ? fx_cpu->fault.vector : FX_NONE;
}

static void run_rows(void)
{
    const char *cases = getenv("VMM_CASES");

    fx_executed_by = run_as_block;
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

    return cmocka_run_group_tests_name("SSE operations and the host's CPU", tests, NULL, NULL);
}
