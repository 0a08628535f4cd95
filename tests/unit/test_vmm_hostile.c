/* Kernels that mean harm to the vmm, run by way 1: a wild CR3, tables that lead to themselves and
 * are executed, code and stack on top of each other, endless exceptions and string instructions.
 * Each is over when the CPU cannot go on, or goes on until it is told to stop: the run loop always
 * comes back to look. What they can reach of the vmm is watched by the sanitizers. */
#include "cmocka_main.h"
#include <string.h>
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/emulate/block.h"
#include "guest-pv/vmm/emulate/run.h"
#include "tests/unit/vmm_kernel.h"

#define LOOKS 8u                        /* of the run loop at its clock, then the test ends it */
#define ARENA (1u << 18)

static struct cpu *c;
static unsigned looks;

static uint64_t count_looks(void)
{
    if (++looks >= LOOKS)
        cpu_stop(c, STOP_UNSERVED, "it runs and runs");
    return looks;
}

static struct host host;

static int setup(void **state)
{
    (void)state;
    c = vmm_kernel_new();
    host = vmm_host;
    host.tsc = count_looks;
    platform_init(c->platform, &host);
    looks = 0;
    assert_true(blocks_init(c, ARENA));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    blocks_free(c);
    vmm_cpu_free(c);
    return 0;
}

