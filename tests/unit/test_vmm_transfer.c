/* Transfers of control in the vmm that change CS or the CPL: IRET to the same and to an outer
 * level, far returns, jumps and calls, SYSCALL and SYSRET, INT n, INT3, INT1, SWAPGS; each refusal
 * with its exception, and that it changes nothing. */
#include "cmocka_main.h"
#include <string.h>
#include "tests/unit/vmm_kernel.h"

#define OK 0xff
#define IRETQ 0x48, 0xcf

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

static void put_words(uint64_t at, unsigned nr, const uint64_t *words)
{
    memcpy(c->ram.bytes + at, words, nr * 8);
}
#define PUT_WORDS(at, ...)                                                                         \
    put_words((at), sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8,                                 \
              (const uint64_t[]){ __VA_ARGS__ })

/* --- IRET ------------------------------------------------------------------------------------- */

static const struct {
    uint64_t rip;
    uint16_t cs, ss;
    uint8_t cpl, vector;
    uint16_t error;
} irets[] = {
    { 0x5000, KERNEL_CS, KERNEL_SS, 0, OK, 0 },
    { 0x5000, KERNEL_CS, 0, 0, OK, 0 },                         /* null SS at CPL 0 */
    { 0x5000, USER_CS, USER_SS, 0, OK, 0 },
    { 0x5000, USER_CS, USER_SS, 3, OK, 0 },
    { 0x5000, CODE_CONFORMING, KERNEL_SS, 0, OK, 0 },
    { 0x5000, CODE_CONFORMING | 3, USER_SS, 0, OK, 0 },
    { 0x5000, USER_CS_CONFORMING | 3, USER_SS, 0, OK, 0 },
    { 0x5000, USER_CS_CONFORMING, KERNEL_SS, 0, VECTOR_GP, USER_CS_CONFORMING }, /* DPL > RPL */
    { 0x5000, 0, KERNEL_SS, 0, VECTOR_GP, 0 },
    { 0x5000, 3, KERNEL_SS, 0, VECTOR_GP, 0 },
    { 0x5000, KERNEL_CS, USER_SS, 3, VECTOR_GP, KERNEL_CS },    /* inwards */
    { 0x5000, CODE_CONFORMING, USER_SS, 3, VECTOR_GP, CODE_CONFORMING },
    { 0x5000, KERNEL_CS | 3, USER_SS, 0, VECTOR_GP, KERNEL_CS },/* DPL is not RPL */
    { 0x5000, USER_CS & ~3, KERNEL_SS, 0, VECTOR_GP, USER_CS & ~3 },
    { 0x5000, KERNEL_SS, KERNEL_SS, 0, VECTOR_GP, KERNEL_SS },  /* no code */
    { 0x5000, CODE_32, KERNEL_SS, 0, VECTOR_GP, CODE_32 },
    { 0x5000, CODE_ABSENT, KERNEL_SS, 0, VECTOR_NP, CODE_ABSENT },
    { 0x5000, GDT_LIMIT + 1, KERNEL_SS, 0, VECTOR_GP, GDT_LIMIT + 1 },
    { NOT_CANONICAL, KERNEL_CS, KERNEL_SS, 0, VECTOR_GP, 0 },
    { 0x5000, USER_CS, 3, 0, VECTOR_GP, 0 },                    /* null SS at CPL 3 */
    { 0x5000, USER_CS, KERNEL_SS, 0, VECTOR_GP, KERNEL_SS },    /* RPL of SS is not the new CPL */
    { 0x5000, KERNEL_CS, 1, 0, VECTOR_GP, 0 },
    { 0x5000, KERNEL_CS, DATA_READ_ONLY, 0, VECTOR_GP, DATA_READ_ONLY },
    { 0x5000, KERNEL_CS, DATA_ABSENT, 0, VECTOR_SS, DATA_ABSENT },
    { 0x5000, KERNEL_CS, GDT_LIMIT + 1, 0, VECTOR_GP, GDT_LIMIT + 1 },
};

