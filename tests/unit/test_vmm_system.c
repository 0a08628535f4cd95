/* System instructions of the vmm's guest: which need CPL 0, which are #UD; descriptor-table
 * registers, INVLPG, HLT, CLI and STI, time stamps; and the state as text. */
#include "cmocka_main.h"
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/emulate.h"
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

static void needs_cpl_0(void **state)
{
    static const uint8_t insns[][4] = {
        { 3, FROM_CR(0) }, { 3, FROM_CR(2) }, { 3, FROM_CR(3) }, { 3, FROM_CR(4) }, { 3, TO_CR(0) },
        { 3, TO_CR(2) },   { 3, TO_CR(3) },   { 3, TO_CR(4) },   { 3, FROM_DR(0) }, { 3, TO_DR(7) },
        { 2, 0x0f, 0x06 },                      /* clts */
        { 3, 0x0f, 0x01, 0xf0 },                /* lmsw */
        { 3, 0x0f, 0x01, 0x13 },                /* lgdt (%rbx) */
        { 3, 0x0f, 0x01, 0x1b },                /* lidt */
        { 3, 0x0f, 0x01, 0x3b },                /* invlpg */
        { 2, 0x0f, 0x08 },                      /* invd */
        { 2, 0x0f, 0x09 },                      /* wbinvd */
        { 3, 0xf3, 0x0f, 0x09 },                /* wbnoinvd */
        { 1, 0xf4 },                            /* hlt */
        { 2, 0x0f, 0x32 }, { 2, 0x0f, 0x30 },   /* rdmsr, wrmsr */
        { 2, 0x0f, 0x33 },                      /* rdpmc */
        { 1, 0xfa }, { 1, 0xfb },               /* cli, sti */
    };
    struct cpu *before = test_malloc(sizeof(*before));

    (void)state;
    vmm_enter_user(c);
    c->regs[RCX] = 0xc0000080;
    c->regs[RBX] = DATA_AT;
    for (unsigned i = 0; i < ARRAY_SIZE(insns); i++) {
        for (unsigned cpl = 1; cpl <= 3; cpl++) {
            set_cpl(c, cpl);
            memcpy(before, c, sizeof(*before));
            vmm_expect_fault(c, insns[i] + 1, insns[i][0], VECTOR_GP, 0, __FILE__, __LINE__);
            before->fault = c->fault;
            before->counters = c->counters;
            assert_memory_equal(before, c, offsetof(struct cpu, tlbs));
        }
    }
    test_free(before);
}

static void undefined_opcodes(void **state)
{
    static const uint8_t insns[][5] = {
        { 2, 0x0f, 0x0b },                      /* ud2 */
        { 3, 0x0f, 0xb9, 0xc0 },                /* ud1 */
        { 3, 0x0f, 0x01, 0xc8 },                /* monitor */
        { 3, 0x0f, 0x01, 0xc9 },                /* mwait */
        { 3, 0x0f, 0x01, 0xf9 },                /* rdtscp */
        { 3, 0x0f, 0x01, 0xd0 },                /* xgetbv */
        { 3, 0x0f, 0x01, 0xca },                /* clac */
        { 3, 0x0f, 0x01, 0xc1 },                /* vmcall */
        { 3, 0x0f, 0x01, 0xd9 },                /* vmmcall */
        { 2, 0x0f, 0xaa },                      /* rsm */
        { 4, 0xf3, 0x0f, 0xae, 0xc0 },          /* rdfsbase */
        { 3, 0x0f, 0xc7, 0xf0 },                /* rdrand */
        { 4, 0xf3, 0x0f, 0xc7, 0xf8 },          /* rdpid */
        { 4, 0x66, 0x0f, 0xae, 0x3b },          /* clflushopt */
        { 3, FROM_CR(1) }, { 3, TO_CR(5) },
        { 4, 0xf0, 0x0f, 0x20, 0xc0 },          /* lock mov %cr0,%rax: CR8 of other CPUs */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(insns); i++)
        vmm_expect_fault(c, insns[i] + 1, insns[i][0], VECTOR_UD, 0, __FILE__, __LINE__);
}

/* --- Descriptor tables, INVLPG ---------------------------------------------------------------- */

static void descriptor_tables(void **state)
{
    static const uint8_t table[10] = { 0x34, 0x12, 0, 0x10, 0, 0x80, 0xff, 0xff, 0xff, 0xff };
    uint8_t *at = c->ram.bytes + DATA_AT;

    (void)state;
    c->regs[RBX] = DATA_AT;
    memcpy(at, table, sizeof(table));
    assert_true(EXECUTE(c, 0x0f, 0x01, 0x1b));                  /* lidt (%rbx) */
    assert_int_equal(c->idtr.limit, 0x1234);
    assert_int_equal(c->idtr.base, 0xffffffff80001000);
    assert_int_equal(c->gdtr.base, KERNEL_GDT);
    assert_true(EXECUTE(c, 0x0f, 0x01, 0x13));                  /* lgdt */
    assert_int_equal(c->gdtr.base, 0xffffffff80001000);
    memset(at, 0xee, 16);
    vmm_enter_user(c);
    c->gdtr.limit = 0x77;
    assert_true(EXECUTE(c, 0x0f, 0x01, 0x0b));                  /* sidt, by any CPL */
    assert_memory_equal(at, table, sizeof(table));
    assert_int_equal(at[10], 0xee);
    assert_true(EXECUTE(c, 0x0f, 0x01, 0x03));                  /* sgdt */
    assert_int_equal(at[0], 0x77);
    set_cpl(c, 0);
    at[7] = 0x7f;                                               /* base 0xffff7fff80001000 */
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x0f, 0x01, 0x13);
    c->regs[RBX] = ABSENT - 4;
    EXPECT_FAULT(c, VECTOR_PF, 0, 0x0f, 0x01, 0x13);
    EXPECT_FAULT(c, VECTOR_PF, 2, 0x0f, 0x01, 0x0b);
}

