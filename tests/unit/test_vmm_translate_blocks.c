/* Blocks of translated code: what makes them suspect, what they depend on. The code is this
 * process's: see vmm_translated.h. Branches are test_vmm_translate_branches.c's, what single
 * instructions become test_vmm_translate.c's. */
#include "tests/unit/vmm_block_parts.h"

/* An instruction that lies on two pages is translated, and depends on both. */
static void an_instruction_may_lie_on_two_pages(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t start = PAGE_AT(PAGE_CODE_2) - 3, callouts = callouts_of(n);

    (void)state;
    translated_renew(&pair); /* jmp; mov $1, %eax; hlt */
    PUT(PAGE_AT(PAGE_CODE), 0xe9, ADDRESS(start - PAGE_AT(PAGE_CODE) - 5));
    PUT(start, 0xb8, 1, 2, 3, 4, 0xf4);
    run_both();
    assert_int_equal(rax(), 0x04030201);
    assert_int_equal(callouts_of(n) - callouts, 3); /* of the jump, to the next page, HLT */
    guest_writes(PAGE_AT(PAGE_CODE_2), "\x07", 1);
    run_both();
    assert_int_equal(rax(), 0x04070201);
    guest_writes(start + 1, "\x09", 1);
    run_both();
    assert_int_equal(rax(), 0x04070209);
}

/* X1 and X3: a chained branch to a block that may have changed leads to its stub again. */
static void a_write_makes_the_blocks_of_its_frame_suspect(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t drops, suspended, blocks;

    (void)state;
    load_call();
    run_both();
    run_both();
    assert_int_equal(rax(), 1);
    drops = n->drops;
    suspended = n->suspended;
    blocks = n->blocks;
    guest_writes(FUNCTION + 1, "\x07", 1);
    assert_int_equal(n->suspended - suspended, 1);
    assert_null(check_chains(pair.translated));
    guest_writes(FUNCTION + 1, "\x06", 1); /* its frame is not watched any more */
    assert_int_equal(n->suspended - suspended, 1);
    run_both();
    assert_int_equal(rax(), 6);
    assert_int_equal(n->drops - drops, 1);
    assert_int_equal(n->blocks - blocks, 1);
    guest_writes(FUNCTION + 1, "\x08", 1);
    assert_int_equal(n->suspended - suspended, 2);
    run_both();
    assert_int_equal(rax(), 8);
}

/* One that is as it was lives again, with its chains, and its neighbours with it. */
static void a_block_that_did_not_change_is_not_made_again(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t blocks, resumed, callouts;

    (void)state;
    load_call(); /* FUNCTION: jmp to 0x100 bytes behind it; there mov $1, %eax; ret */
    PUT(FUNCTION, 0xe9, ADDRESS(0x100 - 5));
    PUT(FUNCTION + 0x100, 0xb8, 1, 0, 0, 0, 0xc3);
    run_both();
    blocks = n->blocks;
    resumed = n->resumed;
    guest_writes(FUNCTION + 0x80, "\x07", 1);
    callouts = callouts_of(n);
    run_both();
    assert_int_equal(rax(), 1);
    assert_int_equal(n->blocks, blocks);
    assert_int_equal(n->resumed - resumed, 2);
    assert_int_equal(callouts_of(n) - callouts, 2); /* of the call, of HLT */
    run_both();
    assert_int_equal(callouts_of(n) - callouts, 3);
}

static void a_write_through_an_alias_drops_them_too(void **state)
{
    (void)state;
    translated_renew(&pair);
    PUT(PAGE_AT(PAGE_CODE), 0xb8, 1, 0, 0, 0, 0xf4);
    run_both();
    guest_writes(PAGE_AT(PAGE_CODE_ALIAS) + 1, "\x05", 1);
    run_both();
    assert_int_equal(rax(), 5);
}

/* Code that writes to its own block: the instruction behind is the new one. */
static void a_block_that_writes_to_itself_ends_there(void **state)
{
    const struct lockstep how = { .max_steps = 100 };

    (void)state;
    translated_renew(&pair); /* movb $9, 1(%rip); mov $1, %al; hlt */
    PUT(PAGE_AT(PAGE_CODE), 0xc6, 0x05, 1, 0, 0, 0, 9, 0xb0, 1, 0xf4);
    run_lockstep(&pair, &how);
    assert_int_equal(rax(), 9);
    assert_int_equal(pair.translated->stop, STOP_HALTED);
}

/* call; mov $1, %al; hlt: the function changes the number, and returns into the old block. */
static void code_behind_a_call_may_be_written(void **state)
{
    const struct lockstep how = { .max_steps = 100 };

    (void)state;
    load_call(); /* movb $9, the number; ret */
    PUT(FUNCTION, 0xc6, 0x04, 0x25, ADDRESS(PAGE_AT(PAGE_CODE) + 6), 9, 0xc3);
    PUT(PAGE_AT(PAGE_CODE) + 5, 0xb0, 1, 0xf4);
    run_lockstep(&pair, &how);
    assert_int_equal(rax(), 9);
    assert_null(check_chains(pair.translated));
}

