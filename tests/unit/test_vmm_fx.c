/* What the host's CPU cannot show to a process, of MMX, SSE and x87 in the vmm's core: exceptions
 * by CR0 and CR4 of single instructions, rights to memory, pointers in images, what later
 * extensions have. Each row of the maps under the control registers is test_vmm_fx_control.c's,
 * results are test_vmm_sse.c's and test_vmm_x87.c's. */
#include "cmocka_main.h"
#include <string.h>
#include "tests/unit/vmm_fx_fixture.h"

#define MXCSR_MASKED 0x1f80u
#define FSW_PENDING 0x8081u             /* IE, ES, B */

static uint8_t *data(uint64_t linear)
{
    return fx_cpu->ram.bytes + linear;
}

#define EMULATE(...)                                   \
    ({                                                 \
        static const uint8_t code_[] = { __VA_ARGS__ };\
        fx_emulate(code_, sizeof(code_));              \
    })

/* FWAIT obeys TS only with MP. */
static void fwait(void **state)
{
    (void)state;
    assert_int_equal(EMULATE(0x9b), FX_NONE);
    fx_cpu->cr0 |= CR0_TS;
    assert_int_equal(EMULATE(0x9b), FX_NONE);
    fx_cpu->cr0 |= CR0_MP;
    assert_int_equal(EMULATE(0x9b), VECTOR_NM);
    fx_cpu->cr0 &= ~(CR0_TS | CR0_MP);
    fx_cpu->cr0 |= CR0_EM;
    fx_cpu->fx.fsw = FSW_PENDING;
    assert_int_equal(EMULATE(0x9b), VECTOR_MF);
}

