/* Which exceptions CR0, CR4 and a pending x87 exception make of each row of the maps of SSE and
 * x87, in the vmm's core: the rules of the SDM, written down once more. */
#include "cmocka_main.h"
#include <string.h>
#include "tests/unit/vmm_fx_fixture.h"

#define FSW_PENDING 0x8081u             /* IE, ES, B */

static const struct setting {
    const char *name;
    uint64_t cr0, no_cr4;
    bool pending;
} settings[] = {
    { "as usual", CR0_NE, 0, false },
    { "EM", CR0_NE | CR0_EM, 0, false },
    { "TS", CR0_NE | CR0_TS, 0, false },
    { "EM and TS", CR0_NE | CR0_EM | CR0_TS, 0, false },
    { "no OSFXSR", CR0_NE, CR4_OSFXSR, false },
    { "no OSFXSR, and TS", CR0_NE | CR0_TS, CR4_OSFXSR, false },
    { "an exception pending", CR0_NE, 0, true },
    { "an exception pending, and TS", CR0_NE | CR0_TS, 0, true },
    { "an exception pending, without NE", 0, 0, true },
};

static bool has_register(const struct fx_row *row, const char *letters, bool memory)
{
    static const char *const names[] = {
#define OPERAND(name, kind, size, tail) [FORM_##name] = #name,
#include "common/x86/operands.def"
#undef OPERAND
    };

    for (unsigned i = 0; i < 3; i++) {
        char letter = names[row->forms[i]][0];

        if (letter != '_' && strchr(letters, letter) && !(memory && letter == 'Q'))
            return true;
    }
    return false;
}

/* SDM vol. 3, tables 23-2 to 23-8: in this order. */
static int expected_of_sse(const struct fx_row *row, const struct setting *s, bool memory)
{
    bool xmm = has_register(row, "VW", memory), mmx = has_register(row, "PQ", memory);

    if ((s->cr0 & CR0_EM) || (xmm && (s->no_cr4 & CR4_OSFXSR)))
        return VECTOR_UD;
    if (s->cr0 & CR0_TS)
        return VECTOR_NM;
    return s->pending && (mmx || row->op == OP_EMMS) && (s->cr0 & CR0_NE) ? VECTOR_MF : FX_NONE;
}

static int expected_of_x87(const struct fx_row *row, const struct setting *s, bool memory)
{
    static const uint16_t do_not_wait[] = {
        OP_FNINIT, OP_FNCLEX, OP_FNSTCW, OP_FNSTSW, OP_FNSTENV, OP_FNSAVE, OP_FENI8087_NOP,
        OP_FDISI8087_NOP, OP_FSETPM287_NOP,
    };

    (void)memory;
    if (s->cr0 & (CR0_EM | CR0_TS))
        return VECTOR_NM;
    for (unsigned i = 0; i < ARRAY_SIZE(do_not_wait); i++)
        if (row->op == do_not_wait[i])
            return FX_NONE;
    return s->pending && (s->cr0 & CR0_NE) ? VECTOR_MF : FX_NONE;
}

static int expected_of_images(const struct fx_row *row, const struct setting *s, bool memory)
{
    bool is_mxcsr = row->op == OP_LDMXCSR || row->op == OP_STMXCSR;

    (void)memory;
    if ((s->cr0 & CR0_EM) || (is_mxcsr && (s->no_cr4 & CR4_OSFXSR)))
        return VECTOR_UD;
    return s->cr0 & CR0_TS ? VECTOR_NM : FX_NONE;
}

typedef int expected_fn(const struct fx_row *row, const struct setting *s, bool memory);

static void check_setting(const struct fx_opcode *opcode, const struct fx_row *row,
                          const struct setting *s, expected_fn *expected)
{
    uint8_t bytes[MAX_INSN];
    unsigned len = fx_encode(opcode, row, bytes);
    struct insn in;
    int vector;

    fx_reset();
    fx_cpu->cr0 = (fx_cpu->cr0 & ~CR0_NE) | s->cr0;
    fx_cpu->cr4 &= ~s->no_cr4;
    if (s->pending) {
        fx_cpu->fx.fcw &= (uint16_t)~1u;
        fx_cpu->fx.fsw |= FSW_PENDING;
    }
    assert_true(decode_insn(bytes, len, MODE_64, &in));
    vector = fx_emulate(bytes, len);
    if (vector != expected(row, s, in.memory))
        fail_msg("%s, %s: exception %d, not %d", row->name, s->name, vector,
                 expected(row, s, in.memory));
}

static unsigned check_rows(const struct fx_opcode *opcodes, expected_fn *expected)
{
    unsigned nr_rows = 0;

    for (; opcodes->rows != NULL; opcodes++)
        for (const struct fx_row *row = opcodes->rows; row->name != NULL; row++, nr_rows++)
            for (unsigned i = 0; i < 8 * ARRAY_SIZE(settings) && fx_is_served(row); i++)
                check_setting(opcodes, row, &settings[i % ARRAY_SIZE(settings)], expected);
    return nr_rows;
}

static void control_registers_decide(void **state)
{
    (void)state;
    assert_true(check_rows(fx_sse, expected_of_sse) > 250);
    assert_true(check_rows(fx_x87, expected_of_x87) > 130);
    assert_int_equal(check_rows(fx_images, expected_of_images), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(control_registers_decide, fx_setup, fx_teardown),
    };

    return cmocka_run_group_tests_name("SSE and x87 under CR0 and CR4", tests, NULL, NULL);
}
