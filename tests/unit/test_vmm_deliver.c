/* Exceptions and interrupts through the guest's IDT: the frame word for word, the stacks, what
 * RFLAGS and the segments become, each check on the way with its error code, double and triple
 * faults. */
#include "cmocka_main.h"
#include <string.h>
#include "guest-pv/vmm/core/deliver.h"
#include "tests/unit/vmm_kernel.h"

#define RFLAGS (FLAG_MBS | FLAG_CF | FLAG_IF | FLAG_TF | FLAG_NT | FLAG_DF | FLAG_AC)

static struct cpu *c;

static int setup(void **state)
{
    (void)state;
    c = vmm_kernel_new();
    c->regs[REG_RFLAGS] = RFLAGS;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vmm_cpu_free(c);
    return 0;
}

/* The words from RSP on */
static void expect_stack(uint64_t rsp, unsigned nr, const uint64_t *words)
{
    assert_int_equal(c->regs[RSP], rsp);
    for (unsigned i = 0; i < nr; i++)
        if (*vmm_word(c, rsp + 8 * i) != words[i])
            fail_msg("word %u of the frame is %#llx, not %#llx", i,
                     (unsigned long long)*vmm_word(c, rsp + 8 * i), (unsigned long long)words[i]);
}
#define EXPECT_STACK(rsp, ...)                                                                     \
    expect_stack((rsp), sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8,                             \
                 (const uint64_t[]){ __VA_ARGS__ })

static void raise(unsigned vector, int error)
{
    if (error >= 0)
        raise_error(c, vector, (uint32_t)error);
    else
        raise_fault(c, vector);
}

/* --- Frames ----------------------------------------------------------------------------------- */

static void same_level_with_error_code(void **state)
{
    (void)state;
    c->shadow = true;
    raise(VECTOR_GP, 0x1234);
    deliver_fault(c);
    EXPECT_STACK(KERNEL_STACK - 0x110 - 48, 0x1234, CODE_AT, KERNEL_CS, RFLAGS | FLAG_RF,
                 KERNEL_STACK - 0x108, 16);
    assert_int_equal(c->regs[REG_RIP], HANDLER_AT(VECTOR_GP));
    assert_int_equal(c->regs[REG_RFLAGS], RFLAGS & ~(FLAG_IF | FLAG_TF | FLAG_NT));
    assert_int_equal(c->seg[SEG_CS].selector, KERNEL_CS);
    assert_int_equal(c->seg[SEG_SS].selector, 16);
    assert_int_equal(c->seg[SEG_SS].access, 0xc093);    /* as it was */
    assert_false(c->shadow);
    assert_int_equal(c->counters.exceptions[VECTOR_GP], 1);
}

static void from_user(void **state)
{
    (void)state;
    vmm_enter_user(c);
    c->regs[RSP] = USER_STACK - 3;
    raise(VECTOR_DE, -1);
    deliver_fault(c);
    EXPECT_STACK(KERNEL_STACK - 40, CODE_AT, USER_CS, RFLAGS | FLAG_RF, USER_STACK - 3, USER_SS);
    assert_int_equal(c->cpl, 0);
    assert_ptr_equal(c->tlb, &c->tlbs[0]);
    assert_int_equal(c->seg[SEG_CS].selector, KERNEL_CS);
    assert_int_equal(c->seg[SEG_CS].access, 0xa09b);
    assert_int_equal(c->seg[SEG_SS].selector, 0);       /* null, with the new CPL */
    assert_int_equal(c->seg[SEG_SS].access, 0);
    assert_int_equal(c->seg[SEG_DS].selector, USER_SS); /* the others stay */
}

static void page_faults_set_cr2(void **state)
{
    (void)state;
    raise(VECTOR_PF, 2);
    c->fault.address = 0xdead000;
    deliver_fault(c);
    assert_int_equal(c->cr2, 0xdead000);
    EXPECT_STACK(KERNEL_STACK - 0x110 - 48, 2, CODE_AT);
    raise(VECTOR_GP, 0);
    c->fault.address = 1;
    deliver_fault(c);
    assert_int_equal(c->cr2, 0xdead000);
}

