/* Segment registers of the vmm's guest: which selectors each may be loaded with, at which CPL and
 * RPL, with which exception otherwise; hidden parts, accessed and busy bits; the shadow of a load
 * of SS; LDTR, TR; LAR, LSL, VERR, VERW. */
#include "cmocka_main.h"
#include <string.h>
#include "tests/unit/vmm_kernel.h"

#define OK 0xff

/* MOV Sreg, EAX */
#define MOV_TO(seg) 0x8e, (uint8_t)(0xc0 | (seg) << 3)

static struct cpu *c;

static int setup(void **state)
{
    (void)state;
    c = vmm_kernel_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vmm_cpu_free(c);
    return 0;
}

static void at_cpl(unsigned cpl)
{
    if (cpl == 3)
        vmm_enter_user(c);
    else
        set_cpl(c, cpl);
    c->regs[REG_RIP] = CODE_AT;
}

/* --- MOV -------------------------------------------------------------------------------------- */

static const struct {
    uint16_t selector;
    uint8_t seg, cpl, vector;
    uint16_t error;
} loads[] = {
    { KERNEL_SS, SEG_DS, 0, OK, 0 },
    { USER_SS, SEG_ES, 0, OK, 0 },
    { USER_SS, SEG_ES, 3, OK, 0 },
    { KERNEL_SS, SEG_DS, 3, VECTOR_GP, KERNEL_SS },             /* CPL > DPL */
    { KERNEL_SS | 3, SEG_DS, 0, VECTOR_GP, KERNEL_SS },         /* RPL > DPL */
    { DATA_DPL_1 | 1, SEG_FS, 1, OK, 0 },
    { DATA_DPL_1, SEG_FS, 2, VECTOR_GP, DATA_DPL_1 },
    { DATA_READ_ONLY, SEG_GS, 0, OK, 0 },
    { KERNEL_CS, SEG_DS, 0, OK, 0 },                            /* readable code */
    { CODE_EXECUTE_ONLY, SEG_DS, 0, VECTOR_GP, CODE_EXECUTE_ONLY },
    { CODE_CONFORMING | 3, SEG_DS, 3, OK, 0 },                  /* whatever the DPL */
    { TSS_SELECTOR, SEG_DS, 0, VECTOR_GP, TSS_SELECTOR },
    { DATA_ABSENT, SEG_DS, 0, VECTOR_NP, DATA_ABSENT },
    { LDT_DATA, SEG_DS, 0, OK, 0 },
    { LDT_DATA + 8, SEG_DS, 0, VECTOR_GP, LDT_DATA + 8 },
    { GDT_LIMIT + 1, SEG_DS, 0, VECTOR_GP, GDT_LIMIT + 1 },
    { 0, SEG_DS, 3, OK, 0 },
    { 3, SEG_FS, 3, OK, 0 },
    { KERNEL_SS, SEG_SS, 0, OK, 0 },
    { USER_SS, SEG_SS, 3, OK, 0 },
    { USER_SS, SEG_SS, 0, VECTOR_GP, USER_SS & ~3 },            /* RPL, DPL are not the CPL */
    { KERNEL_SS, SEG_SS, 3, VECTOR_GP, KERNEL_SS },
    { USER_SS & ~3, SEG_SS, 3, VECTOR_GP, USER_SS & ~3 },
    { DATA_DPL_1 | 1, SEG_SS, 1, OK, 0 },
    { DATA_DPL_1, SEG_SS, 0, VECTOR_GP, DATA_DPL_1 },
    { DATA_READ_ONLY, SEG_SS, 0, VECTOR_GP, DATA_READ_ONLY },
    { KERNEL_CS, SEG_SS, 0, VECTOR_GP, KERNEL_CS },
    { DATA_ABSENT, SEG_SS, 0, VECTOR_SS, DATA_ABSENT },
    { GDT_LIMIT + 1, SEG_SS, 0, VECTOR_GP, GDT_LIMIT + 1 },
    { 0, SEG_SS, 0, OK, 0 },
    { 1, SEG_SS, 1, OK, 0 },
    { 1, SEG_SS, 0, VECTOR_GP, 0 },
    { 3, SEG_SS, 3, VECTOR_GP, 0 },
};

