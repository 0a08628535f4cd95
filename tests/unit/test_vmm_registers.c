/* Control and debug registers of the vmm's guest: what each may be written with, what is ignored
 * and what refused, and which writes flush the TLB. */
#include "cmocka_main.h"
#include <string.h>
#include "tests/unit/vmm_kernel.h"

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

/* --- Control registers ------------------------------------------------------------------------ */

static void write_to_cr(unsigned nr, uint64_t value)
{
    const uint8_t insn[] = { TO_CR((uint8_t)nr) };

    c->regs[RAX] = value;
    assert_true(vmm_execute(c, insn, sizeof(insn)));
}

static void expect_refusal_by_cr(unsigned nr, uint64_t value)
{
    const uint8_t insn[] = { TO_CR((uint8_t)nr) };
    uint64_t before = nr == 0 ? c->cr0 : nr == 3 ? c->cr3 : c->cr4;

    c->regs[RAX] = value;
    vmm_expect_fault(c, insn, sizeof(insn), VECTOR_GP, 0, __FILE__, __LINE__);
    assert_int_equal(nr == 0 ? c->cr0 : nr == 3 ? c->cr3 : c->cr4, before);
}

static void cr0(void **state)
{
    uint64_t flushes, usual = 0x80050033;

    (void)state;
    write_to_cr(0, usual);
    assert_int_equal(c->cr0, usual);
    flushes = c->counters.tlb_flushes;
    write_to_cr(0, usual & ~CR0_ET);            /* ET cannot be cleared */
    assert_int_equal(c->cr0, usual);
    assert_int_equal(c->counters.tlb_flushes, flushes);
    write_to_cr(0, usual | 0x1ffaffc0);         /* reserved bits are ignored */
    assert_int_equal(c->cr0, usual);
    write_to_cr(0, usual & ~CR0_WP);
    assert_int_equal(c->counters.tlb_flushes, flushes + 1);
    assert_true(EXECUTE(c, FROM_CR(0)));
    assert_int_equal(c->regs[RAX], usual & ~CR0_WP);
    expect_refusal_by_cr(0, usual | 1ull << 32);
    expect_refusal_by_cr(0, usual & ~CR0_PG);
    expect_refusal_by_cr(0, usual & ~CR0_PE);
    expect_refusal_by_cr(0, usual | CR0_NW);
    write_to_cr(0, usual | CR0_NW | CR0_CD);
    assert_int_equal(c->cr0, usual | CR0_NW | CR0_CD);
}

static void cr2_and_cr3(void **state)
{
    uint64_t flushes = c->counters.tlb_flushes, mapping = c->mapping;

    (void)state;
    write_to_cr(2, 0x123456789abcdef0);
    assert_int_equal(c->cr2, 0x123456789abcdef0);
    c->regs[RAX] = 0;
    assert_true(EXECUTE(c, FROM_CR(2)));
    assert_int_equal(c->regs[RAX], 0x123456789abcdef0);
    assert_int_equal(c->mapping, mapping);
    write_to_cr(3, 0xfffffff018);
    assert_int_equal(c->cr3, 0xfffffff018);
    assert_int_equal(c->counters.tlb_flushes, flushes + 1);
    assert_int_not_equal(c->mapping, mapping);  /* C4 */
    expect_refusal_by_cr(3, 1ull << 40);
    expect_refusal_by_cr(3, 1ull << 63);
}

static void cr4(void **state)
{
    static const uint16_t used[] = { 0x20, 0xa0, 0xb0, 0x30, 0x630, 0x6b0, 0x24 };
    uint64_t flushes;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(used); i++) {
        write_to_cr(4, used[i]);
        assert_int_equal(c->cr4, used[i]);
    }
    write_to_cr(4, CR4_PAE | CR4_PGE);
    flushes = c->counters.tlb_flushes;
    write_to_cr(4, CR4_PAE | CR4_PGE | CR4_TSD);
    assert_int_equal(c->counters.tlb_flushes, flushes);
    write_to_cr(4, CR4_PAE);                    /* how kernels flush global pages */
    assert_int_equal(c->counters.tlb_flushes, flushes + 1);
    expect_refusal_by_cr(4, 0);                 /* PAE belongs to 64-bit mode */
    for (unsigned bit = 0; bit < 64; bit++)
        if (!((0x6bcull >> bit) & 1))
            expect_refusal_by_cr(4, CR4_PAE | 1ull << bit);
}