static void trap_gates_keep_if(void **state)
{
    (void)state;
    vmm_set_gate(c, VECTOR_UD, GATE_TRAP, KERNEL_CS, 0, 0xffffffff80020060);
    raise(VECTOR_UD, -1);
    deliver_fault(c);
    assert_int_equal(c->regs[REG_RIP], 0xffffffff80020060);
    assert_int_equal(c->regs[REG_RFLAGS], RFLAGS & ~(FLAG_TF | FLAG_NT));
}

static void interrupt_stack_table(void **state)
{
    (void)state;
    for (unsigned ist = 1; ist <= 7; ist++) {
        c->regs[RSP] = KERNEL_STACK - 0x208;
        vmm_set_gate(c, VECTOR_NM, GATE_INTERRUPT, KERNEL_CS, ist, 0x5000 + ist);
        raise(VECTOR_NM, -1);
        deliver_fault(c);
        assert_int_equal(*vmm_word(c, IST_STACK(ist) - 16), KERNEL_STACK - 0x208);
        assert_int_equal(c->regs[RSP], IST_STACK(ist) - 40);
        assert_int_equal(c->regs[REG_RIP], 0x5000 + ist);
    }
    vmm_enter_user(c);                  /* and it counts from there, too */
    raise(VECTOR_NM, -1);
    deliver_fault(c);
    assert_int_equal(c->regs[RSP], IST_STACK(7) - 40);
}

/* #DB and interrupts are traps: RF is pushed as it was. */
static void flags_of_traps(void **state)
{
    (void)state;
    raise(VECTOR_DB, -1);
    deliver_fault(c);
    EXPECT_STACK(KERNEL_STACK - 0x110 - 40, CODE_AT, KERNEL_CS, RFLAGS);
    c->regs[RSP] = KERNEL_STACK;
    c->regs[REG_RFLAGS] = RFLAGS;
    c->halted = true;
    deliver_interrupt(c, 0x30);
    EXPECT_STACK(KERNEL_STACK - 40, HANDLER_AT(1), KERNEL_CS, RFLAGS, KERNEL_STACK, 16);
    assert_int_equal(c->regs[REG_RIP], HANDLER_AT(0x30));
    assert_false(c->halted);
    assert_int_equal(c->counters.interrupts, 1);
}

/* A handler in a conforming segment, and one at CPL 3: both on the stack of the moment. */
static void handlers_of_the_same_level(void **state)
{
    (void)state;
    vmm_enter_user(c);
    vmm_set_gate(c, VECTOR_UD, GATE_INTERRUPT, CODE_CONFORMING, 0, HANDLER_AT(6));
    raise(VECTOR_UD, -1);
    deliver_fault(c);
    assert_int_equal(c->cpl, 3);
    assert_int_equal(c->seg[SEG_CS].selector, CODE_CONFORMING | 3);
    EXPECT_STACK(USER_STACK - 40, CODE_AT, USER_CS, RFLAGS | FLAG_RF, USER_STACK, USER_SS);
    vmm_set_gate(c, VECTOR_UD, GATE_INTERRUPT, USER_CS & ~3, 0, HANDLER_AT(6));
    raise(VECTOR_UD, -1);
    deliver_fault(c);
    assert_int_equal(c->cpl, 3);
    assert_int_equal(c->seg[SEG_CS].selector, USER_CS);
    assert_int_equal(c->regs[RSP], USER_STACK - 0x30 - 40);
}

static void the_accessed_bit(void **state)
{
    uint64_t *descriptor = vmm_word(c, KERNEL_GDT + KERNEL_CS);

    (void)state;
    *descriptor &= ~(1ull << 40);
    raise(VECTOR_UD, -1);
    deliver_fault(c);
    assert_int_equal(*descriptor, 0x00af9b000000ffff);
    assert_int_equal(c->seg[SEG_CS].access, 0xa09b);
}