/* The same, again and again. */
static void code_behind_a_call_may_be_written_twice(void **state)
{
    (void)state;
    load_call();
    PUT(FUNCTION, 0xff, 0x04, 0x25, ADDRESS(PAGE_AT(PAGE_CODE) + 6), 0xc3); /* incl */
    PUT(PAGE_AT(PAGE_CODE) + 5, 0xb8, 1, 0, 0, 0, 0xf4);
    for (unsigned i = 2; i < 5; i++) {
        run_both();
        assert_int_equal(rax(), i);
    }
}

/* PUSHF stores twice, also where the word has two addresses: mov $, %rsp; pushf; hlt. */
static void flags_may_be_pushed_into_a_page_with_an_alias(void **state)
{
    static const unsigned pages[] = { PAGE_CODE, PAGE_CODE_ALIAS };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        const struct lockstep how = { .max_steps = 100 };

        translated_renew(&pair);
        PUT(FUNCTION, 0x48, 0xc7, 0xc4, ADDRESS(PAGE_AT(pages[i]) + 0x204), 0x9c, 0xf4);
        pair.core->regs[REG_RIP] = pair.translated->regs[REG_RIP] = FUNCTION;
        run_lockstep(&pair, &how);
        assert_int_equal(pair.translated->stop, STOP_HALTED);
    }
}

static uint64_t entry_at(unsigned page)
{
    return PAGE_AT(PAGE_TABLE) + 8 * page;
}

/* X1: the entry that the walk for FUNCTION used is written by translated code: the next call finds
 * the other frame's code. */
static void a_write_to_an_entry_of_a_walk_drops_all(void **state)
{
    uint64_t other = window_frame(PAGE_CODE_3) * GUEST_PAGE | 0x63;

    (void)state;
    load_call(); /* call; movl $, entry; invlpg FUNCTION; call; hlt */
    PUT(PAGE_AT(PAGE_CODE) + 5, 0xc7, 0x04, 0x25, ADDRESS(entry_at(PAGE_CODE_2)), ADDRESS(other),
        0x0f, 0x01, 0x3c, 0x25, ADDRESS(FUNCTION), 0xe8, ADDRESS(GUEST_PAGE - 29), 0xf4);
    run_both();
    assert_int_equal(rax(), 2);
}

static void a_write_to_another_entry_drops_nothing(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t drops, of_all, nothing = 0;

    (void)state;
    load_call();
    run_both();
    drops = n->drops;
    of_all = n->all_suspended;
    guest_writes(entry_at(15), &nothing, 8);
    translate_written(pair.translated, window_frame(PAGE_TABLE) * GUEST_PAGE + 8 * PAGE_CODE, 8,
                      true);
    run_both();
    assert_int_equal(n->drops, drops);
    assert_int_equal(n->all_suspended, of_all);
}

/* Another root, whose entry for the code leads to a copy of the level-3 table or to the same. */
static void change_root(bool same)
{
    for (unsigned i = 0; i < 2; i++) {
        struct cpu *c = i ? pair.translated : pair.core;

        memcpy(vmm_word(c, OTHER_ROOT), vmm_word(c, LEVEL_4), GUEST_PAGE);
        memcpy(vmm_word(c, OTHER_LEVEL_3), vmm_word(c, 0x2000), GUEST_PAGE);
        if (!same)
            *vmm_word(c, OTHER_ROOT) = OTHER_LEVEL_3 | 0x67;
        c->cr3 = OTHER_ROOT;
    }
    translate_root_changed(pair.translated);
}

static void blocks_stay_with_a_root_that_has_the_same_entry(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t of_all, blocks, nothing = 0;

    (void)state;
    load_call();
    run_both();
    of_all = n->all_suspended;
    blocks = n->blocks;
    change_root(true);
    run_both();
    assert_int_equal(n->all_suspended, of_all);
    assert_int_equal(n->blocks, blocks);
    pair.translated->ram.flags[OTHER_ROOT / GUEST_PAGE] |= FRAME_TABLE; /* it has a shadow */
    guest_writes(OTHER_ROOT, &nothing, 8); /* the walk's entry is this one now */
    assert_true(pair.translated->translator->all_stale);
}

static void blocks_do_not_stay_with_another_entry(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t of_all, drops, other = window_frame(PAGE_CODE_3) * GUEST_PAGE | 0x63;

    (void)state;
    load_call();
    run_both();
    of_all = n->all_suspended;
    drops = n->drops;
    change_root(false); /* the same frames, by other tables */
    run_both();
    assert_int_equal(n->all_suspended, of_all + 1);
    assert_int_equal(n->drops, drops);
    assert_int_equal(rax(), 1);
    guest_writes(entry_at(PAGE_CODE_2), &other, 8);
    tlb_flush(pair.core);
    run_both();
    assert_int_equal(n->all_suspended, of_all + 2);
    assert_int_equal(n->drops, drops + 1);
    assert_int_equal(rax(), 2);
}

