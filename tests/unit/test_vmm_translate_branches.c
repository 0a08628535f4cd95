/* Branches of translated code, and STI: chains, the return cache, the table of indirect
 * branches. The code is this process's: see vmm_translated.h. What happens to blocks when memory
 * is written is test_vmm_translate_blocks.c's, what single instructions become
 * test_vmm_translate.c's. */
#include "tests/unit/vmm_block_parts.h"

/* A loop of 100 turns by way of FUNCTION: to there and back, and to its start, which is in the
 * middle of the first block; the fourth callout is HLT's. */
static void each_branch_calls_out_once(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t chained = n->chained, callouts = callouts_of(n), blocks = n->blocks;

    (void)state;
    translated_renew(&pair); /* mov $100, %ecx; jmp FUNCTION; dec %ecx; jnz to that jmp; hlt */
    PUT(PAGE_AT(PAGE_CODE), 0xb9, 100, 0, 0, 0, 0xe9, ADDRESS(GUEST_PAGE - 10), 0xff, 0xc9,
        0x75, 0xf7, 0xf4);
    PUT(FUNCTION, 0xe9, ADDRESS(10 - GUEST_PAGE - 5));
    run_both();
    assert_int_equal(n->chained - chained, 3);
    assert_int_equal(callouts_of(n) - callouts, 4);
    assert_int_equal(n->blocks - blocks, 3);
    run_both(); /* HLT alone */
    assert_int_equal(n->chained - chained, 3);
    assert_int_equal(callouts_of(n) - callouts, 5);
}

/* Within a block no branch calls out. */
static void a_loop_within_a_block_calls_out_for_nothing(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t callouts = callouts_of(n);

    (void)state;
    translated_renew(&pair);
    PUT(PAGE_AT(PAGE_CODE), 0xb9, 0xe8, 0x03, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xf4);
    run_both();
    assert_int_equal(callouts_of(n) - callouts, 1);
}

/* The body of a loop is one block, though it has more instructions than most. */
static void a_loop_of_50_instructions_is_one_block(void **state)
{
    const struct translator *t = pair.translated->translator;
    uint32_t first = t->nr_blocks;

    (void)state;
    translated_renew(&pair); /* mov $3, %ecx; 1: 48 times nop; dec %ecx; jnz 1b; hlt */
    PUT(PAGE_AT(PAGE_CODE), 0xb9, 3, 0, 0, 0);
    for (unsigned i = 0; i < 48; i++)
        PUT(PAGE_AT(PAGE_CODE) + 5 + i, 0x90);
    PUT(PAGE_AT(PAGE_CODE) + 53, 0xff, 0xc9, 0x75, 0xcc, 0xf4);
    run_both();
    assert_int_equal(t->blocks[first].length, 57); /* HLT is another block's */
}

/* By the return cache. */
static void returns_call_out_for_nothing(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t callouts = callouts_of(n);

    (void)state;
    load_call();
    run_both();
    assert_int_equal(callouts_of(n) - callouts, 2); /* of the call, of HLT */
    run_both();
    assert_int_equal(callouts_of(n) - callouts, 3);
}

/* pop; push of where to return instead; ret: the cache has the place behind the call. */
static void a_return_address_may_be_changed(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t missed = n->callouts[OF_LOOKUPS];

    (void)state;
    load_call();
    PUT(FUNCTION, 0x58, 0x68, ADDRESS(PAGE_AT(PAGE_CODE_3)), 0xc3);
    PUT(PAGE_AT(PAGE_CODE_3) + 5, 0xf4);
    run_both();
    assert_int_equal(rax(), 2);
    assert_int_equal(n->callouts[OF_LOOKUPS] - missed, 1);
    run_both();
    assert_int_equal(rax(), 2);
    assert_int_equal(n->callouts[OF_LOOKUPS] - missed, 1);
}