/* DIVSS of 1 by 0, which raises ZE. */
static void floating_point_exceptions(void **state)
{
    static const float one = 1;

    (void)state;
    memcpy(fx_cpu->fx.xmm[0], &one, 4);
    fx_cpu->fx.mxcsr = MXCSR_MASKED & ~(1u << 9);
    assert_int_equal(EMULATE(0xf3, 0x0f, 0x5e, 0xc1), VECTOR_XM);
    assert_int_equal(fx_cpu->fx.mxcsr, (MXCSR_MASKED & ~(1u << 9)) | 1u << 2);
    assert_memory_equal(fx_cpu->fx.xmm[0], &one, 4);
    assert_int_equal(fx_cpu->regs[REG_RIP], 0);
    fx_cpu->cr4 &= ~CR4_OSXMMEXCPT;
    assert_int_equal(EMULATE(0xf3, 0x0f, 0x5e, 0xc1), VECTOR_UD);
    fx_cpu->fx.mxcsr = MXCSR_MASKED;
    assert_int_equal(EMULATE(0xf3, 0x0f, 0x5e, 0xc1), FX_NONE);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void stack_operands_raise_ss(void **state)
{
    (void)state;
    fx_cpu->regs[RBP] = 1ull << 62;
    assert_int_equal(EMULATE(0x0f, 0x10, 0x45, 0x00), VECTOR_SS);       /* movups 0(%rbp), %xmm0 */
    assert_int_equal(EMULATE(0x0f, 0x11, 0x45, 0x00), VECTOR_SS);
    assert_int_equal(EMULATE(0xdd, 0x45, 0x00), VECTOR_SS);             /* fldl 0(%rbp) */
    assert_int_equal(EMULATE(0xdd, 0x75, 0x00), VECTOR_SS);             /* fnsave 0(%rbp) */
}

/* MASKMOVDQU over the end of what may be written: only pages that get a byte count, and none is
 * written when one of them cannot be. */
static void masked_stores_are_all_or_nothing(void **state)
{
    static const uint8_t nothing[16];
    uint64_t end = NATIVE_READ_ONLY;

    (void)state;
    fx_cpu->regs[RDI] = end - 8;
    memset(fx_cpu->fx.xmm[0], 0xab, 16);
    memset(fx_cpu->fx.xmm[1], 0, 16);
    assert_int_equal(EMULATE(0x66, 0x0f, 0xf7, 0xc1), FX_NONE);
    fx_cpu->fx.xmm[1][3] = fx_cpu->fx.xmm[1][12] = 0x80;
    assert_int_equal(EMULATE(0x66, 0x0f, 0xf7, 0xc1), VECTOR_PF);
    assert_int_equal(fx_cpu->fault.error, 7);
    assert_int_equal(fx_cpu->fault.address, end + 4);
    assert_memory_equal(data(end - 8), nothing, 8);
    fx_cpu->fx.xmm[1][12] = 0x7f;
    assert_int_equal(EMULATE(0x66, 0x0f, 0xf7, 0xc1), FX_NONE);
    assert_int_equal(*data(end - 5), 0xab);
    assert_int_equal(*data(end - 4), 0);
}

/* An x87 store that faults has not popped; one that an exception keeps from storing has neither. */
static void stores_that_do_not_happen(void **state)
{
    (void)state;
    assert_int_equal(EMULATE(0xd9, 0xe8), FX_NONE);                     /* fld1 */
    fx_cpu->regs[RBX] = NATIVE_READ_ONLY;
    assert_int_equal(EMULATE(0xdd, 0x1b), VECTOR_PF);                   /* fstpl (%rbx) */
    assert_int_equal(fx_cpu->fx.ftw, 0x80);
    fx_cpu->regs[RBX] = FX_DATA;
    memset(data(FX_DATA), 0x55, 8);
    fx_cpu->fx.fcw &= (uint16_t)~1u;
    fx_cpu->fx.ftw = 0;
    assert_int_equal(EMULATE(0xdd, 0x1b), FX_NONE);                     /* an empty register: IE */
    assert_int_equal(*data(FX_DATA), 0x55);
    assert_int_equal(fx_cpu->fx.fsw & FSW_PENDING, FSW_PENDING);
    assert_int_equal(EMULATE(0xdd, 0x1b), VECTOR_MF);
    assert_int_equal(EMULATE(0xdf, 0xe0), FX_NONE);                     /* fnstsw %ax */
}

/* --- Images ----------------------------------------------------------------------------------- */

/* FADDS at FS:(RBX): where FNSTENV, FNSAVE with the prefix and FXSAVE say that it was. */
static void pointers_are_the_last_instruction(void **state)
{
    uint32_t env[7];
    uint16_t short_env[7];
    struct fx_state image;

    (void)state;
    fx_cpu->seg[SEG_FS].base = 16;
    fx_cpu->regs[REG_RIP] = 0x123456789abull;
    assert_int_equal(EMULATE(0x64, 0xd8, 0x03), FX_NONE);
    assert_int_equal(EMULATE(0x9b), FX_NONE);
    assert_int_equal(EMULATE(0xd9, 0x33), FX_NONE);                     /* fnstenv (%rbx) */
    memcpy(env, data(FX_DATA), sizeof(env));
    assert_int_equal(env[3], 0x456789ab);
    assert_int_equal(env[4] >> 16, 0x003);
    assert_int_equal(env[5], FX_DATA);
    assert_int_equal(EMULATE(0x48, 0x0f, 0xae, 0x03), FX_NONE);         /* fxsave64 (%rbx) */
    memcpy(&image, data(FX_DATA), sizeof(image));
    assert_true(image.fip == 0x123456789abull && image.fdp == FX_DATA && image.fop == 0x003);
    assert_int_equal(image.mxcsr_mask, 0xffff);
    assert_int_equal(EMULATE(0x0f, 0xae, 0x03), FX_NONE);               /* fxsave (%rbx) */
    memcpy(&image, data(FX_DATA), sizeof(image));
    assert_true(image.fip == 0x456789ab);
    assert_int_equal(EMULATE(0x66, 0xdd, 0x33), FX_NONE);               /* fnsavew (%rbx) */
    memcpy(short_env, data(FX_DATA), sizeof(short_env));
    assert_int_equal(short_env[3], 0x89ab);
    assert_true(fx_cpu->fx.fip == 0 && fx_cpu->fx.fop == 0);
}

static void loads_of_reserved_bits_change_nothing(void **state)
{
    struct fx_state before = fx_cpu->fx;
    uint32_t bad = 0x10000;

    (void)state;
    memcpy(data(FX_DATA), &bad, 4);
    memcpy(data(FX_DATA) + offsetof(struct fx_state, mxcsr), &bad, 4);
    assert_int_equal(EMULATE(0x0f, 0xae, 0x13), VECTOR_GP);             /* ldmxcsr (%rbx) */
    assert_int_equal(EMULATE(0x48, 0x0f, 0xae, 0x0b), VECTOR_GP);       /* fxrstor64 (%rbx) */
    assert_memory_equal(&fx_cpu->fx, &before, sizeof(before));
}

/* --- Not served ------------------------------------------------------------------------------- */

static const struct fx_opcode opcodes_behind_38[] = {
#define CASE(select, op, a, b, c, extra) \
    { #op, (select), OP_##op, { FORM_##a, FORM_##b, FORM_##c } }
#define CASES(...) (const struct fx_row[]){ __VA_ARGS__, { .name = NULL } }
#define ONE(opcode, op, a, b, c, extra) { opcode, CASES(CASE(0, op, a, b, c, extra)) }
#define RUN(opcode, n, op, a, b, c, extra) ONE(opcode, op, a, b, c, extra)
#define OPCODE(opcode, entry, ...) { opcode, CASES(__VA_ARGS__) }
#include "common/x86/map_38.def"
    { 0, NULL },
};

static void later_extensions_are_undefined(void **state)
{
    uint8_t bytes[MAX_INSN];
    unsigned nr_rows = 0;

    (void)state;
    for (const struct fx_opcode *o = opcodes_behind_38; o->rows != NULL; o++)
        for (const struct fx_row *row = o->rows; row->name != NULL; row++, nr_rows++)
            for (unsigned i = 0; i < 8; i++)
                if (fx_emulate(bytes, fx_encode(o, row, bytes)) != VECTOR_UD)
                    fail_msg("%s is executed", row->name);
    assert_true(nr_rows > 100);
    assert_int_equal(EMULATE(0xc5, 0xf8, 0x58, 0xc1), VECTOR_UD);       /* vaddps */
    assert_int_equal(EMULATE(0xc4, 0xe1, 0x78, 0x58, 0xc1), VECTOR_UD);
    assert_int_equal(EMULATE(0xf0, 0x0f, 0x58, 0xc1), VECTOR_UD);       /* lock addps */
    assert_int_equal(EMULATE(0x0f, 0x0d, 0xc1, 0x9e), VECTOR_UD);       /* 3DNow! */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)
        TEST(fwait),
        TEST(floating_point_exceptions),
        TEST(stack_operands_raise_ss),
        TEST(masked_stores_are_all_or_nothing),
        TEST(stores_that_do_not_happen),
        TEST(pointers_are_the_last_instruction),
        TEST(loads_of_reserved_bits_change_nothing),
        TEST(later_extensions_are_undefined),
    };

    return cmocka_run_group_tests_name("SSE and x87 beside the host's CPU", tests, NULL, NULL);
}
