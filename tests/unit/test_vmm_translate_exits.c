/* Way 3's run loop: page faults, exceptions, user code. Which of them go on at the same host
 * address, what the guest's state is after the others, what the core does instead of the CPU.
 * Events and callouts: test_vmm_translate_callouts.c; roots: test_vmm_translate_run.c. */
#include "tests/unit/vmm_loop_parts.h"

/* --- Page faults ------------------------------------------------------------------------------ */

/* mov (%rbx), %eax: the guest's tables have the page, the shadow does not yet. */
static void a_fault_that_fills_goes_on_where_it_was(void **state)
{
    struct vmm_leaf leaf;
    uint64_t at;

    (void)state;
    START(0x8b, 0x03);
    at = host_rip;
    assert_false(vmm_mmu_resolve(DATA_AT, &leaf));
    stop_at(at, VECTOR_PF, PF_U, DATA_AT);
    assert_int_equal(host_rip, at);
    assert_int_equal(c->regs[REG_RIP], at); /* not mapped back */
    assert_true(vmm_mmu_lets(DATA_AT, 0, &leaf));
    assert_int_equal(leaf.frame, DATA_AT / GUEST_PAGE);
}

/* nop; mov (%rbx), %eax */
static void a_fault_of_the_guests_is_delivered_at_its_instruction(void **state)
{
    (void)state;
    START(0x90, 0x8b, 0x03);
    stop_at(host_of(CODE_AT + 1), VECTOR_PF, PF_U | PF_W, ABSENT);
    expect_in_handler(VECTOR_PF, CODE_AT + 1, true);
    assert_int_equal(c->cr2, ABSENT);
    assert_int_equal(stack_word(0), PF_W); /* U is the guest's CPL, which is 0 */
}

/* nop; mov %rcx, (%rbx): to a page table, which is protected since it has a shadow. */
static void a_store_to_a_table_is_done_by_the_core(void **state)
{
    uint64_t entry = LEVEL_3 + 8 * 100, by_core;

    (void)state;
    START(0x90, 0x48, 0x89, 0x0b);
    stop_at(host_rip, VECTOR_PF, PF_U, DATA_AT);
    assert_int_not_equal(c->ram.flags[LEVEL_3 / GUEST_PAGE] & FRAME_TABLE, 0);
    c->regs[RBX] = entry;
    c->regs[RCX] = OTHER_LEVEL_2 | FLAGS;
    by_core = c->counters.instructions;
    stop_at(host_of(CODE_AT + 1), VECTOR_PF, PF_U | PF_W | PF_P, entry);
    assert_int_equal(*vmm_word(c, entry), OTHER_LEVEL_2 | FLAGS);
    assert_int_equal(c->counters.instructions - by_core, 1);
    expect_goes_on(CODE_AT + 4);
}

#define TABLE_WORD (LEVEL_3 + 8 * 100)

/* mov %rcx, (%rbx) faults until it calls out. */
static void fault_often(void)
{
    unsigned faults = 0;

    c->regs[RBX] = TABLE_WORD;
    for (; translate_counts(c)->stores == 0 && faults < 100; faults++) {
        START(0x48, 0x89, 0x0b);
        shadow_fault(c, TABLE_WORD, PF_U); /* so that the table is in use between two stores */
        stop_at(host_rip, VECTOR_PF, PF_U | PF_W | PF_P, TABLE_WORD);
    }
    assert_in_range(faults, 2, 99);
}

static void a_store_that_faults_often_calls_out(void **state)
{
    const struct translate_counters *n = translate_counts(c);
    uint64_t entry = TABLE_WORD;

    (void)state;
    fault_often();
    c->regs[RCX] = OTHER_LEVEL_2 | FLAGS;
    START(0x48, 0x89, 0x0b);
    call_out_at(CODE_AT, EXIT_TO_EMULATE);
    assert_int_equal(*vmm_word(c, entry), OTHER_LEVEL_2 | FLAGS);
    assert_int_equal(n->stores, 1);
    expect_goes_on(CODE_AT + 3);
}

/* To other memory it does so for nothing: it stops, and may begin again. It is one place. */
static void a_store_that_calls_out_is_counted_once(void **state)
{
    const struct translate_counters *n = translate_counts(c);

    (void)state;
    for (unsigned times = 0; times < 3; times++) {
        unsigned callouts = 0;

        fault_often();
        assert_int_equal(n->stores, 1);
        c->regs[RBX] = DATA_AT;
        for (; n->stores != 0 && callouts < 1000; callouts++) {
            START(0x48, 0x89, 0x0b);
            call_out_at(CODE_AT, EXIT_TO_EMULATE);
        }
        assert_in_range(callouts, 2, 999);
    }
    START(0x48, 0x89, 0x0b);
    expect_goes_on(CODE_AT);
}

/* nop; mov %rcx, (%rbx), in a block from each of them: the other one is translated anew later. */
static void a_store_in_two_blocks_is_one_place(void **state)
{
    static const uint8_t code[] = { 0x90, 0x48, 0x89, 0x0b };

    (void)state;
    c->regs[RBX] = TABLE_WORD;
    for (unsigned from = 0; from < 2; from++)
        start_at(CODE_AT + from, code, sizeof(code));
    for (unsigned times = 0; times < 200; times++) {
        start_at(CODE_AT + (times < 100), code, sizeof(code));
        if (place_in_block(c->translator, block_that_runs(), CODE_AT + 1) == 0)
            continue;                   /* it calls out there */
        shadow_fault(c, TABLE_WORD, PF_U);
        stop_at(host_of(CODE_AT + 1), VECTOR_PF, PF_U | PF_W | PF_P, TABLE_WORD);
    }
    assert_int_equal(translate_counts(c)->stores, 1);
}

