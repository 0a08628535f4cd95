/* Way 3's run loop: events, with an interrupt or without, and what a callout does. Page faults and
 * the rest of the exits: test_vmm_translate_exits.c. */
#include "tests/unit/vmm_loop_parts.h"

/* --- Events ----------------------------------------------------------------------------------- */

/* nop; nop. Nothing waits: the alarm is set again, for it has rung. */
static void an_event_without_an_interrupt_changes_nothing(void **state)
{
    (void)state;
    START(0x90, 0x90);
    c->regs[REG_RFLAGS] |= FLAG_IF;
    nr_alarms = 0;
    translate_set_pending(c, true);     /* one that the interrupt controller has taken back */
    stop_at(host_of(CODE_AT + 1), EXIT_EVENT, 0, 0);
    assert_int_equal(host_rip, host_of(CODE_AT + 1));
    assert_int_equal(c->regs[REG_RIP], host_rip);
    assert_int_equal(c->translator->state->pending, 0);
    assert_int_equal(nr_alarms, 1);
}

static void an_interrupt_is_delivered_where_the_guest_is(void **state)
{
    (void)state;
    c->regs[REG_RFLAGS] |= FLAG_IF;
    START(0x90, 0x90);
    raise_line();
    stop_at(host_of(CODE_AT + 1), EXIT_EVENT, 0, 0);
    expect_in_handler(VECTOR, CODE_AT + 1, false);
    assert_int_equal(c->regs[REG_RFLAGS] & FLAG_IF, 0);
    assert_int_not_equal(stack_word(2) & FLAG_IF, 0);
    assert_int_equal(c->counters.interrupts, 1);
}

/* IF is 0: the instruction is begun again, and the next STI calls out. */
static void an_interrupt_that_is_not_wanted_waits(void **state)
{
    (void)state;
    START(0x90, 0x90);
    raise_line();
    stop_at(host_of(CODE_AT + 1), EXIT_EVENT, 0, 0);
    expect_goes_on(CODE_AT + 1);
    assert_int_equal(c->regs[REG_RIP], CODE_AT + 1);
    assert_int_equal(c->counters.interrupts, 0);
    assert_int_equal(c->translator->state->pending, 1);
}

/* The timer's interrupt, of which the interrupt controller knows when the timer is looked at. */
static void an_event_in_user_code_polls_the_platform(void **state)
{
    (void)state;
    port_write(c->platform, 0x43, 1, 0x34);
    port_write(c->platform, 0x40, 1, 0);
    port_write(c->platform, 0x40, 1, 4);
    platform_poll(c->platform);
    c->platform->pic.chip[0].irr = 0;   /* the edge of its being set */
    c->platform->pic.chip[0].imr = 0xfe;
    vmm_enter_user(c);
    c->regs[REG_RIP] = CODE_AT;
    c->regs[REG_RFLAGS] |= FLAG_IF;
    run_translated(c);
    stop_at(CODE_AT, EXIT_EVENT, 0, 0);
    assert_int_equal(host_rip, CODE_AT);
    vmm_tsc += vmm_host.tsc_hz / 100;
    stop_at(CODE_AT, EXIT_EVENT, 0, 0);
    expect_in_handler(VECTOR - LINE, CODE_AT, false);
}

static void a_reset_ends_the_guest(void **state)
{
    (void)state;
    START(0x90);
    port_write(c->platform, 0x64, 1, 0xfe);
    stop_at(host_rip, EXIT_EVENT, 0, 0);
    assert_int_equal(c->stop, STOP_RESET);
    assert_int_equal(host_rip, 0);
}

/* --- Callouts --------------------------------------------------------------------------------- */

/* mov %cr2, %rax: the core does it, and the block goes on behind it. SYSCALL has overwritten RCX
 * and R11, which the stub had put aside. */
static void a_callout_executes_its_instruction(void **state)
{
    const struct translate_counters *n = translate_counts(c);

    (void)state;
    START(FROM_CR(2), 0x90);
    c->cr2 = 0x1234567;
    c->regs[RCX] = 0x1111, c->regs[R11] = 0x2222;
    call_out_at(CODE_AT, EXIT_TO_EMULATE);
    assert_int_equal(c->regs[RAX], 0x1234567);
    assert_int_equal(c->regs[RCX], 0x1111);
    assert_int_equal(c->regs[R11], 0x2222);
    assert_int_equal(c->regs[REG_RIP], CODE_AT + 3);
    assert_int_equal(n->callouts[OF_INSTRUCTIONS], 1);
    assert_true(translate_is_code(c, host_rip));
    assert_int_equal(host.memory[host_rip - host.base], 0x90);
}

/* wrmsr of none: its #GP is the guest's. */
static void a_callouts_fault_is_the_guests(void **state)
{
    (void)state;
    START(0x90, 0x0f, 0x30);
    c->regs[RCX] = 0x12345678;
    call_out_at(CODE_AT + 1, EXIT_TO_EMULATE);
    expect_in_handler(VECTOR_GP, CODE_AT + 1, true);
}

/* jmp to another page: chained, and nothing is executed by the core. */
static void a_callout_of_a_branch_leads_to_its_target(void **state)
{
    const struct translate_counters *n = translate_counts(c);
    uint64_t by_core = c->counters.instructions, to = HANDLER_AT(7);

    (void)state;
    START(0xe9, BYTE_OF(to - CODE_AT - 5, 0), BYTE_OF(to - CODE_AT - 5, 1), 0, 0);
    call_out_at(to, EXIT_OF_BRANCH);
    expect_goes_on(to);
    assert_int_equal(n->chained, 1);
    assert_int_equal(n->callouts[OF_BRANCHES], 1);
    assert_int_equal(c->counters.instructions, by_core);
}

/* HLT with IF = 0: nothing can wake it. */
static void hlt_may_be_the_end(void **state)
{
    (void)state;
    START(0x90);
    call_out_at(CODE_AT + 1, EXIT_TO_EMULATE);
    assert_int_equal(c->stop, STOP_HALTED);
    assert_int_equal(host_rip, 0);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup_handlers, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(an_event_without_an_interrupt_changes_nothing),
        RUN(an_interrupt_is_delivered_where_the_guest_is),
        RUN(an_interrupt_that_is_not_wanted_waits),
        RUN(an_event_in_user_code_polls_the_platform),
        RUN(a_reset_ends_the_guest),
        RUN(a_callout_executes_its_instruction),
        RUN(a_callouts_fault_is_the_guests),
        RUN(a_callout_of_a_branch_leads_to_its_target),
        RUN(hlt_may_be_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
