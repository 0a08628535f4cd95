/* MSRs and CPUID of the vmm's guest: each register that exists with a value that it takes and one
 * that it refuses, EFER's bits, MSRs that are absent; the leaves of CPUID, bit by bit. */
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

static bool write_msr(uint32_t nr, uint64_t value)
{
    c->regs[REG_RIP] = CODE_AT;
    c->regs[RCX] = 0xffffffff00000000 | nr;
    c->regs[RAX] = 0xffffffff00000000 | (uint32_t)value;
    c->regs[RDX] = 0xffffffff00000000 | value >> 32;
    return EXECUTE(c, 0x0f, 0x30);
}

static uint64_t read_msr(uint32_t nr)
{
    c->regs[RCX] = nr;
    c->regs[RAX] = c->regs[RDX] = ~0ull;
    assert_true(EXECUTE(c, 0x0f, 0x32));
    assert_int_equal((c->regs[RAX] | c->regs[RDX]) >> 32, 0);
    return c->regs[RDX] << 32 | c->regs[RAX];
}

static void msrs(void **state)
{
    const struct {
        uint32_t nr;
        const uint64_t *field;
        uint64_t good, bad;     /* bad: 0 if any is good */
    } cases[] = {
        { 0x174, &c->sysenter[0], 0x10, 0 },
        { 0x175, &c->sysenter[1], 0xffff800000001000, NOT_CANONICAL },
        { 0x176, &c->sysenter[2], 0xffff800000002000, NOT_CANONICAL },
        { 0x277, &c->pat, 0x0407050600070106, 0x0007040600070402 },
        { 0x277, &c->pat, 0x0007040600070406, 0x0307040600070400 },
        { 0x277, &c->pat, 0x0007040600070406, 0x0808080808080808 },
        { 0xc0000081, &c->star, 0x23001000000000, 0 },
        { 0xc0000082, &c->lstar, 0xffffffff81000000, NOT_CANONICAL },
        { 0xc0000083, &c->cstar, 0xffffffff82000000, 1ull << 63 },
        { 0xc0000084, &c->sfmask, 0x257fd5, 0 },
        { 0xc0000100, &c->seg[SEG_FS].base, 0x7fffffffffff, NOT_CANONICAL },
        { 0xc0000101, &c->seg[SEG_GS].base, 0xffff888000000000, NOT_CANONICAL },
        { 0xc0000102, &c->kernel_gs_base, 1, NOT_CANONICAL },
        { 0xc0000080, &c->efer, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE, 0xd01 | 1 << 12 },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        c->bases_set = false;
        assert_true(write_msr(cases[i].nr, cases[i].good));
        assert_int_equal(c->bases_set, cases[i].nr == 0xc0000100 || cases[i].nr == 0xc0000101);
        assert_int_equal(*cases[i].field, cases[i].good);
        assert_int_equal(read_msr(cases[i].nr), cases[i].good);
        if (cases[i].bad == 0)
            continue;
        if (write_msr(cases[i].nr, cases[i].bad))
            fail_msg("row %u: a bad value", i);
        assert_int_equal(c->fault.vector, VECTOR_GP);
        assert_int_equal(c->fault.error, 0);
        assert_int_equal(*cases[i].field, cases[i].good);
    }
    assert_true(write_msr(0xc0000084, 0x123400257fd5));         /* 32 bits */
    assert_int_equal(c->sfmask, 0x257fd5);
}

static void efer(void **state)
{
    uint64_t flushes = c->counters.tlb_flushes, on = EFER_LME | EFER_LMA | EFER_NXE;

    (void)state;
    assert_true(write_msr(0xc0000080, on));
    assert_int_equal(c->counters.tlb_flushes, flushes);
    assert_true(write_msr(0xc0000080, EFER_LME));               /* LMA cannot be cleared */
    assert_int_equal(c->efer, EFER_LME | EFER_LMA);
    assert_int_equal(c->counters.tlb_flushes, flushes + 1);
    assert_false(write_msr(0xc0000080, EFER_LMA));
    assert_false(write_msr(0xc0000080, on | 1ull << 32));
    assert_int_equal(c->efer, EFER_LME | EFER_LMA);
}

static void msrs_that_are_absent(void **state)
{
    static const uint32_t absent[] = { 0, 0x11, 0x1b, 0x8b, 0xfe, 0x179, 0x1a0, 0x200, 0x2ff, 0x800,
                                       0xc0000085, 0xc0000103, 0xc0010015, 0xffffffff };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++) {
        c->regs[RCX] = absent[i];
        EXPECT_FAULT(c, VECTOR_GP, 0, 0x0f, 0x32);
        EXPECT_FAULT(c, VECTOR_GP, 0, 0x0f, 0x30);
    }
    vmm_tsc = 0x555;
    assert_int_equal(read_msr(0x10), 0x555);
    c->regs[RCX] = 0x10;
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x0f, 0x30);
}

static const uint32_t *cpuid(uint32_t leaf)
{
    static uint32_t r[4];
    static const uint8_t order[4] = { RAX, RBX, RCX, RDX };

    for (unsigned i = 0; i < 4; i++)
        c->regs[order[i]] = ~0ull;
    c->regs[RAX] = 0xffffffff00000000 | leaf;
    assert_true(EXECUTE(c, 0x0f, 0xa2));
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(c->regs[order[i]] >> 32, 0);
        r[i] = (uint32_t)c->regs[order[i]];
    }
    return r;
}

static void cpuid_leaves(void **state)
{
    static const uint32_t empty[] = { 2, 4, 7, 0xb, 0xd, 0x40000000, 0x40000100, 0x80000005,
                                      0x80000007, 0x80000009, 0xffffffff };
    const uint32_t *r;
    char text[49] = "";

    (void)state;
    vmm_enter_user(c);
    r = cpuid(0);
    assert_int_equal(r[0], 1);
    memcpy(text, &r[1], 4);
    memcpy(text + 4, &r[3], 4);
    memcpy(text + 8, &r[2], 4);
    assert_string_equal(text, "ParagonGuest");
    r = cpuid(1);
    assert_int_equal(r[0] >> 8 & 15, 6);
    assert_int_equal(r[1], 8 << 8);             /* CLFLUSH; APIC ID 0 */
    assert_int_equal(r[2], 0x2000);
    assert_int_equal(r[3], 0x0789a17d);
    assert_int_equal(cpuid(0x80000000)[0], 0x80000008);
    r = cpuid(0x80000001);
    assert_int_equal(r[2], 1);
    assert_int_equal(r[3], 0x20100800);
    for (unsigned i = 0; i < 3; i++)
        memcpy(text + 16 * i, cpuid(0x80000002 + i), 16);
    assert_string_equal(text, "Paragon virtual CPU");
    assert_int_equal(cpuid(0x80000008)[0], 48 << 8 | 40);
    for (unsigned i = 0; i < ARRAY_SIZE(empty); i++) {
        r = cpuid(empty[i]);
        assert_int_equal(r[0] | r[1] | r[2] | r[3], 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(msrs), TEST(efer), TEST(msrs_that_are_absent), TEST(cpuid_leaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