static void software_interrupts(void **state)
{
    (void)state;
    vmm_enter_user(c);
    assert_true(software_interrupt(c, 128, CODE_AT + 2));
    EXPECT_STACK(KERNEL_STACK - 40, CODE_AT + 2, USER_CS, RFLAGS, USER_STACK, USER_SS);
    assert_int_equal(c->regs[REG_RIP], HANDLER_AT(128));
    vmm_enter_user(c);
    c->regs[REG_RIP] = CODE_AT;
    assert_false(software_interrupt(c, 0x30, CODE_AT + 2));     /* the gate's DPL is 0 */
    assert_int_equal(c->fault.vector, VECTOR_GP);
    assert_int_equal(c->fault.error, 0x30 * 8 + 2);
    assert_int_equal(c->regs[REG_RIP], CODE_AT);
    assert_int_equal(c->regs[RSP], USER_STACK);
    assert_int_equal(c->cpl, 3);
    set_cpl(c, 0);
    c->regs[RSP] = KERNEL_STACK;
    assert_true(software_interrupt(c, 0x30, CODE_AT + 2));
    vmm_enter_user(c);                  /* exceptions do not ask for the DPL */
    raise(VECTOR_UD, -1);
    deliver_fault(c);
    assert_int_equal(c->regs[REG_RIP], HANDLER_AT(VECTOR_UD));
}

/* --- Faults on the way: seen through a software interrupt, which has EXT = 0 ------------------ */

static void expect_refusal(unsigned vector, unsigned error, const char *what)
{
    uint64_t rsp = c->regs[RSP];

    if (software_interrupt(c, 0x40, CODE_AT + 2))
        fail_msg("%s: delivered", what);
    if (c->fault.vector != vector || c->fault.error != error || c->regs[RSP] != rsp ||
        c->regs[REG_RIP] != CODE_AT || c->regs[REG_RFLAGS] != RFLAGS)
        fail_msg("%s: vector %u, error code %x", what, c->fault.vector, c->fault.error);
}

static void gates_that_are_refused(void **state)
{
    static const uint8_t types[] = { 0x80, 0x81, 0x82, 0x85, 0x86, 0x87, 0x89, 0x8c, 0x9e, 0x9f };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        vmm_set_gate(c, 0x40, types[i], KERNEL_CS, 0, HANDLER_AT(0x40));
        expect_refusal(VECTOR_GP, 0x40 * 8 + 2, "type");
    }
    vmm_set_gate(c, 0x40, 0x0e, KERNEL_CS, 0, HANDLER_AT(0x40));
    expect_refusal(VECTOR_NP, 0x40 * 8 + 2, "a gate that is not present");
    vmm_set_gate(c, 0x40, 0x8e, KERNEL_CS, 0, NOT_CANONICAL);
    expect_refusal(VECTOR_GP, 0, "an address that is not canonical");
    vmm_set_gate(c, 0x40, 0x8e, KERNEL_CS, 0, HANDLER_AT(0x40));
    c->idtr.limit = 0x40 * 16 + 14;
    expect_refusal(VECTOR_GP, 0x40 * 8 + 2, "limit of the IDT");
    c->idtr.limit++;
    c->idtr.base = ABSENT;
    expect_refusal(VECTOR_PF, 0, "an IDT in no page");
    assert_int_equal(c->fault.address, ABSENT + 0x400);
    c->idtr.base = KERNEL_IDT;
    assert_true(software_interrupt(c, 0x40, CODE_AT + 2));
}

static void segments_that_are_refused(void **state)
{
    static const struct {
        uint16_t selector;
        uint8_t vector;
        uint16_t error;
    } cases[] = {
        { 0, VECTOR_GP, 0 },
        { 3, VECTOR_GP, 0 },
        { KERNEL_SS, VECTOR_GP, KERNEL_SS },            /* no code */
        { TSS_SELECTOR, VECTOR_GP, TSS_SELECTOR },
        { CODE_32, VECTOR_GP, CODE_32 },
        { CODE_ABSENT | 3, VECTOR_NP, CODE_ABSENT },
        { GDT_LIMIT + 1, VECTOR_GP, GDT_LIMIT + 1 },
        { 0xfff8, VECTOR_GP, 0xfff8 },
        { 0x0c, VECTOR_GP, 0x0c },                      /* not in the LDT */
        { LDT_DATA, VECTOR_GP, LDT_DATA },
        { USER_CS, VECTOR_GP, USER_CS & ~3 },           /* an outer level */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        vmm_set_gate(c, 0x40, GATE_INTERRUPT, cases[i].selector, 0, HANDLER_AT(0x40));
        expect_refusal(cases[i].vector, cases[i].error, "selector");
    }
    vmm_set_gate(c, 0x40, GATE_INTERRUPT, KERNEL_CS, 0, HANDLER_AT(0x40));
    c->gdtr.base = ABSENT;
    expect_refusal(VECTOR_PF, 0, "a GDT in no page");
    c->gdtr.base = 0x7fffffffffff;
    expect_refusal(VECTOR_GP, 0, "a GDT over the end of the lower half");
}