static void loads_by_mov(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(loads); i++) {
        struct segment *s = &c->seg[loads[i].seg], before;
        bool ok = loads[i].vector == OK;

        at_cpl(loads[i].cpl);
        c->regs[RAX] = 0xabcd0000 | loads[i].selector;
        before = *s;
        if (EXECUTE(c, MOV_TO(loads[i].seg)) != ok ||
            (!ok && (c->fault.vector != loads[i].vector || c->fault.error != loads[i].error)))
            fail_msg("row %u: vector %u, error code %x", i, c->fault.vector, c->fault.error);
        if (ok) {
            assert_int_equal(s->selector, loads[i].selector);
            assert_int_equal(c->shadow, loads[i].seg == SEG_SS);
            assert_int_equal(c->bases_set, loads[i].seg == SEG_FS || loads[i].seg == SEG_GS);
        } else {
            assert_memory_equal(s, &before, sizeof(before));
            assert_int_equal(c->regs[REG_RIP], CODE_AT);
        }
        c->shadow = c->bases_set = false;
    }
}

static void hidden_parts(void **state)
{
    uint64_t *descriptor = vmm_word(c, KERNEL_GDT + DATA_READ_ONLY);

    (void)state;
    c->regs[RAX] = DATA_READ_ONLY;
    assert_int_equal(*descriptor >> 40 & 1, 0);
    assert_true(EXECUTE(c, MOV_TO(SEG_GS)));
    assert_int_equal(c->seg[SEG_GS].base, 0x56120000);
    assert_int_equal(c->seg[SEG_GS].limit, 0xefffffffu);
    assert_int_equal(c->seg[SEG_GS].access, 0xc091);
    assert_int_equal(*descriptor, 0x56ce91120000ffff);          /* accessed */
    c->regs[RAX] = 0;
    assert_true(EXECUTE(c, MOV_TO(SEG_GS)));
    assert_int_equal(c->seg[SEG_GS].base, 0);
    assert_int_equal(c->seg[SEG_GS].access, 0);
}

static void selectors_from_memory(void **state)
{
    (void)state;
    c->regs[RBX] = DATA_AT;
    *vmm_word(c, DATA_AT) = USER_SS;
    assert_true(EXECUTE(c, 0x8e, 0x1b));                        /* mov (%rbx),%ds */
    assert_int_equal(c->seg[SEG_DS].selector, USER_SS);
    c->regs[RBX] = ABSENT;
    EXPECT_FAULT(c, VECTOR_PF, 0, 0x8e, 0x1b);
    c->regs[RAX] = 0xffffffffffffffff;
    assert_true(EXECUTE(c, 0x8c, 0xd8));                        /* mov %ds,%eax */
    assert_int_equal(c->regs[RAX], USER_SS);
    c->gdtr.base = ABSENT;
    c->regs[RAX] = KERNEL_SS;
    EXPECT_FAULT(c, VECTOR_PF, 0, MOV_TO(SEG_DS));
    c->gdtr.base = KERNEL_GDT;
    c->gdtr.limit = KERNEL_SS + 6;      /* its last byte is outside */
    EXPECT_FAULT(c, VECTOR_GP, KERNEL_SS, MOV_TO(SEG_DS));
    c->gdtr.limit++;
    assert_true(EXECUTE(c, MOV_TO(SEG_DS)));
    EXPECT_FAULT(c, VECTOR_UD, 0, MOV_TO(SEG_CS));
}