/* mov %cl, (%rbx): into the block itself, which is translated anew behind it. It is no store to a
 * page table, however often it is done. */
static void a_store_to_code_is_seen(void **state)
{
    (void)state;
    c->regs[RBX] = CODE_AT + 2;
    c->regs[RCX] = 0x99;                /* cltd instead of nop */
    for (unsigned i = 0; i < 100; i++) {
        uint64_t changes;

        START(0x88, 0x0b, 0x90);
        assert_int_not_equal(c->ram.flags[CODE_AT / GUEST_PAGE] & FRAME_CODE, 0);
        changes = translate_changes(c);
        stop_at(host_rip, VECTOR_PF, PF_U | PF_W | PF_P, CODE_AT + 2);
        assert_int_equal(c->ram.bytes[CODE_AT + 2], 0x99);
        assert_true(translate_changes(c) > changes);
        assert_int_equal(c->regs[REG_RIP], CODE_AT + 2);
        assert_true(translate_is_code(c, host_rip));
        assert_int_equal(host.memory[host_rip - host.base], 0x99);
        translate_written(c, CODE_AT + 2, 1, false); /* what START() does next */
    }
    assert_int_equal(translate_counts(c)->stores, 0);
}

/* sti; mov %rcx, (%rbx); nop: the store that the core does is what the shadow is for. */
static void a_shadow_ends_with_the_cores_store(void **state)
{
    const struct translator *t = c->translator;
    const struct point *p;

    (void)state;
    START(0xfb, 0x48, 0x89, 0x0b, 0x90);
    stop_at(host_rip, VECTOR_PF, PF_U, DATA_AT);
    p = &t->points[block_that_runs()->first_point];
    while (p->delta != 1 || !(p->fix & IN_SHADOW))
        p++;
    c->regs[RBX] = LEVEL_3 + 8 * 100;
    t->state->if_word = 0;              /* as the STI has set it */
    raise_line();
    stop_at(host.base + block_that_runs()->start + p->offset, VECTOR_PF, PF_U | PF_W | PF_P,
            LEVEL_3 + 8 * 100);
    expect_in_handler(VECTOR, CODE_AT + 4, false);
}

/* --- Others ----------------------------------------------------------------------------------- */

/* nop; div %ecx: as the CPU says. */
static void an_exception_is_delivered_at_its_instruction(void **state)
{
    (void)state;
    START(0x90, 0xf7, 0xf1);
    stop_at(host_of(CODE_AT + 1), VECTOR_DE, 0, 0);
    expect_in_handler(VECTOR_DE, CODE_AT + 1, false);
}

/* With TF the core executes kernel code, and #DB comes behind the instruction. */
static void single_steps_are_the_cores(void **state)
{
    uint64_t by_core = c->counters.instructions;

    (void)state;
    memset(c->ram.bytes + CODE_AT, 0x90, 8);
    c->regs[REG_RIP] = CODE_AT;
    c->regs[REG_RFLAGS] |= FLAG_TF;
    run_translated(c);
    expect_in_handler(VECTOR_DB, CODE_AT + 1, false);
    assert_int_equal(c->counters.instructions - by_core, 1);
}

/* User code runs as it is: at its own address, which is the guest's. */
static void user_code_is_not_translated(void **state)
{
    const uint64_t blocks = translate_counts(c)->blocks;

    (void)state;
    vmm_enter_user(c);
    c->regs[REG_RIP] = CODE_AT;
    run_translated(c);
    assert_int_equal(host_rip, CODE_AT);
    assert_int_equal(translate_counts(c)->blocks, blocks);
    c->ram.bytes[CODE_AT] = 0xfa;       /* cli */
    stop_at(CODE_AT, VECTOR_GP, 0, 0);
    expect_in_handler(VECTOR_GP, CODE_AT, true);
    assert_int_equal(c->regs[RSP], KERNEL_STACK - 6 * 8);
}

/* Its SYSCALL: the core does it, for the CPU has put RIP behind it. */
static void a_system_call_enters_the_kernel(void **state)
{
    (void)state;
    vmm_enter_user(c);
    memcpy(c->ram.bytes + CODE_AT, "\x0f\x05", 2);
    c->efer |= EFER_SCE;
    c->star = (uint64_t)KERNEL_CS << 32;
    c->lstar = HANDLER_AT(9);
    c->regs[REG_RIP] = CODE_AT;
    run_translated(c);
    stop_at(CODE_AT + 2, EXIT_SYSCALL, 0, 0);
    expect_goes_on(HANDLER_AT(9));
    assert_int_equal(c->cpl, 0);
    assert_int_equal(c->regs[RCX], CODE_AT + 2);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup_handlers, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_fault_that_fills_goes_on_where_it_was),
        RUN(a_fault_of_the_guests_is_delivered_at_its_instruction),
        RUN(a_store_to_a_table_is_done_by_the_core),
        RUN(a_store_that_faults_often_calls_out),
        RUN(a_store_that_calls_out_is_counted_once),
        RUN(a_store_in_two_blocks_is_one_place),
        RUN(a_store_to_code_is_seen),
        RUN(a_shadow_ends_with_the_cores_store),
        RUN(an_exception_is_delivered_at_its_instruction),
        RUN(single_steps_are_the_cores),
        RUN(user_code_is_not_translated),
        RUN(a_system_call_enters_the_kernel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