static void stacks_that_are_refused(void **state)
{
    uint64_t *const rsp0 = (uint64_t *)(c->ram.bytes + KERNEL_TSS + 4);

    (void)state;
    vmm_set_gate(c, 0x40, GATE_INTERRUPT | GATE_DPL_3, KERNEL_CS, 0, HANDLER_AT(0x40));
    vmm_enter_user(c);
    c->tr.limit = 4 + 6;
    expect_refusal(VECTOR_TS, TSS_SELECTOR, "limit of the TSS");
    c->tr.limit = TSS_LIMIT;
    c->tr.base = ABSENT;
    expect_refusal(VECTOR_PF, 0, "a TSS in no page");
    c->tr.base = KERNEL_TSS;
    memcpy(rsp0, &(uint64_t){ ABSENT + 16 }, 8);
    expect_refusal(VECTOR_PF, 2, "a stack in no page");
    assert_int_equal(c->fault.address, ABSENT);     /* its second page */
    memcpy(rsp0, &(uint64_t){ NOT_CANONICAL + 64 }, 8);
    expect_refusal(VECTOR_SS, 0, "a stack that is not canonical");
    memcpy(rsp0, &(uint64_t){ KERNEL_STACK }, 8);
    vmm_set_gate(c, 0x40, GATE_INTERRUPT | GATE_DPL_3, KERNEL_CS, 2, HANDLER_AT(0x40));
    c->tr.limit = 0x24 + 8 + 6;
    expect_refusal(VECTOR_TS, TSS_SELECTOR, "limit of the TSS, IST");
    c->tr.limit = TSS_LIMIT;
    assert_true(software_interrupt(c, 0x40, CODE_AT + 2));
}

/* A handler at CPL 3 has a stack of CPL 3's rights. */
static void a_stack_of_the_kernel_is_not_the_users(void **state)
{
    uint64_t *l2 = vmm_word(c, 0x3000);

    (void)state;
    l2[1] = 0x200000 | 0xe3;            /* frames behind the RAM, the kernel's */
    vmm_set_gate(c, 0x40, GATE_INTERRUPT | GATE_DPL_3, USER_CS, 0, HANDLER_AT(0x40));
    vmm_enter_user(c);
    c->regs[RSP] = 0x200100;
    expect_refusal(VECTOR_PF, 7, "a stack of the kernel");
}

/* --- Double and triple faults ----------------------------------------------------------------- */

static void absent_gate(unsigned vector)
{
    vmm_set_gate(c, vector, 0x0e, KERNEL_CS, 0, 0);
}

/* What is delivered at last, and with which error code, when the gate of the first is not present
 * (#NP) or its handler's segment cannot be read (#PF). */
static void faults_on_the_way(void **state)
{
    static const struct {
        uint8_t first;
        bool page_fault;        /* or #NP */
        uint8_t then;
        uint16_t error;
    } cases[] = {
        { VECTOR_DE, false, VECTOR_DF, 0 },
        { VECTOR_GP, false, VECTOR_DF, 0 },
        { VECTOR_SS, false, VECTOR_DF, 0 },
        { VECTOR_TS, false, VECTOR_DF, 0 },
        { VECTOR_NP, false, VECTOR_DF, 0 },
        { VECTOR_PF, false, VECTOR_DF, 0 },
        { VECTOR_UD, false, VECTOR_NP, VECTOR_UD * 8 + 3 },
        { VECTOR_DB, false, VECTOR_NP, VECTOR_DB * 8 + 3 },
        { VECTOR_NM, false, VECTOR_NP, VECTOR_NM * 8 + 3 },
        { VECTOR_MF, false, VECTOR_NP, VECTOR_MF * 8 + 3 },
        { VECTOR_AC, false, VECTOR_NP, VECTOR_AC * 8 + 3 },
        { VECTOR_XM, false, VECTOR_NP, VECTOR_XM * 8 + 3 },
        { VECTOR_PF, true, VECTOR_DF, 0 },
        { VECTOR_GP, true, VECTOR_PF, 0 },
        { VECTOR_UD, true, VECTOR_PF, 0 },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned first = cases[i].first;

        c->ldtr = (struct segment){ LDT_SELECTOR, 0x82, 0xffff, ABSENT };
        if (cases[i].page_fault)
            vmm_set_gate(c, first, GATE_INTERRUPT, 0x0c, 0, 0);
        else
            absent_gate(first);
        c->regs[RSP] = KERNEL_STACK;
        c->regs[REG_RIP] = CODE_AT;
        c->fault = (struct cpu_fault){ .vector = (uint8_t)first };
        deliver_fault(c);
        if (first == VECTOR_NP)
            assert_int_equal(c->regs[REG_RIP], HANDLER_AT(VECTOR_DF));
        if (c->stop != STOP_NOT || c->regs[REG_RIP] != HANDLER_AT(cases[i].then) ||
            *vmm_word(c, c->regs[RSP]) != cases[i].error)
            fail_msg("row %u: RIP %llx", i, (unsigned long long)c->regs[REG_RIP]);
        assert_int_equal(*vmm_word(c, c->regs[RSP] + 8), CODE_AT);
        if (cases[i].page_fault)
            assert_int_equal(c->cr2, ABSENT + 8);
        vmm_set_gate(c, first, GATE_INTERRUPT, KERNEL_CS, 0, HANDLER_AT(first));
    }
}