/* The descriptor is the kernel's to read and to write whatever the CPL. */
static void descriptors_are_read_by_the_cpu(void **state)
{
    uint64_t *l2 = vmm_word(c, 0x3000);

    (void)state;
    l2[1] = 0xe3;                       /* the same memory again, without U */
    c->gdtr.base += 0x200000;
    at_cpl(3);
    c->regs[RAX] = USER_SS;
    assert_true(EXECUTE(c, MOV_TO(SEG_DS)));
}

/* --- Pops and pointers ------------------------------------------------------------------------ */

static void pops(void **state)
{
    (void)state;
    *vmm_word(c, KERNEL_STACK - 0x108) = 0xffffffff0000 | USER_SS;
    assert_true(EXECUTE(c, 0x0f, 0xa1));                        /* pop %fs */
    assert_int_equal(c->seg[SEG_FS].selector, USER_SS);
    assert_int_equal(c->regs[RSP], KERNEL_STACK - 0x100);
    *vmm_word(c, KERNEL_STACK - 0x100) = DATA_ABSENT;
    EXPECT_FAULT(c, VECTOR_NP, DATA_ABSENT, 0x0f, 0xa9);        /* pop %gs */
    *vmm_word(c, KERNEL_STACK - 0x100) = 0;
    assert_true(EXECUTE(c, 0x66, 0x0f, 0xa9));
    assert_int_equal(c->regs[RSP], KERNEL_STACK - 0xfe);
    assert_int_equal(c->seg[SEG_GS].selector, 0);
    c->regs[RSP] = 1ull << 47;
    EXPECT_FAULT(c, VECTOR_SS, 0, 0x0f, 0xa1);
}

static void far_pointers(void **state)
{
    uint8_t *at = c->ram.bytes + DATA_AT;

    (void)state;
    c->regs[RBX] = DATA_AT;
    memcpy(at, (uint8_t[]){ 1, 2, 3, 4, KERNEL_SS, 0 }, 6);
    c->regs[RDX] = ~0ull;
    assert_true(EXECUTE(c, 0x0f, 0xb2, 0x13));                  /* lss (%rbx),%edx */
    assert_int_equal(c->regs[RDX], 0x04030201);
    assert_int_equal(c->seg[SEG_SS].selector, KERNEL_SS);
    assert_false(c->shadow);
    memcpy(at, (uint8_t[]){ 1, 2, 3, 4, 5, 6, 7, 8, USER_SS, 0 }, 10);
    assert_true(EXECUTE(c, 0x48, 0x0f, 0xb4, 0x13));            /* lfs (%rbx),%rdx */
    assert_int_equal(c->regs[RDX], 0x0807060504030201);
    assert_int_equal(c->seg[SEG_FS].selector, USER_SS);
    memcpy(at, (uint8_t[]){ 9, 9, DATA_ABSENT, 0 }, 4);
    EXPECT_FAULT(c, VECTOR_NP, DATA_ABSENT, 0x66, 0x0f, 0xb5, 0x13);
    assert_int_equal(c->regs[RDX], 0x0807060504030201);
    EXPECT_FAULT(c, VECTOR_UD, 0, 0x0f, 0xb2, 0xd3);            /* a register */
}

/* --- LDTR and TR ------------------------------------------------------------------------------ */

static const struct {
    uint16_t selector;
    uint8_t vector;
    uint16_t error;
    bool ltr;
} system_loads[] = {
    { LDT_SELECTOR, OK, 0, false },
    { 0, OK, 0, false },
    { 3, OK, 0, false },
    { TSS_SELECTOR, VECTOR_GP, TSS_SELECTOR, false },
    { KERNEL_SS, VECTOR_GP, KERNEL_SS, false },
    { LDT_ABSENT, VECTOR_NP, LDT_ABSENT, false },
    { LDT_DATA, VECTOR_GP, LDT_DATA, false },
    { GDT_LIMIT - 7, VECTOR_GP, GDT_LIMIT - 7, false },         /* its upper half is outside */
    { TSS_SELECTOR, OK, 0, true },
    { 0, VECTOR_GP, 0, true },
    { TSS_BUSY, VECTOR_GP, TSS_BUSY, true },
    { LDT_SELECTOR, VECTOR_GP, LDT_SELECTOR, true },
    { LDT_DATA, VECTOR_GP, LDT_DATA, true },
};