static void invlpg(void **state)
{
    uint64_t *l2 = vmm_word(c, 0x3000), value, mapping = c->mapping;

    (void)state;
    *vmm_word(c, 0x30000) = 0x1111;
    c->regs[RBX] = 0x231000;
    l2[1] = 0xe7;
    assert_true(read_number(c, 0x230000, 8, &value));
    assert_int_equal(value, 0x1111);
    l2[1] = 0;
    assert_true(read_number(c, 0x230000, 8, &value));
    assert_true(EXECUTE(c, 0x0f, 0x01, 0x3b));
    assert_false(read_number(c, 0x230000, 8, &value));
    assert_int_not_equal(c->mapping, mapping);
    c->regs[RBX] = NOT_CANONICAL;
    assert_true(EXECUTE(c, 0x0f, 0x01, 0x3b));
}

/* --- Flags, HLT, fences, time ----------------------------------------------------------------- */

static void interrupt_flag(void **state)
{
    (void)state;
    assert_true(EXECUTE(c, 0xfb));
    assert_int_equal(c->regs[REG_RFLAGS], FLAG_MBS | FLAG_IF);
    assert_true(c->shadow);
    c->shadow = false;
    assert_true(EXECUTE(c, 0xfb));              /* only the first STI has a shadow */
    assert_false(c->shadow);
    assert_true(EXECUTE(c, 0xfa));
    assert_int_equal(c->regs[REG_RFLAGS], FLAG_MBS);
    vmm_enter_user(c);
    c->regs[REG_RFLAGS] = FLAG_MBS | 2 << FLAG_IOPL_SHIFT;
    EXPECT_FAULT(c, VECTOR_GP, 0, 0xfb);
    set_cpl(c, 2);
    assert_true(EXECUTE(c, 0xfb));
    assert_true(EXECUTE(c, 0xfa));
}

static void halts(void **state)
{
    (void)state;
    c->regs[REG_RFLAGS] |= FLAG_IF;
    assert_true(EXECUTE(c, 0xf4));
    assert_true(c->halted);
    assert_int_equal(c->regs[REG_RIP], CODE_AT + 1);
    assert_int_equal(c->stop, STOP_NOT);
    c->regs[REG_RFLAGS] &= ~(uint64_t)FLAG_IF;
    assert_false(EXECUTE(c, 0xf4));
    assert_int_equal(c->stop, STOP_HALTED);
    assert_int_equal(c->regs[REG_RIP], CODE_AT + 1);
}

static void caches_and_fences(void **state)
{
    (void)state;
    assert_true(EXECUTE(c, 0x0f, 0x08));
    assert_true(EXECUTE(c, 0x0f, 0x09));
    vmm_enter_user(c);
    assert_true(EXECUTE(c, 0x0f, 0xae, 0xe8));
    assert_true(EXECUTE(c, 0x0f, 0xae, 0xf0));
    assert_true(EXECUTE(c, 0x0f, 0xae, 0xf8));
    c->regs[RBX] = DATA_AT;
    assert_true(EXECUTE(c, 0x0f, 0xae, 0x3b));                  /* clflush (%rbx) */
    c->regs[RBX] = ABSENT;
    EXPECT_FAULT(c, VECTOR_PF, 4, 0x0f, 0xae, 0x3b);
}

static void time_stamps(void **state)
{
    (void)state;
    vmm_tsc = 0x123456789a;
    c->regs[RAX] = c->regs[RDX] = ~0ull;
    vmm_enter_user(c);
    assert_true(EXECUTE(c, 0x0f, 0x31));
    assert_int_equal(c->regs[RAX], 0x3456789a);
    assert_int_equal(c->regs[RDX], 0x12);
    c->cr4 |= CR4_TSD;
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x0f, 0x31);
    set_cpl(c, 0);
    assert_true(EXECUTE(c, 0x0f, 0x31));
    EXPECT_FAULT(c, VECTOR_GP, 0, 0x0f, 0x33);  /* no counters */
}

/* --- The state as text ------------------------------------------------------------------------ */

static char printed[4096];

static void print(const char *line)
{
    strncat(printed, line, sizeof(printed) - strlen(printed) - 1);
}

static void state_as_text(void **state)
{
    (void)state;
    c->regs[R13] = 0x1234567890abcdef;
    memcpy(c->ram.bytes + CODE_AT, (uint8_t[]){ 0x0f, 0xae, 0x23 }, 3);
    cpu_stop(c, STOP_UNSERVED, "an instruction that is not served");
    c->fault = (struct cpu_fault){ .vector = VECTOR_UD };
    printed[0] = '\0';
    print_state(c, print);
    assert_non_null(strstr(printed, "an instruction that is not served\n"));
    assert_non_null(strstr(printed, "RIP 0000000000018000"));
    assert_non_null(strstr(printed, "0f ae 23  xsave (%rbx)\n"));
    assert_non_null(strstr(printed, "R13 1234567890abcdef"));
    assert_int_equal(c->fault.vector, VECTOR_UD);
    c->regs[REG_RIP] = ABSENT;
    printed[0] = '\0';
    print_state(c, print);
    assert_non_null(strstr(printed, "RIP is in no page"));
    assert_int_equal(c->fault.vector, VECTOR_UD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(needs_cpl_0), TEST(undefined_opcodes), TEST(descriptor_tables), TEST(invlpg),
        TEST(interrupt_flag), TEST(halts), TEST(caches_and_fences), TEST(time_stamps),
        TEST(state_as_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