/* Two callers of one function, and a call within a call. */
static void returns_find_their_callers(void **state)
{
    (void)state;
    translated_renew(&pair); /* FUNCTION: inc %eax; ret. CODE_3: call FUNCTION twice; ret */
    PUT(FUNCTION, 0xff, 0xc0, 0xc3);
    PUT(PAGE_AT(PAGE_CODE_3), 0xe8, ADDRESS(FUNCTION - PAGE_AT(PAGE_CODE_3) - 5), 0xe8,
        ADDRESS(FUNCTION - PAGE_AT(PAGE_CODE_3) - 10), 0xc3);
    PUT(PAGE_AT(PAGE_CODE), 0x31, 0xc0, 0xe8, ADDRESS(PAGE_AT(PAGE_CODE_3) - PAGE_AT(0) - 7), 0xe8,
        ADDRESS(FUNCTION - PAGE_AT(0) - 12), 0xe8, ADDRESS(PAGE_AT(PAGE_CODE_3) - PAGE_AT(0) - 17),
        0xf4);
    run_both();
    assert_int_equal(rax(), 5);
}

/* FUNCTION ends with a jump to another one, which is called, too: both return by the cache. */
static void a_function_may_end_with_a_jump_to_another(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t missed = n->callouts[OF_LOOKUPS];

    (void)state;
    load_call(); /* call FUNCTION; call the other one; hlt */
    PUT(FUNCTION, 0xe9, ADDRESS(PAGE_AT(PAGE_CODE_3) - FUNCTION - 5));
    PUT(PAGE_AT(PAGE_CODE) + 5, 0xe8, ADDRESS(PAGE_AT(PAGE_CODE_3) - PAGE_AT(PAGE_CODE) - 10),
        0xf4);
    run_both();
    run_both();
    assert_int_equal(n->callouts[OF_LOOKUPS], missed);
    guest_writes(PAGE_AT(PAGE_CODE_3) + 1, "\x07", 1);
    run_both();
    assert_int_equal(rax(), 7);
    assert_int_equal(n->callouts[OF_LOOKUPS], missed);
}

/* mov $FUNCTION, %ecx; call *%rcx: the second time by the table, and by the cache back. */
static void indirect_calls_are_found_in_the_table(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t callouts = callouts_of(n), missed = n->callouts[OF_LOOKUPS];

    (void)state;
    load_call();
    PUT(PAGE_AT(PAGE_CODE), 0xb9, ADDRESS(FUNCTION), 0xff, 0xd1, 0xf4);
    run_both();
    assert_int_equal(n->callouts[OF_LOOKUPS] - missed, 1);
    callouts = callouts_of(n);
    run_both();
    run_both();
    assert_int_equal(callouts_of(n) - callouts, 2); /* of HLT */
    guest_writes(FUNCTION + 1, "\x07", 1); /* the block that the table leads to */
    run_both();
    assert_int_equal(rax(), 7);
}

/* Address 0x800 has the same place in the table as one of the code's page. */
static void targets_are_compared(void **state)
{
    (void)state;
    translated_renew(&pair); /* mov $, %ecx; call *%rcx; mov $0x800, %ecx; call *%rcx */
    PUT(PAGE_AT(PAGE_CODE), 0xb9, ADDRESS(PAGE_AT(PAGE_CODE) + 0x800), 0xff, 0xd1, 0xb9, 0, 8, 0, 0,
        0xff, 0xd1);
    PUT(PAGE_AT(PAGE_CODE) + 0x800, 0xb8, 1, 0, 0, 0, 0xc3);
    *vmm_word(pair.core, 0x800) = *vmm_word(pair.translated, 0x800) = 0xf4;
    for (unsigned i = 0; i < 3; i++) {
        run_both();
        assert_int_equal(pair.translated->regs[REG_RIP], 0x800);
    }
}

/* STI calls out only while an interrupt waits. */
static void sti_calls_out_when_an_interrupt_waits(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t callouts = callouts_of(n);

    (void)state;
    translated_renew(&pair);
    PUT(PAGE_AT(PAGE_CODE), 0xfb, 0x90, 0xfa, 0xf4); /* sti; nop; cli; hlt */
    translate_set_pending(pair.translated, false);
    run_both();
    assert_int_equal(callouts_of(n) - callouts, 1);
    translate_set_pending(pair.translated, true);
    run_both();
    assert_int_equal(callouts_of(n) - callouts, 3);
    translate_set_pending(pair.translated, false);
}

/* sti; nop; nop; jmp to itself. Wherever the CPU stops in the block, in its stubs too: no interrupt
 * comes where the guest is behind the STI, and one may come everywhere else. */
