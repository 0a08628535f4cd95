/* Blocks of translated code: chains, what drops them, what they depend on. The code is this
 * process's: see vmm_translated.h. What single instructions become is test_vmm_translate.c's. */
#include "cmocka_main.h"
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "tests/unit/vmm_programs.h"

#define FUNCTION PAGE_AT(PAGE_CODE_2)
#define LEVEL_4 0x1000u
#define OTHER_ROOT 0x29000u
#define OTHER_LEVEL_3 0x2a000u
#define BYTE(to, i) (uint8_t)((to) >> 8 * (i))
#define ADDRESS(to) BYTE(to, 0), BYTE(to, 1), BYTE(to, 2), BYTE(to, 3)

static struct pair pair;

#define PUT(at, ...)                                                                               \
    translated_write(&pair, (at), (const uint8_t[]){ __VA_ARGS__ },                                \
                     sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* Both, from the start of the code to HLT: they agree. */
static void run_both(void)
{
    pair.core->stop = pair.translated->stop = STOP_NOT;
    pair.core->halted = pair.translated->halted = false;
    pair.core->regs[REG_RIP] = pair.translated->regs[REG_RIP] = PAGE_AT(PAGE_CODE);
    run_core_alone(&pair, 5000);
    run_translated_alone(&pair);
    compare_pair(&pair, "the end");
    assert_null(check_chains(pair.translated));
}

static uint64_t rax(void)
{
    return pair.translated->regs[RAX];
}

/* As a write by the guest: the core's, with the hook. */
static void guest_writes(uint64_t linear, const void *bytes, unsigned len)
{
    assert_true(write_linear(pair.core, linear, bytes, len, ACCESS_WRITE));
    assert_true(write_linear(pair.translated, linear, bytes, len, ACCESS_WRITE));
}

/* mov $1, %eax; ret at FUNCTION, 2 in PAGE_CODE_3; a program that calls FUNCTION. */
static void load_call(void)
{
    translated_renew(&pair);
    PUT(FUNCTION, 0xb8, 1, 0, 0, 0, 0xc3);
    PUT(PAGE_AT(PAGE_CODE_3), 0xb8, 2, 0, 0, 0, 0xc3);
    PUT(PAGE_AT(PAGE_CODE), 0xe8, ADDRESS(GUEST_PAGE - 5), 0xf4);
}

/* A loop of 1,000 turns: entry and loop, loop and itself (while it is made), loop and what is
 * behind are chained; the third callout is HLT's. */
static void each_branch_calls_out_once(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t chained = n->chained, callouts = n->callouts;

    (void)state;
    translated_renew(&pair);
    PUT(PAGE_AT(PAGE_CODE), 0xb9, 0xe8, 0x03, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xf4);
    run_both();
    assert_int_equal(n->chained - chained, 3);
    assert_int_equal(n->callouts - callouts, 3);
    run_both(); /* HLT alone */
    assert_int_equal(n->chained - chained, 3);
    assert_int_equal(n->callouts - callouts, 4);
}

static void returns_are_found_in_the_table(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t missed = n->lookups_missed;

    (void)state;
    load_call();
    run_both();
    assert_int_equal(n->lookups_missed - missed, 1);
    run_both();
    assert_int_equal(n->lookups_missed - missed, 1);
}

/* X1 and X3: a chained branch to a block that is dropped leads to its stub again. */
static void a_write_drops_the_blocks_of_its_frame(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t drops, blocks;

    (void)state;
    load_call();
    run_both();
    run_both();
    assert_int_equal(rax(), 1);
    drops = n->drops;
    blocks = n->blocks;
    guest_writes(FUNCTION + 1, "\x07", 1);
    assert_int_equal(n->drops - drops, 1);
    assert_null(check_chains(pair.translated));
    run_both();
    assert_int_equal(rax(), 7);
    assert_int_equal(n->blocks - blocks, 1);
    guest_writes(FUNCTION + 1, "\x08", 1);
    assert_int_equal(n->drops - drops, 2);
    run_both();
    assert_int_equal(rax(), 8);
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
    of_all = n->drops_of_all;
    guest_writes(entry_at(15), &nothing, 8);
    translate_written(pair.translated, window_frame(PAGE_TABLE) * GUEST_PAGE + 8 * PAGE_CODE, 8,
                      true);
    run_both();
    assert_int_equal(n->drops, drops);
    assert_int_equal(n->drops_of_all, of_all);
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
    of_all = n->drops_of_all;
    blocks = n->blocks;
    change_root(true);
    run_both();
    assert_int_equal(n->drops_of_all, of_all);
    assert_int_equal(n->blocks, blocks);
    pair.translated->ram.flags[OTHER_ROOT / GUEST_PAGE] |= FRAME_TABLE; /* it has a shadow */
    guest_writes(OTHER_ROOT, &nothing, 8); /* the walk's entry is this one now */
    assert_true(pair.translated->translator->all_stale);
}

static void blocks_do_not_stay_with_another_entry(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t of_all;

    (void)state;
    load_call();
    run_both();
    of_all = n->drops_of_all;
    change_root(false);
    run_both();
    assert_int_equal(n->drops_of_all, of_all + 1);
    assert_int_equal(rax(), 1);
}

/* STI calls out only while an interrupt waits. */
static void sti_calls_out_when_an_interrupt_waits(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t callouts = n->callouts;

    (void)state;
    translated_renew(&pair);
    PUT(PAGE_AT(PAGE_CODE), 0xfb, 0x90, 0xfa, 0xf4); /* sti; nop; cli; hlt */
    translate_set_pending(pair.translated, false);
    run_both();
    assert_int_equal(n->callouts - callouts, 1);
    translate_set_pending(pair.translated, true);
    run_both();
    assert_int_equal(n->callouts - callouts, 3);
    translate_set_pending(pair.translated, false);
}

/* sti; hlt: no interrupt between them. */
static void nothing_comes_between_sti_and_the_next_instruction(void **state)
{
    uint64_t at;

    (void)state;
    translated_renew(&pair);
    PUT(PAGE_AT(PAGE_CODE), 0xfb, 0x90, 0x90, 0xf4);
    at = translate_entry(pair.translated);
    for (unsigned shadows = 0; shadows < 1; at++) { /* the points behind STI's store */
        assert_true(at < REGION + CODE_OFFSET + 0x400);
        translate_map_back(pair.translated, at);
        if (pair.translated->regs[REG_RIP] == PAGE_AT(PAGE_CODE) + 1)
            shadows += pair.translated->shadow;
        assert_int_equal(pair.translated->shadow,
                         pair.translated->regs[REG_RIP] == PAGE_AT(PAGE_CODE) + 1);
    }
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

static int make_pair(void **state)
{
    (void)state;
    return translated_init(&pair) ? 0 : -1;
}
static int free_pair(void **state)
{
    (void)state;
    translated_free(&pair);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_branch_calls_out_once),
        cmocka_unit_test(returns_are_found_in_the_table),
        cmocka_unit_test(a_write_drops_the_blocks_of_its_frame),
        cmocka_unit_test(a_write_through_an_alias_drops_them_too),
        cmocka_unit_test(a_block_that_writes_to_itself_ends_there),
        cmocka_unit_test(a_write_to_an_entry_of_a_walk_drops_all),
        cmocka_unit_test(a_write_to_another_entry_drops_nothing),
        cmocka_unit_test(blocks_stay_with_a_root_that_has_the_same_entry),
        cmocka_unit_test(blocks_do_not_stay_with_another_entry),
        cmocka_unit_test(sti_calls_out_when_an_interrupt_waits),
        cmocka_unit_test(nothing_comes_between_sti_and_the_next_instruction),
        cmocka_unit_test(a_call_of_address_0_is_the_guests),
        cmocka_unit_test(a_branchs_address_may_have_four_bytes),
        cmocka_unit_test(a_rex_prefix_before_another_does_not_count),
        cmocka_unit_test(invlpg_reaches_the_cores_tlb),
    };

    return cmocka_run_group_tests(tests, make_pair, free_pair);
}
