/* MMX, SSE and SSE2 by way 1's operations: every row of map_sse.def against the host's CPU, as
 * test_vmm_sse.c has it of the core. Each instruction is a block of its own. VMM_CASES=n: so many
 * cases of each row. */
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "guest-pv/vmm/emulate/lazy.h"
#include "guest-pv/vmm/emulate/ops.h"
#include "tests/unit/vmm_fx_fixture.h"

#define CASES_OF_A_ROW 300

static struct emulator emulator;
static struct {
    struct block block;
    struct op ops[BLOCK_INSNS + 2];
} made;
static struct kept_insn kept;

static const struct kept_insn *keep(struct cpu *c, const struct insn *in, const struct insn_case *k)
{
    (void)c;
    kept = (struct kept_insn){ *in, k };
    return &kept;
}

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

/* The instruction as a block, which its end leaves: no block is chained to it. */
static int run_as_block(const uint8_t *bytes, unsigned len)
{
    struct cpu *c = fx_cpu;
    struct build b = { .c = c, .rip = c->regs[REG_RIP], .bytes = bytes, .len = len, .keep = keep };

    if (!build_ops(&b))
        fx_fail("no block can be made");
    if (is_generic(kept.k) != (b.ops[0].run == generic))
        fx_fail("opcode %#x, prefix %#x: is it to be generic?", kept.in.opcode, kept.in.rep);
    c->emulator = &emulator;
    emulator.fault = false;
    memcpy(made.ops, b.ops, b.nr_ops * sizeof(b.ops[0]));
    made.block = (struct block){
        .mapping = c->mapping, .rip = b.rip, .offsets = b.offsets, .nr_insns = b.nr_insns,
    };
    c->block = &made.block;
    c->budget = 1000;
    rflags_to_lazy(c);
    made.ops[0].run(c, made.ops);
    lazy_to_rflags(c);
    return emulator.fault ? c->fault.vector : FX_NONE;
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