static void nothing_comes_between_sti_and_the_next_instruction(void **state)
{
    struct cpu *c = pair.translated;
    const uint64_t sti = PAGE_AT(PAGE_CODE);
    unsigned seen[4] = { 0 };
    uint64_t at;

    (void)state;
    translated_renew(&pair);
    PUT(sti, 0xfb, 0x90, 0x90, 0xeb, 0xfe);
    at = translate_entry(c);
    for (; at < REGION + c->translator->used; at++) {
        translate_map_back(c, at);
        assert_in_range(c->regs[REG_RIP], sti, sti + ARRAY_SIZE(seen) - 1);
        assert_int_equal(c->shadow, c->regs[REG_RIP] == sti + 1);
        seen[c->regs[REG_RIP] - sti]++;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(seen); i++)
        assert_int_not_equal(seen[i], 0);
}

/* Each STI takes the next instruction into its block: a row of them ends somewhere. */
static void a_row_of_sti_is_not_one_block(void **state)
{
    static uint8_t row[GUEST_PAGE - 64];
    const struct translator *t = pair.translated->translator;

    (void)state;
    translated_renew(&pair);
    memset(row, 0xfb, sizeof(row));
    translated_write(&pair, PAGE_AT(PAGE_CODE), row, sizeof(row));
    PUT(PAGE_AT(PAGE_CODE) + sizeof(row), 0xf4);
    translate_entry(pair.translated);
    assert_true(t->used - t->blocks[t->nr_blocks - 1].start < 8192);
}

/* The STI is the last instruction that its block has room for. */
static void nor_where_a_block_ends(void **state)
{
    const struct lockstep how = { .max_steps = 100 };

    (void)state;
    for (unsigned last = 31; last <= 63; last += 32) {
        translated_renew(&pair);
        for (unsigned i = 0; i < last; i++)
            PUT(PAGE_AT(PAGE_CODE) + i, 0x90);
        PUT(PAGE_AT(PAGE_CODE) + last, 0xfb, 0x90, 0x90, 0xfa, 0xf4);
        run_lockstep(&pair, &how);
        assert_int_equal(pair.translated->stop, STOP_HALTED);
    }
}

/* Nor if the core does the next instruction: push %gs. */
static void nor_before_an_instruction_of_the_core(void **state)
{
    const struct lockstep how = { .max_steps = 100 };

    (void)state;
    translated_renew(&pair);
    PUT(PAGE_AT(PAGE_CODE), 0xfb, 0x0f, 0xa8, 0xfa, 0xf4);
    run_lockstep(&pair, &how);
    assert_int_equal(pair.translated->stop, STOP_HALTED);
}

/* ret, jmp *%rax, call *%rax and iretq to an address that is not canonical: #GP of the branch
 * itself. What CALL has pushed stays below RSP. */
static void a_wild_branch_is_a_fault_of_the_branch(void **state)
{
    static const uint8_t branches[4][12] = {
        { 0x50, 0xc3 }, { 0xff, 0xe0 }, { 0xff, 0xd0 },
        /* mov %ss, %ecx; push; push %rsp; pushf; mov %cs, %ecx; push; push %rax; iretq */
        { 0x8c, 0xd1, 0x51, 0x54, 0x9c, 0x8c, 0xc9, 0x51, 0x50, 0x48, 0xcf },
    };
    uint64_t faults;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(branches); i++) {
        translated_renew(&pair); /* mov $0x800000000000, %rax; the branch */
        translated_write(&pair, RESUME_AT, &(uint64_t){ FUNCTION }, 8);
        PUT(FUNCTION, 0xf4);
        PUT(PAGE_AT(PAGE_CODE), 0x48, 0xb8, 0, 0, 0, 0, 0, 0x80, 0, 0);
        translated_write(&pair, PAGE_AT(PAGE_CODE) + 10, branches[i], sizeof(branches[i]));
        faults = pair.translated->counters.exceptions[VECTOR_GP];
        pair.core->stop = pair.translated->stop = STOP_NOT;
        run_core_alone(&pair, 100);
        run_translated_alone(&pair);
        translated_write(&pair, PAGE_AT(PAGE_STACK + 1) - 8, "\0\0\0\0\0\0\0", 8);
        compare_pair(&pair, "the end");
        assert_int_equal(pair.translated->stop, STOP_HALTED);
        assert_int_equal(pair.translated->counters.exceptions[VECTOR_GP], faults + 1);
    }
}

