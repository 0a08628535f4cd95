/* The TLB of tools/counts: what it forgets, and what it has room for. */
#include "cmocka_main.h"
#include "tools/counts/tlb.c"

static struct tlb t;

static uint64_t misses_of(uint64_t page, bool is_code, bool kept)
{
    uint64_t before = t.misses;

    model_use(&t, page, is_code, kept);
    return t.misses - before;
}

static void loads_of_cr3_keep_global_pages(void **state)
{
    (void)state;
    model_init(&t);
    for (unsigned is_code = 0; is_code < 2; is_code++) {
        assert_int_equal(misses_of(2 * is_code, is_code, true), 1);
        assert_int_equal(misses_of(2 * is_code + 1, is_code, false), 1);
    }
    for (uint64_t page = 0; page < 4; page++)
        assert_int_equal(misses_of(page, page / 2, page % 2 == 0), 0);
    model_load_cr3(&t);
    for (uint64_t page = 0; page < 4; page++)
        assert_int_equal(misses_of(page, page / 2, page % 2 == 0), page % 2);
    model_flush_all(&t);
    for (uint64_t page = 0; page < 4; page++)
        assert_int_equal(misses_of(page, page / 2, page % 2 == 0), 1);
}

/* Also a page that is used twice in a row. */
static void last_page_is_forgotten(void **state)
{
    (void)state;
    model_init(&t);
    assert_int_equal(misses_of(7, false, false), 1);
    assert_int_equal(misses_of(7, false, false), 0);
    model_load_cr3(&t);
    assert_int_equal(misses_of(7, false, false), 1);
}

static void second_level_is_larger(void **state)
{
    static const struct {
        unsigned pages;
        bool fit;
    } rows[] = { { L1_ENTRIES, true }, { L2_ENTRIES, true }, { 2 * L2_ENTRIES, false } };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t first;

        model_init(&t);
        for (uint64_t page = 0; page < rows[i].pages; page++)
            model_use(&t, page, false, false);
        first = t.misses;
        assert_int_equal(first, rows[i].pages);
        for (uint64_t page = 0; page < rows[i].pages; page++)
            model_use(&t, page, false, false);
        assert_int_equal(t.misses - first, rows[i].fit ? 0 : rows[i].pages);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_of_cr3_keep_global_pages),
        cmocka_unit_test(last_page_is_forgotten),
        cmocka_unit_test(second_level_is_larger),
    };

    return cmocka_run_group_tests_name("counts_tlb", tests, NULL, NULL);
}