static void loads_of_system_segments(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(system_loads); i++) {
        bool ok = system_loads[i].vector == OK;
        bool done;

        c->regs[RAX] = system_loads[i].selector;
        done = system_loads[i].ltr ? EXECUTE(c, 0x0f, 0x00, 0xd8) : EXECUTE(c, 0x0f, 0x00, 0xd0);
        if (done != ok || (!ok && (c->fault.vector != system_loads[i].vector ||
                                   c->fault.error != system_loads[i].error)))
            fail_msg("row %u: vector %u, error code %x", i, c->fault.vector, c->fault.error);
        if (ok && system_loads[i].ltr) {
            assert_int_equal(c->tr.base, 0xffff800000000000 | KERNEL_TSS);
            assert_int_equal(c->tr.limit, TSS_LIMIT);
            assert_int_equal(*vmm_word(c, KERNEL_GDT + TSS_SELECTOR) >> 40 & 0xff, 0x8b);
            EXPECT_FAULT(c, VECTOR_GP, TSS_SELECTOR, 0x0f, 0x00, 0xd8);        /* busy */
        } else if (ok) {
            assert_int_equal(c->ldtr.selector, system_loads[i].selector);
            assert_int_equal(c->ldtr.limit, system_loads[i].selector < 4 ? 0 : LDT_LIMIT);
        }
    }
    c->regs[RAX] = LDT_DATA;            /* LDTR was loaded with null before */
    c->ldtr = (struct segment){ 0 };
    EXPECT_FAULT(c, VECTOR_GP, LDT_DATA, MOV_TO(SEG_DS));
    vmm_word(c, KERNEL_GDT + LDT_SELECTOR)[1] = 0x8000;
    c->regs[RAX] = LDT_SELECTOR;
    EXPECT_FAULT(c, VECTOR_GP, LDT_SELECTOR, 0x0f, 0x00, 0xd0); /* a base that is not canonical */
    at_cpl(3);
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x0f, 0x00, 0xd0);
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x0f, 0x00, 0xd8);
}

/* What only looks like an LDT or a TSS, or is where none may be */
static void deceptive_system_segments(void **state)
{
    const uint64_t *tss = vmm_word(c, KERNEL_GDT + TSS_SELECTOR);

    (void)state;
    *vmm_word(c, KERNEL_GDT + TSS_BUSY) = 0x00cf92000000ffff;   /* data, with the type's number */
    c->regs[RAX] = TSS_BUSY;
    EXPECT_FAULT(c, VECTOR_GP, TSS_BUSY, 0x0f, 0x00, 0xd0);
    memcpy(vmm_word(c, KERNEL_LDT), tss, 16);
    c->ldtr.limit = 15;
    c->regs[RAX] = LDT_DATA;
    EXPECT_FAULT(c, VECTOR_GP, LDT_DATA, 0x0f, 0x00, 0xd8);
    memcpy(vmm_word(c, KERNEL_GDT), tss, 16);
    c->regs[RAX] = 0;
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x0f, 0x00, 0xd8);
}

static void stores_of_system_selectors(void **state)
{
    (void)state;
    at_cpl(3);                          /* no UMIP */
    c->regs[RAX] = ~0ull;
    assert_true(EXECUTE(c, 0x0f, 0x00, 0xc0));                  /* sldt %eax */
    assert_int_equal(c->regs[RAX], LDT_SELECTOR);
    assert_true(EXECUTE(c, 0x0f, 0x00, 0xc8));                  /* str %eax */
    assert_int_equal(c->regs[RAX], TSS_SELECTOR);
    c->regs[RBX] = DATA_AT;
    *vmm_word(c, DATA_AT) = ~0ull;
    assert_true(EXECUTE(c, 0x0f, 0x00, 0x0b));                  /* str (%rbx): a word */
    assert_int_equal(*vmm_word(c, DATA_AT), 0xffffffffffff0000 | TSS_SELECTOR);
}