static void irets_and_their_selectors(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(irets); i++) {
        bool ok = irets[i].vector == OK;

        vmm_cpu_free(c);
        c = vmm_kernel_new();
        if (irets[i].cpl == 3)
            vmm_enter_user(c);
        PUT_WORDS(c->regs[RSP], irets[i].rip, irets[i].cs, FLAG_MBS | FLAG_CF, 0x123456789,
                  irets[i].ss);
        if (!ok) {
            EXPECT_FAULT(c, irets[i].vector, irets[i].error, IRETQ);
            assert_int_equal(c->cpl, irets[i].cpl);
            assert_int_equal(c->regs[REG_RFLAGS], FLAG_MBS);
            continue;
        }
        if (!EXECUTE(c, IRETQ))
            fail_msg("row %u: vector %u, error code %x", i, c->fault.vector, c->fault.error);
        assert_int_equal(c->regs[REG_RIP], irets[i].rip);
        assert_int_equal(c->regs[RSP], 0x123456789);
        assert_int_equal(c->regs[REG_RFLAGS], FLAG_MBS | FLAG_CF);
        assert_int_equal(c->seg[SEG_CS].selector, irets[i].cs);
        assert_int_equal(c->seg[SEG_SS].selector, irets[i].ss);
        assert_int_equal(c->cpl, irets[i].cs & 3);
        assert_ptr_equal(c->tlb, &c->tlbs[c->cpl == 3]);
    }
}

#define ALL_FLAGS 0x3fffffull
#define USERS_FLAGS (0x244dd5ull | FLAG_MBS)    /* ID AC NT OF DF TF SF ZF AF PF CF */

/* Old RFLAGS, CPL, operand size, popped: what they become. */
static void flags_of_iret(void **state)
{
    static const struct {
        uint64_t old, popped, becomes;
        unsigned cpl;
    } cases[] = {
        { FLAG_MBS, ALL_FLAGS, USERS_FLAGS | FLAG_IOPL | FLAG_IF, 0 },
        { FLAG_MBS | FLAG_IOPL | FLAG_IF, 0, FLAG_MBS, 0 },
        { FLAG_MBS, ALL_FLAGS, USERS_FLAGS, 3 },
        { FLAG_MBS | FLAG_IF, 0, FLAG_MBS | FLAG_IF, 3 },
        { FLAG_MBS | FLAG_IOPL, ALL_FLAGS, USERS_FLAGS | FLAG_IOPL | FLAG_IF, 3 },
        { FLAG_MBS | FLAG_IOPL | FLAG_IF, 0, FLAG_MBS | FLAG_IOPL, 3 },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        vmm_cpu_free(c);
        c = vmm_kernel_new();
        if (cases[i].cpl == 3)
            vmm_enter_user(c);
        c->regs[REG_RFLAGS] = cases[i].old;
        PUT_WORDS(c->regs[RSP], 0x5000, c->seg[SEG_CS].selector, cases[i].popped, 0x6000,
                  c->seg[SEG_SS].selector);
        assert_true(EXECUTE(c, IRETQ));
        if (c->regs[REG_RFLAGS] != cases[i].becomes)
            fail_msg("row %u: %llx", i, (unsigned long long)c->regs[REG_RFLAGS]);
    }
}

static void iret_from_a_nested_task(void **state)
{
    (void)state;
    PUT_WORDS(c->regs[RSP], 0x5000, KERNEL_CS, FLAG_MBS, 0x6000, KERNEL_SS);
    c->regs[REG_RFLAGS] |= FLAG_NT;
    EXPECT_FAULT(c, VECTOR_GP, 0, IRETQ);
}