/* jmp by 2 GiB less 1, from behind the first instruction: a block's points have 32 bits. */
static void a_branch_may_lead_far_away(void **state)
{
    uint64_t rip = PAGE_AT(PAGE_CODE) + 7 + INT32_MAX;

    (void)state;
    translated_renew(&pair); /* nop; nop; jmp */
    translated_write(&pair, RESUME_AT, &(uint64_t){ FUNCTION }, 8);
    PUT(FUNCTION, 0xf4);
    PUT(PAGE_AT(PAGE_CODE), 0x90, 0x90, 0xe9, ADDRESS(INT32_MAX));
    run_both();
    assert_int_equal(pair.translated->stop, STOP_HALTED);
    assert_int_equal(pair.translated->cr2, rip);
}

/* As from a fault, with RF in its frame; to the instruction behind it. */
static void iret_calls_out_for_nothing(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t callouts;

    (void)state;
    translated_renew(&pair); /* mov %ss, %eax; push; push %rsp; addq $8, (%rsp); pushf; orl; ... */
    PUT(PAGE_AT(PAGE_CODE), 0x8c, 0xd0, 0x50, 0x54, 0x48, 0x83, 0x04, 0x24, 0x08, 0x9c, 0x81, 0x0c,
        0x24, 0, 0, 1, 0, 0x8c, 0xc8, 0x50, 0x68, ADDRESS(PAGE_AT(PAGE_CODE) +
                                                          27), 0x48, 0xcf, 0xf4);
    run_both();
    callouts = callouts_of(n);
    run_both();
    assert_int_equal(callouts_of(n) - callouts, 1); /* of HLT */
}

/* The null pointer's RIP: nothing in the table is it. */
static void a_call_of_address_0_is_the_guests(void **state)
{
    const struct lockstep how = { .max_steps = 20 };

    (void)state;
    translated_renew(&pair);
    PUT(PAGE_AT(PAGE_CODE), 0x31, 0xc0, 0x39, 0xc0, 0xff, 0xd0); /* xor; cmp; call *%rax */
    *vmm_word(pair.core, 0) = *vmm_word(pair.translated, 0) = 0xf4;
    run_lockstep(&pair, &how);
    assert_int_equal(pair.translated->stop, STOP_HALTED);
    assert_int_equal(pair.translated->regs[REG_RIP], 0);
}

/* call *(%eax): of RAX only the lower half counts. The core has to do HLT alone. */
static void a_branchs_address_may_have_four_bytes(void **state)
{
    uint64_t by_core;

    (void)state;
    load_call();
    by_core = pair.translated->counters.instructions;
    PUT(PAGE_AT(PAGE_DATA), ADDRESS(FUNCTION), 0, 0, 0, 0);
    PUT(PAGE_AT(PAGE_CODE), 0x48, 0xb8, ADDRESS(PAGE_AT(PAGE_DATA)), 1, 0, 0, 0, 0x67, 0xff, 0x10,
        0xf4);
    run_both();
    assert_int_equal(rax(), 1);
    assert_int_equal(pair.translated->counters.instructions - by_core, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_branch_calls_out_once),
        cmocka_unit_test(a_loop_within_a_block_calls_out_for_nothing),
        cmocka_unit_test(a_loop_of_50_instructions_is_one_block),
        cmocka_unit_test(returns_call_out_for_nothing),
        cmocka_unit_test(a_return_address_may_be_changed),
        cmocka_unit_test(returns_find_their_callers),
        cmocka_unit_test(indirect_calls_are_found_in_the_table),
        cmocka_unit_test(a_function_may_end_with_a_jump_to_another),
        cmocka_unit_test(targets_are_compared),
        cmocka_unit_test(a_row_of_sti_is_not_one_block),
        cmocka_unit_test(a_wild_branch_is_a_fault_of_the_branch),
        cmocka_unit_test(a_branch_may_lead_far_away),
        cmocka_unit_test(sti_calls_out_when_an_interrupt_waits),
        cmocka_unit_test(nothing_comes_between_sti_and_the_next_instruction),
        cmocka_unit_test(nor_where_a_block_ends),
        cmocka_unit_test(nor_before_an_instruction_of_the_core),
        cmocka_unit_test(iret_calls_out_for_nothing),
        cmocka_unit_test(a_call_of_address_0_is_the_guests),
        cmocka_unit_test(a_branchs_address_may_have_four_bytes),
    };

    return cmocka_run_group_tests(tests, make_pair, free_pair);
}