static void cr8(void **state)
{
    (void)state;
    c->regs[RDX] = 15;
    assert_true(EXECUTE(c, 0x44, 0x0f, 0x22, 0xc2));            /* mov %rdx,%cr8 */
    assert_true(EXECUTE(c, 0x44, 0x0f, 0x20, 0xc0));            /* mov %cr8,%rax */
    assert_int_equal(c->regs[RAX], 15);
    c->regs[RDX] = 16;
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x44, 0x0f, 0x22, 0xc2);
}

static void status_word(void **state)
{
    (void)state;
    c->cr0 |= CR0_TS | CR0_AM;
    vmm_enter_user(c);
    c->regs[RAX] = ~0ull;
    assert_true(EXECUTE(c, 0x0f, 0x01, 0xe0));                  /* smsw %eax, by any CPL */
    assert_int_equal(c->regs[RAX], c->cr0);
    c->regs[RBX] = DATA_AT;
    *vmm_word(c, DATA_AT) = ~0ull;
    assert_true(EXECUTE(c, 0x0f, 0x01, 0x23));                  /* smsw (%rbx): a word */
    assert_int_equal(*vmm_word(c, DATA_AT), 0xffffffffffff0000 | (c->cr0 & 0xffff));
    set_cpl(c, 0);
    assert_true(EXECUTE(c, 0x0f, 0x06));                        /* clts */
    assert_int_equal(c->cr0 & CR0_TS, 0);
    c->regs[RAX] = 0xfffffff4;                                  /* EM, not PE */
    assert_true(EXECUTE(c, 0x0f, 0x01, 0xf0));                  /* lmsw %ax */
    assert_int_equal(c->cr0 & 0xf, CR0_PE | CR0_EM);
    assert_int_equal(c->cr0 & ~0xfull, CR0_PG | CR0_WP | CR0_AM | CR0_ET | CR0_NE);
}

/* --- Debug registers -------------------------------------------------------------------------- */

static void debug_registers(void **state)
{
    (void)state;
    c->regs[RAX] = 0xffffffff12345678;
    assert_true(EXECUTE(c, TO_DR(3)));
    c->regs[RAX] = 0;
    assert_true(EXECUTE(c, FROM_DR(3)));
    assert_int_equal(c->regs[RAX], 0xffffffff12345678);
    c->regs[RAX] = 0;
    assert_true(EXECUTE(c, TO_DR(6)));
    assert_int_equal(c->dr[6], 0xffff0ff0);
    c->regs[RAX] = 0xffffffff & ~0x2000u;
    assert_true(EXECUTE(c, TO_DR(7)));
    assert_int_equal(c->dr[7], 0xffff07ff);
    assert_true(EXECUTE(c, FROM_DR(5)));        /* without DE another name of DR7 */
    assert_int_equal(c->regs[RAX], 0xffff07ff);
    c->cr4 |= CR4_DE;
    EXPECT_FAULT(c, VECTOR_UD, 0, FROM_DR(4));
    EXPECT_FAULT(c, VECTOR_UD, 0, TO_DR(5));
    c->regs[RAX] = 1ull << 32;
    EXPECT_FAULT(c, VECTOR_GP, 0, TO_DR(6));
    EXPECT_FAULT(c, VECTOR_GP, 0, TO_DR(7));
}

static void general_detect(void **state)
{
    (void)state;
    c->regs[RAX] = 0x2000;
    assert_true(EXECUTE(c, TO_DR(7)));
    EXPECT_FAULT(c, VECTOR_DB, 0, FROM_DR(0));
    assert_int_equal(c->dr[6], 0xffff2ff0);
    assert_int_equal(c->dr[7], 0x400);
    assert_true(EXECUTE(c, FROM_DR(0)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cr0), TEST(cr2_and_cr3), TEST(cr4), TEST(cr8), TEST(status_word),
        TEST(debug_registers), TEST(general_detect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