/* A REX prefix that is not the last one has no meaning: mov 16376(%rip), %eax. */
static void a_rex_prefix_before_another_does_not_count(void **state)
{
    (void)state;
    translated_renew(&pair);
    PUT(PAGE_AT(PAGE_DATA), 1, 2, 3, 4, 5, 6, 7, 8);
    PUT(PAGE_AT(PAGE_CODE), 0x48, 0x26, 0x8b, 0x05, ADDRESS(4 * GUEST_PAGE - 8), 0xf4);
    run_both();
    assert_int_equal(rax(), 0x04030201);
}

/* A page of pushf, which takes more room than most, again and again: until all blocks are
 * dropped. */
static void fill_region(void)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t of_all = n->drops_of_all;

    for (unsigned i = 0; i < GUEST_PAGE; i++)
        PUT(PAGE_AT(PAGE_CODE_3) + i, 0x9c);
    for (unsigned at = 0; n->drops_of_all == of_all; at++) {
        assert_true(at < GUEST_PAGE);
        pair.translated->regs[REG_RIP] = PAGE_AT(PAGE_CODE_3) + at;
        pair.translated->translator->all_stale = true;
        assert_int_not_equal(translate_entry(pair.translated), 0);
        guest_writes(PAGE_AT(PAGE_CODE_3) + at, "\x90", 1);
    }
}

/* What was found for a place of the region is not what is there later. */
static void places_are_forgotten_with_the_blocks(void **state)
{
    const struct lockstep how = { .max_steps = 100 };

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        translated_renew(&pair);
        fill_region();
        translated_renew(&pair); /* cli; sti, twice as often in the second program; cpuid; hlt */
        for (unsigned n = 0; n <= i; n++)
            PUT(PAGE_AT(PAGE_CODE) + 2 * n, 0xfa, 0xfb);
        PUT(PAGE_AT(PAGE_CODE) + 2 * i + 2, 0x8c, 0xc8, 0x0f, 0x01, 0xe0, 0xfa, 0xf4);
        run_lockstep(&pair, &how);
        assert_int_equal(pair.translated->stop, STOP_HALTED);
    }
}

/* The last block seems to end there, until another one begins. */
static void so_is_the_place_behind_the_last_block(void **state)
{
    struct cpu *c = pair.translated;
    uint64_t end;

    (void)state;
    load_call();
    c->regs[REG_RIP] = PAGE_AT(PAGE_CODE);
    translate_entry(c);
    end = REGION + c->translator->used;
    translate_map_back(c, end);
    c->regs[REG_RIP] = PAGE_AT(PAGE_CODE_3) + 5;
    assert_int_equal(translate_entry(c), end);
    translate_map_back(c, end);
    assert_int_equal(c->regs[REG_RIP], PAGE_AT(PAGE_CODE_3) + 5);
}

/* INVLPG runs inline; the core's TLB hears of it when the guest's state is mapped back. */
static void invlpg_reaches_the_cores_tlb(void **state)
{
    uint64_t other = window_frame(PAGE_CODE_3) * GUEST_PAGE | 0x63, value;
    struct cpu *c = pair.translated;

    (void)state;
    translated_renew(&pair);
    PUT(PAGE_AT(PAGE_CODE_3), 7);
    PUT(PAGE_AT(PAGE_CODE), 0xc7, 0x04, 0x25, ADDRESS(entry_at(PAGE_DATA)), ADDRESS(other), 0x0f,
        0x01, 0x3c, 0x25, ADDRESS(PAGE_AT(PAGE_DATA)), 0xf4);
    assert_true(read_number(c, PAGE_AT(PAGE_DATA), 1, &value));
    assert_int_equal(value, 0);
    run_both();
    assert_true(read_number(c, PAGE_AT(PAGE_DATA), 1, &value));
    assert_int_equal(value, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instruction_may_lie_on_two_pages),
        cmocka_unit_test(a_write_makes_the_blocks_of_its_frame_suspect),
        cmocka_unit_test(a_block_that_did_not_change_is_not_made_again),
        cmocka_unit_test(a_write_through_an_alias_drops_them_too),
        cmocka_unit_test(a_block_that_writes_to_itself_ends_there),
        cmocka_unit_test(code_behind_a_call_may_be_written),
        cmocka_unit_test(code_behind_a_call_may_be_written_twice),
        cmocka_unit_test(flags_may_be_pushed_into_a_page_with_an_alias),
        cmocka_unit_test(a_write_to_an_entry_of_a_walk_drops_all),
        cmocka_unit_test(a_write_to_another_entry_drops_nothing),
        cmocka_unit_test(blocks_stay_with_a_root_that_has_the_same_entry),
        cmocka_unit_test(blocks_do_not_stay_with_another_entry),
        cmocka_unit_test(a_rex_prefix_before_another_does_not_count),
        cmocka_unit_test(invlpg_reaches_the_cores_tlb),
        cmocka_unit_test(places_are_forgotten_with_the_blocks),
        cmocka_unit_test(so_is_the_place_behind_the_last_block),
    };

    return cmocka_run_group_tests(tests, make_pair, free_pair);
}
