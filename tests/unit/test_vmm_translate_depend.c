/* What blocks of translated code depend on, when there is more of it than the translator has room
 * to remember (WALKED, ROOTS): no block runs whose walk is not remembered. The rest about blocks is
 * test_vmm_translate_blocks.c's. */
#include "tests/unit/vmm_block_parts.h"

#define LEVEL_2 0x3000u
#define TABLES 0x2b000u                 /* a few of level 1, of pages that nothing runs in */
#define NR_TABLES 5u
#define PAGES 0x20000000ull             /* their first page */
#define FAR 0x10200000ull               /* has PAGE_DATA for its table of level 1 */
#define FLAGS 0x63u                     /* P, RW, A, D */

static void set_entry(uint64_t at, uint64_t entry)
{
    *vmm_word(pair.core, at) = entry;
    *vmm_word(pair.translated, at) = entry;
}

/* FAR leads to FUNCTION's frame, and PAGES to that of a RET. */
static void set_tables(void)
{
    uint64_t entry = window_frame(PAGE_CODE_2) * GUEST_PAGE | FLAGS;

    set_entry(LEVEL_2 + 8 * (FAR >> 21), window_frame(PAGE_DATA) * GUEST_PAGE | FLAGS);
    translated_write(&pair, PAGE_AT(PAGE_DATA), &entry, 8);
    for (unsigned i = 0; i < NR_TABLES * 512; i++)
        set_entry(TABLES + 8 * i, window_frame(PAGE_CODE_3) * GUEST_PAGE | FLAGS);
    for (unsigned i = 0; i < NR_TABLES; i++)
        set_entry(LEVEL_2 + 8 * ((PAGES >> 21) + i), (TABLES + i * GUEST_PAGE) | FLAGS);
}

/* Twice: call FAR, whose entry is another one from then on. */
static void put_program(void)
{
    uint64_t other = window_frame(PAGE_CODE_3) * GUEST_PAGE | FLAGS;

    PUT(PAGE_AT(PAGE_CODE), 0xe8, ADDRESS(FAR - PAGE_AT(PAGE_CODE) - 5), /* call */
        0xc7, 0x04, 0x25, ADDRESS(PAGE_AT(PAGE_DATA)), ADDRESS(other),  /* movl */
        0x0f, 0x01, 0x3c, 0x25, ADDRESS(FAR),                           /* invlpg */
        0xff, 0xcb, 0x75, 0xe4, 0xf4);                                  /* dec %ebx; jnz; hlt */
    pair.core->regs[RBX] = pair.translated->regs[RBX] = 2;
}

/* There is a block for RIP, and it may run. */
static void make_block_at(uint64_t rip)
{
    struct cpu *c = pair.translated;

    c->regs[REG_RIP] = rip;
    assert_int_not_equal(translate_entry(c), 0);
    assert_false(c->translator->all_stale);
}

/* The program runs by chained branches, whatever was remembered before it. */
static void a_walk_is_remembered_however_full_it_is(void **state)
{
    struct translator *t = pair.translated->translator;

    (void)state;
    for (unsigned left = 0; left < 16; left++) {
        load_call();
        set_tables();
        put_program();
        make_block_at(PAGE_AT(PAGE_CODE));
        for (unsigned i = 0; i < NR_TABLES * 512 && t->nr_walked < WALKED / 2 - left; i++)
            make_block_at(PAGES + GUEST_PAGE * i);
        run_both();
        assert_int_equal(rax(), 2);
    }
}

/* Of each slot of level 4 the same pages. */
static void so_is_a_root(void **state)
{
    const struct translate_counters *n = translate_counts(pair.translated);
    uint64_t of_all = n->all_suspended;

    (void)state;
    load_call();
    for (uint64_t slot = 0; slot < 2 * ROOTS; slot++)
        set_entry(LEVEL_4 + 8 * slot, 0x2000 | FLAGS);
    for (uint64_t slot = 0; slot < 2 * ROOTS; slot++)
        make_block_at(slot << 39 | FUNCTION);
    assert_true(n->all_suspended > of_all + 1); /* of translated_renew(), and when it was full */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_is_remembered_however_full_it_is),
        cmocka_unit_test(so_is_a_root),
    };

    return cmocka_run_group_tests(tests, make_pair, free_pair);
}