/* With 4 and 2 bytes a word, and always five of them. */
static void small_irets(void **state)
{
    static const uint32_t longs[] = { 0x5000, KERNEL_CS, FLAG_MBS | FLAG_AC, 0xfff06000,
                                      KERNEL_SS };
    static const uint16_t words[] = { 0x5000, KERNEL_CS, FLAG_MBS | FLAG_CF, 0x6000, KERNEL_SS };

    (void)state;
    memcpy(c->ram.bytes + c->regs[RSP], longs, sizeof(longs));
    assert_true(EXECUTE(c, 0xcf));
    assert_int_equal(c->regs[RSP], 0xfff06000);
    assert_int_equal(c->regs[REG_RFLAGS], FLAG_MBS | FLAG_AC);
    c->regs[RSP] = KERNEL_STACK - 64;
    c->regs[REG_RIP] = CODE_AT;
    memcpy(c->ram.bytes + c->regs[RSP], words, sizeof(words));
    assert_true(EXECUTE(c, 0x66, 0xcf));
    assert_int_equal(c->regs[RSP], 0x6000);
    assert_int_equal(c->regs[REG_RIP], 0x5000);
    assert_int_equal(c->regs[REG_RFLAGS], FLAG_MBS | FLAG_CF | FLAG_AC);        /* AC stays */
}

static void stacks_of_iret(void **state)
{
    (void)state;
    c->regs[RSP] = NOT_CANONICAL - 8;
    EXPECT_FAULT(c, VECTOR_PF, 0, IRETQ);
    c->regs[RSP] = NOT_CANONICAL;
    EXPECT_FAULT(c, VECTOR_SS, 0, IRETQ);
    c->regs[RSP] = ABSENT - 16;
    EXPECT_FAULT(c, VECTOR_PF, 0, IRETQ);
    assert_int_equal(c->fault.address, ABSENT);
}

/* An outer level keeps no data segment of an inner one; null selectors keep their bases. */
static void segments_after_iret(void **state)
{
    (void)state;
    c->seg[SEG_DS] = (struct segment){ KERNEL_SS, 0xc093, ~0u, 0 };
    c->seg[SEG_ES] = (struct segment){ USER_SS, 0xc0f3, ~0u, 0 };
    c->seg[SEG_FS] = (struct segment){ 0, 0, 0, 0x7000 };
    c->seg[SEG_GS] = (struct segment){ CODE_CONFORMING, 0xa09f, ~0u, 0x8000 };
    PUT_WORDS(c->regs[RSP], 0x5000, KERNEL_CS, FLAG_MBS, c->regs[RSP], KERNEL_SS);
    assert_true(EXECUTE(c, IRETQ));
    assert_int_equal(c->seg[SEG_DS].selector, KERNEL_SS);
    PUT_WORDS(c->regs[RSP], 0x5000, USER_CS, FLAG_MBS, 0x6000, USER_SS);
    assert_true(EXECUTE(c, IRETQ));
    assert_int_equal(c->seg[SEG_DS].selector, 0);
    assert_int_equal(c->seg[SEG_DS].access, 0);
    assert_int_equal(c->seg[SEG_ES].selector, USER_SS);
    assert_int_equal(c->seg[SEG_FS].base, 0x7000);
    assert_int_equal(c->seg[SEG_GS].selector, CODE_CONFORMING);
    assert_int_equal(c->seg[SEG_GS].base, 0x8000);
    c->seg[SEG_DS] = (struct segment){ KERNEL_SS, 0xc093, ~0u, 0 };     /* as SYSRET leaves it */
    PUT_WORDS(0x6000, 0x5000, USER_CS, FLAG_MBS, 0x6000, USER_SS);
    assert_true(EXECUTE(c, IRETQ));
    assert_int_equal(c->seg[SEG_DS].selector, KERNEL_SS);
}

/* --- Far returns, jumps and calls ------------------------------------------------------------- */