/* An interrupt is benign, whatever its vector; EXT is set in what follows. */
static void interrupts_are_benign(void **state)
{
    static const uint8_t vectors[] = { VECTOR_DF, VECTOR_GP, VECTOR_PF, 0x30 };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++) {
        absent_gate(vectors[i]);
        c->regs[RSP] = KERNEL_STACK;
        c->regs[REG_RIP] = CODE_AT;
        deliver_interrupt(c, vectors[i]);       /* of a PIC that nobody has programmed */
        assert_int_equal(c->regs[REG_RIP], HANDLER_AT(VECTOR_NP));
        EXPECT_STACK(KERNEL_STACK - 48, vectors[i] * 8 + 3, CODE_AT);
    }
    absent_gate(VECTOR_NP);
    deliver_interrupt(c, 8);            /* #NP, then #NP: and the gate of #DF is absent */
    assert_int_equal(c->stop, STOP_SHUTDOWN);
}

static void triple_faults(void **state)
{
    (void)state;
    absent_gate(VECTOR_GP);
    absent_gate(VECTOR_DF);
    raise(VECTOR_GP, 0x18);
    c->cr2 = 0x1234;
    deliver_fault(c);
    assert_int_equal(c->stop, STOP_SHUTDOWN);
    assert_string_equal(c->reason,
                        "triple fault: exception 13, error code 18, at RIP 18000, CR2 1234");
    assert_int_equal(c->regs[REG_RIP], CODE_AT);
    assert_int_equal(c->regs[RSP], KERNEL_STACK - 0x108);
}

/* The longest chain: benign, contributory, #PF, #DF, and that one fails too. */
static void longest_chain(void **state)
{
    (void)state;
    c->ldtr = (struct segment){ LDT_SELECTOR, 0x82, 0xffff, ABSENT };
    absent_gate(VECTOR_UD);
    vmm_set_gate(c, VECTOR_NP, GATE_INTERRUPT, 0x0c, 0, 0);
    absent_gate(VECTOR_PF);
    absent_gate(VECTOR_DF);
    raise(VECTOR_UD, -1);
    deliver_fault(c);
    assert_int_equal(c->stop, STOP_SHUTDOWN);
}

static void an_empty_idt_is_a_restart(void **state)
{
    (void)state;
    c->idtr = (struct table_register){ 0, 0 };
    assert_false(software_interrupt(c, VECTOR_BP, CODE_AT + 1));
    deliver_fault(c);
    assert_int_equal(c->stop, STOP_RESET);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(same_level_with_error_code), TEST(from_user), TEST(page_faults_set_cr2),
        TEST(trap_gates_keep_if), TEST(interrupt_stack_table), TEST(flags_of_traps),
        TEST(handlers_of_the_same_level), TEST(the_accessed_bit), TEST(software_interrupts),
        TEST(gates_that_are_refused), TEST(segments_that_are_refused),
        TEST(stacks_that_are_refused), TEST(a_stack_of_the_kernel_is_not_the_users),
        TEST(faults_on_the_way), TEST(interrupts_are_benign), TEST(triple_faults),
        TEST(longest_chain), TEST(an_empty_idt_is_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