/* --- Questions -------------------------------------------------------------------------------- */

static const struct {
    uint16_t selector;
    uint8_t cpl;
    bool lar, lsl, verr, verw;
    uint32_t rights, limit;
} questions[] = {
    { KERNEL_CS, 0, 1, 1, 1, 0, 0xa09b00, ~0u },
    { KERNEL_SS, 0, 1, 1, 1, 1, 0xc09300, ~0u },
    { KERNEL_SS, 3, 0, 0, 0, 0, 0, 0 },
    { KERNEL_SS | 3, 0, 0, 0, 0, 0, 0, 0 },
    { USER_SS, 3, 1, 1, 1, 1, 0xc0f300, ~0u },
    { CODE_CONFORMING | 3, 3, 1, 1, 1, 0, 0xa09f00, ~0u },
    { CODE_EXECUTE_ONLY, 0, 1, 1, 0, 0, 0xa09900, ~0u },
    { DATA_READ_ONLY, 0, 1, 1, 1, 0, 0xc09000, 0xefffffffu },
    { DATA_ABSENT, 0, 1, 1, 1, 1, 0xc01300, ~0u },
    { TSS_SELECTOR, 0, 1, 1, 0, 0, 0x008900, TSS_LIMIT },
    { TSS_BUSY, 0, 1, 1, 0, 0, 0x008b00, TSS_LIMIT },
    { LDT_SELECTOR, 0, 1, 1, 0, 0, 0x008200, LDT_LIMIT },
    { CALL_GATE, 0, 1, 0, 0, 0, 0x008c00, 0 },
    { CALL_GATE + 8, 0, 0, 0, 0, 0, 0, 0 },                     /* type 0 */
    { LDT_DATA, 0, 1, 1, 1, 1, 0xc09300, ~0u },
    { 0, 0, 0, 0, 0, 0, 0, 0 },
    { GDT_LIMIT + 1, 0, 0, 0, 0, 0, 0, 0 },
};

static bool zf(void)
{
    return (c->regs[REG_RFLAGS] & FLAG_ZF) != 0;
}

static void questions_about_selectors(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(questions); i++) {
        at_cpl(questions[i].cpl);
        c->regs[RAX] = questions[i].selector;
        c->regs[REG_RFLAGS] ^= FLAG_ZF;
        c->regs[RDX] = 1;
        assert_true(EXECUTE(c, 0x0f, 0x02, 0xd0));              /* lar %ax,%edx */
        assert_int_equal(zf(), questions[i].lar);
        assert_int_equal(c->regs[RDX], questions[i].lar ? questions[i].rights : 1);
        c->regs[RDX] = 1;
        assert_true(EXECUTE(c, 0x0f, 0x03, 0xd0));              /* lsl %ax,%edx */
        assert_int_equal(zf(), questions[i].lsl);
        assert_int_equal(c->regs[RDX], questions[i].lsl ? questions[i].limit : 1);
        assert_true(EXECUTE(c, 0x0f, 0x00, 0xe0));              /* verr %ax */
        assert_int_equal(zf(), questions[i].verr);
        assert_true(EXECUTE(c, 0x0f, 0x00, 0xe8));              /* verw %ax */
        assert_int_equal(zf(), questions[i].verw);
    }
    c->gdtr.base = ABSENT;
    c->regs[RAX] = KERNEL_SS;
    EXPECT_FAULT(c, VECTOR_PF, 0, 0x0f, 0x02, 0xd0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(loads_by_mov), TEST(hidden_parts), TEST(selectors_from_memory),
        TEST(descriptors_are_read_by_the_cpu), TEST(pops), TEST(far_pointers),
        TEST(loads_of_system_segments), TEST(deceptive_system_segments),
        TEST(stores_of_system_selectors),
        TEST(questions_about_selectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