static void far_returns(void **state)
{
    uint64_t rsp = c->regs[RSP];

    (void)state;
    PUT_WORDS(rsp, 0xffffffff80005000, KERNEL_CS);
    assert_true(EXECUTE(c, 0x48, 0xca, 0x10, 0x00));            /* lret $16 */
    assert_int_equal(c->regs[REG_RIP], 0xffffffff80005000);
    assert_int_equal(c->regs[RSP], rsp + 32);
    c->regs[REG_RIP] = CODE_AT;
    PUT_WORDS(rsp + 32, 0x5000 | (uint64_t)KERNEL_CS << 32);
    assert_true(EXECUTE(c, 0xcb));                              /* 4 bytes each */
    assert_int_equal(c->regs[RSP], rsp + 40);
    assert_int_equal(c->regs[REG_RIP], 0x5000);
    c->regs[REG_RIP] = CODE_AT;
    PUT_WORDS(rsp + 40, 0x5000, USER_CS, 0x5a5a, 0x6000, USER_SS);
    assert_true(EXECUTE(c, 0x48, 0xca, 0x08, 0x00));            /* to CPL 3, 8 bytes dropped */
    assert_int_equal(c->cpl, 3);
    assert_ptr_equal(c->tlb, &c->tlbs[1]);
    assert_int_equal(c->regs[RSP], 0x6008);
    assert_int_equal(c->seg[SEG_SS].selector, USER_SS);
    assert_int_equal(c->seg[SEG_DS].selector, 0);
    c->regs[REG_RIP] = CODE_AT;
    PUT_WORDS(0x6008, 0x5000, KERNEL_CS, 0, 0, KERNEL_SS);
    EXPECT_FAULT(c, VECTOR_GP, KERNEL_CS, 0x48, 0xcb);
    PUT_WORDS(0x6008, NOT_CANONICAL, USER_CS);
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x48, 0xcb);
}

static void refused_far_returns(void **state)
{
    (void)state;
    PUT_WORDS(c->regs[RSP], 0x5000, USER_CS, 0x6000, KERNEL_SS);
    EXPECT_FAULT(c, VECTOR_GP, KERNEL_SS, 0x48, 0xcb);
    assert_int_equal(c->cpl, 0);
    assert_int_equal(c->seg[SEG_CS].selector, KERNEL_CS);
    PUT_WORDS(c->regs[RSP], 0x5000, CODE_32);
    EXPECT_FAULT(c, VECTOR_GP, CODE_32, 0x48, 0xcb);
    c->regs[RSP] = NOT_CANONICAL;
    EXPECT_FAULT(c, VECTOR_SS, 0, 0x48, 0xcb);
}

static const struct {
    uint16_t cs;
    uint8_t cpl, vector;
    uint16_t error;
} jumps[] = {
    { KERNEL_CS, 0, OK, 0 },
    { USER_CS, 3, OK, 0 },
    { USER_CS & ~3, 3, OK, 0 },                                 /* RPL below the CPL */
    { CODE_CONFORMING, 3, OK, 0 },
    { CODE_CONFORMING | 3, 0, OK, 0 },
    { USER_CS_CONFORMING, 0, VECTOR_GP, USER_CS_CONFORMING },
    { KERNEL_CS, 3, VECTOR_GP, KERNEL_CS },
    { USER_CS, 0, VECTOR_GP, USER_CS & ~3 },
    { KERNEL_CS | 3, 0, VECTOR_GP, KERNEL_CS },                 /* RPL above the CPL */
    { 0, 0, VECTOR_GP, 0 },
    { KERNEL_SS, 0, VECTOR_GP, KERNEL_SS },
    { CODE_32, 0, VECTOR_GP, CODE_32 },
    { CODE_ABSENT, 0, VECTOR_NP, CODE_ABSENT },
    { CALL_GATE, 0, VECTOR_GP, CALL_GATE },
    { TSS_SELECTOR, 0, VECTOR_GP, TSS_SELECTOR },
};