static void expect_end(enum stop stop, const uint8_t *code, unsigned len)
{
    memcpy(c->ram.bytes + CODE_AT, code, len);
    run_emulated(c);
    if (c->stop != stop)
        fail_msg("stopped by %u: %s", c->stop, c->reason);
}
#define EXPECT_END(stop, ...)                                                                      \
    expect_end((stop), (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* mov $value,%eax; mov %rax,%cr3 */
#define LOAD_CR3(value)                                                                            \
    0xb8, (uint8_t)(value), (uint8_t)((value) >> 8), (uint8_t)((value) >> 16),                     \
        (uint8_t)((value) >> 24), 0x0f, 0x22, 0xd8
#define LOOP 0xeb, 0xfe                 /* to itself */

/* --- Tables ----------------------------------------------------------------------------------- */

static void cr3_in_no_memory(void **state)
{
    (void)state;
    EXPECT_END(STOP_SHUTDOWN, LOAD_CR3(0xfffff000u), LOOP);
    assert_int_equal(c->regs[REG_RIP], CODE_AT + 8);
}

static void cr3_in_code(void **state)
{
    (void)state;
    EXPECT_END(STOP_SHUTDOWN, LOAD_CR3(CODE_AT), LOOP);
}

static void fill_table(unsigned frame, uint64_t entry)
{
    for (unsigned i = 0; i < 512; i++)
        vmm_word(c, frame * 4096)[i] = entry;
}

/* Frame 9 is all tables, and every page: its entries are code, too ("rex nop; add %al,(%rax)", and
 * with A set "addr32 nop"). Each walk may change what is running. */
static void a_table_that_is_everything(void **state)
{
    (void)state;
    fill_table(9, 0x9047);
    EXPECT_END(STOP_UNSERVED, LOAD_CR3(0x9000u));
    assert_true(c->counters.invalidations > 0);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(vmm_word(c, 0x9000)[i] & ~0x60ull, 0x9007);
}

/* The level 2 entry of the code's own page */
static void tables_cut_off_by_their_own_code(void **state)
{
    (void)state;
    c->regs[RBX] = 0x3000;
    EXPECT_END(STOP_SHUTDOWN, 0x48, 0xc7, 0x03, 0, 0, 0, 0,     /* movq $0,(%rbx) */
               0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8,              /* reload of CR3 */
               LOOP);
}

static void large_page_over_everything(void **state)
{
    (void)state;
    fill_table(9, 0xa000 | 0x67);
    fill_table(10, 0xb000 | 0x67);
    fill_table(11, 0xe7);               /* all of level 2: the first 2 MiB */
    EXPECT_END(STOP_SHUTDOWN, LOAD_CR3(0x9000u),                /* when it has hit a table */
               0xff, 0x04, 0x24,                                /* incl (%rsp) */
               0x48, 0x81, 0xc4, 0, 0x10, 0x20, 0,              /* add $0x201000,%rsp */
               0x48, 0xc1, 0xe4, 17, 0x48, 0xc1, 0xfc, 17,      /* shl, sar: stays canonical */
               0xeb, 0xec);                                     /* to the incl */
}

/* --- Code and stacks -------------------------------------------------------------------------- */

static void code_that_copies_itself(void **state)
{
    (void)state;
    EXPECT_END(STOP_UNSERVED,
               0xbe, 0, 0x80, 1, 0, 0xbf, 0, 0x80, 1, 0,        /* mov $CODE_AT,%esi and %edi */
               0xb9, 64, 0, 0, 0, 0xf3, 0xa4,                   /* mov $64,%ecx; rep movsb */
               0xeb, 0xed);
}

static void code_that_counts_in_itself(void **state)
{
    (void)state;
    c->regs[RBX] = CODE_AT;
    EXPECT_END(STOP_UNSERVED, 0x05, 0, 0, 0, 0,                 /* add $0,%eax */
               0xff, 0x43, 1,                                   /* incl 1(%rbx): its immediate */
               0xeb, 0xf6);
    assert_true(c->regs[RAX] > 1000);   /* 0 + 1 + 2 + ... */
}

static void a_stack_in_the_code(void **state)
{
    (void)state;
    c->regs[RSP] = CODE_AT + 64;
    c->regs[RAX] = 0x5050505050505050;  /* more of them: push %rax */
    EXPECT_END(STOP_SHUTDOWN, 0x50, 0x50, 0xeb, 0xfc);
}

/* Its own handler: pushes frames all the way down, over the tables and round the address space. */
static void endless_exceptions(void **state)
{
    (void)state;
    memcpy(c->ram.bytes + HANDLER_AT(6), (uint8_t[]){ 0x0f, 0x0b }, 2);
    EXPECT_END(STOP_SHUTDOWN, 0x0f, 0x0b);
    assert_true(c->counters.exceptions[VECTOR_UD] > 100);
}

static void frames_on_top_of_the_idt(void **state)
{
    (void)state;
    memcpy(c->ram.bytes + KERNEL_TSS + 0x24, &(uint64_t){ KERNEL_IDT + 7 * 16 }, 8);
    vmm_set_gate(c, VECTOR_UD, GATE_INTERRUPT, KERNEL_CS, 1, HANDLER_AT(6));
    memcpy(c->ram.bytes + HANDLER_AT(6), (uint8_t[]){ 0x0f, 0x0b }, 2);
    EXPECT_END(STOP_UNSERVED, 0x0f, 0x0b);      /* the #GP of the spoilt gate runs through zeroes */
}

/* --- What takes long -------------------------------------------------------------------------- */

static void endless_strings(void **state)
{
    static const uint8_t insns[][2] = {
        { 0xf3, 0xaa }, { 0xf3, 0xa4 }, { 0xf3, 0x6c }, { 0xf3, 0x6e }, { 0xf3, 0xac },
        { 0xf2, 0xae }, { 0xf3, 0xa6 },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(insns); i++) {
        teardown(state);
        setup(state);
        c->regs[RCX] = ~0ull;
        c->regs[RDX] = 0x80;            /* a port where nothing is */
        c->regs[RSI] = 0x40000;
        c->regs[RDI] = 0x20000000;      /* no memory, up to the end of the tables */
        c->regs[RAX] = 1;
        memset(c->ram.bytes + HANDLER_AT(VECTOR_PF), 0xf4, 1);
        memcpy(c->ram.bytes + CODE_AT, insns[i], 2);
        run_emulated(c);
        assert_true(c->stop != STOP_NOT);
    }
}

static void halts_for_ever(void **state)
{
    c->regs[REG_RFLAGS] |= FLAG_IF;
    EXPECT_END(STOP_UNSERVED, 0xf4, 0xeb, 0xfd);
    teardown(state);
    setup(state);
    EXPECT_END(STOP_HALTED, 0xfa, 0xf4);
}

static void floods_of_flushes(void **state)
{
    (void)state;
    EXPECT_END(STOP_UNSERVED, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8, /* reload of CR3 */
               0x0f, 0x01, 0x3c, 0x24, 0xeb, 0xf4);             /* invlpg (%rsp); again */
    assert_true(c->counters.tlb_flushes > 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cr3_in_no_memory), TEST(cr3_in_code), TEST(a_table_that_is_everything),
        TEST(tables_cut_off_by_their_own_code), TEST(large_page_over_everything),
        TEST(code_that_copies_itself), TEST(code_that_counts_in_itself),
        TEST(a_stack_in_the_code), TEST(endless_exceptions), TEST(frames_on_top_of_the_idt),
        TEST(endless_strings), TEST(halts_for_ever), TEST(floods_of_flushes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