static void far_jumps_and_calls(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(jumps); i++) {
        unsigned n = i / 2, call = i % 2;
        const uint8_t insn[] = { 0x48, 0xff, call ? 0x1b : 0x2b };  /* *(%rbx) */
        uint64_t rsp;

        vmm_cpu_free(c);
        c = vmm_kernel_new();
        if (jumps[n].cpl == 3)
            vmm_enter_user(c);
        c->regs[RBX] = DATA_AT;
        rsp = c->regs[RSP];
        PUT_WORDS(DATA_AT, 0xffffffff80005000, jumps[n].cs);
        if (jumps[n].vector != OK) {
            vmm_expect_fault(c, insn, 3, jumps[n].vector, jumps[n].error, __FILE__, __LINE__);
            continue;
        }
        if (!vmm_execute(c, insn, 3))
            fail_msg("row %u: vector %u, error code %x", n, c->fault.vector, c->fault.error);
        assert_int_equal(c->regs[REG_RIP], 0xffffffff80005000);
        assert_int_equal(c->seg[SEG_CS].selector, (jumps[n].cs & ~3) | jumps[n].cpl);
        assert_int_equal(c->cpl, jumps[n].cpl);
        assert_int_equal(c->regs[RSP], call ? rsp - 16 : rsp);
        if (call) {
            assert_int_equal(*vmm_word(c, rsp - 8), jumps[n].cpl == 3 ? USER_CS : KERNEL_CS);
            assert_int_equal(*vmm_word(c, rsp - 16), CODE_AT + 3);
        }
    }
}

static void refused_far_calls(void **state)
{
    (void)state;
    c->regs[RBX] = DATA_AT;
    PUT_WORDS(DATA_AT, NOT_CANONICAL, KERNEL_CS);
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x48, 0xff, 0x1b);
    PUT_WORDS(DATA_AT, 0x5000, KERNEL_CS);
    c->regs[RSP] = ABSENT + 8;          /* the first word fits, the second one's page is there */
    EXPECT_FAULT(c, VECTOR_PF, 2, 0x48, 0xff, 0x1b);
    c->regs[RSP] = NOT_CANONICAL + 64;
    EXPECT_FAULT(c, VECTOR_SS, 0, 0x48, 0xff, 0x1b);
    assert_int_equal(c->seg[SEG_CS].selector, KERNEL_CS);
    c->regs[RBX] = NOT_CANONICAL;
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x48, 0xff, 0x2b);
    memcpy(c->ram.bytes + DATA_AT, (uint16_t[]){ 0x5000, 0, KERNEL_CS }, 6);
    c->regs[RBX] = DATA_AT;
    assert_true(EXECUTE(c, 0xff, 0x2b));                        /* a pointer of 4 and 2 bytes */
    assert_int_equal(c->regs[REG_RIP], 0x5000);
}

/* --- SYSCALL, SYSRET, SWAPGS ------------------------------------------------------------------ */

static void set_syscall_msrs(void)
{
    c->star = (uint64_t)(USER_SS - 8) << 48 | (uint64_t)(KERNEL_CS | 3) << 32;
    c->lstar = 0xffffffff80004000;
    c->sfmask = FLAG_IF | FLAG_DF | FLAG_MBS;
}

static void syscalls(void **state)
{
    (void)state;
    set_syscall_msrs();
    vmm_enter_user(c);
    c->regs[REG_RFLAGS] = FLAG_MBS | FLAG_IF | FLAG_DF | FLAG_CF | FLAG_IOPL;
    assert_true(EXECUTE(c, 0x0f, 0x05));
    assert_int_equal(c->regs[RCX], CODE_AT + 2);
    assert_int_equal(c->regs[R11], FLAG_MBS | FLAG_IF | FLAG_DF | FLAG_CF | FLAG_IOPL);
    assert_int_equal(c->regs[REG_RFLAGS], FLAG_MBS | FLAG_CF | FLAG_IOPL);
    assert_int_equal(c->regs[REG_RIP], 0xffffffff80004000);
    assert_int_equal(c->regs[RSP], USER_STACK);
    assert_int_equal(c->seg[SEG_CS].selector, KERNEL_CS);
    assert_int_equal(c->seg[SEG_CS].access, 0xa09b);
    assert_int_equal(c->seg[SEG_SS].selector, KERNEL_SS);
    assert_int_equal(c->seg[SEG_SS].access, 0xc093);
    assert_int_equal(c->cpl, 0);
    assert_ptr_equal(c->tlb, &c->tlbs[0]);
    c->regs[R11] = ~0ull;
    assert_true(EXECUTE(c, 0x48, 0x0f, 0x07));
    assert_int_equal(c->regs[REG_RIP], CODE_AT + 2);
    assert_int_equal(c->regs[REG_RFLAGS], 0x3c7fd7 & ~(FLAG_RF | FLAG_VM));
    assert_int_equal(c->seg[SEG_CS].selector, (USER_SS & ~3) + 8 + 3);
    assert_int_equal(c->seg[SEG_CS].access, 0xa0fb);
    assert_int_equal(c->seg[SEG_SS].selector, USER_SS);
    assert_int_equal(c->seg[SEG_SS].access, 0xc0f3);
    assert_int_equal(c->cpl, 3);
    assert_ptr_equal(c->tlb, &c->tlbs[1]);
}

static void refused_syscalls(void **state)
{
    (void)state;
    set_syscall_msrs();
    c->regs[RCX] = NOT_CANONICAL;
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x48, 0x0f, 0x07);
    assert_int_equal(c->cpl, 0);
    c->regs[RCX] = 0x5000;
    EXPECT_FAULT(c, VECTOR_GP, (USER_SS - 8) & ~3, 0x0f, 0x07); /* to 32-bit code */
    vmm_enter_user(c);
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x48, 0x0f, 0x07);
    c->efer &= ~EFER_SCE;
    EXPECT_FAULT(c, VECTOR_UD, 0, 0x0f, 0x05);
    EXPECT_FAULT(c, VECTOR_UD, 0, 0x48, 0x0f, 0x07);
    EXPECT_FAULT(c, VECTOR_UD, 0, 0x0f, 0x34);                  /* SYSENTER, SYSEXIT */
    EXPECT_FAULT(c, VECTOR_UD, 0, 0x0f, 0x35);
}

static void swapgs(void **state)
{
    (void)state;
    c->seg[SEG_GS].base = 1;
    c->kernel_gs_base = 2;
    assert_true(EXECUTE(c, 0x0f, 0x01, 0xf8));
    assert_int_equal(c->seg[SEG_GS].base, 2);
    assert_int_equal(c->kernel_gs_base, 1);
    assert_true(c->bases_set);
    vmm_enter_user(c);
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x0f, 0x01, 0xf8);
    assert_int_equal(c->kernel_gs_base, 1);
}

/* --- Software interrupts ---------------------------------------------------------------------- */

static void software_interrupts(void **state)
{
    (void)state;
    vmm_enter_user(c);
    assert_true(EXECUTE(c, 0xcd, 0x80));
    assert_int_equal(c->regs[REG_RIP], HANDLER_AT(0x80));
    assert_int_equal(*vmm_word(c, c->regs[RSP]), CODE_AT + 2);
    vmm_enter_user(c);
    c->regs[REG_RIP] = CODE_AT;
    assert_true(EXECUTE(c, 0xcc));
    assert_int_equal(c->regs[REG_RIP], HANDLER_AT(VECTOR_BP));
    assert_int_equal(*vmm_word(c, c->regs[RSP]), CODE_AT + 1);
    vmm_enter_user(c);
    c->regs[REG_RIP] = CODE_AT;
    EXPECT_FAULT(c, VECTOR_GP, 0x81 * 8 + 2, 0xcd, 0x81);
    EXPECT_FAULT(c, VECTOR_GP, VECTOR_DB * 8 + 2, 0xcd, VECTOR_DB);
    assert_true(EXECUTE(c, 0xf1));      /* INT1 needs no DPL */
    assert_int_equal(c->regs[REG_RIP], HANDLER_AT(VECTOR_DB));
    assert_int_equal(*vmm_word(c, c->regs[RSP]), CODE_AT + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(irets_and_their_selectors), TEST(flags_of_iret), TEST(iret_from_a_nested_task),
        TEST(small_irets), TEST(stacks_of_iret), TEST(segments_after_iret), TEST(far_returns),
        TEST(refused_far_returns), TEST(far_jumps_and_calls), TEST(refused_far_calls),
        TEST(syscalls), TEST(refused_syscalls), TEST(swapgs), TEST(software_interrupts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
