/* Way 3's run loop: stores to frames that were page tables. A page that is cleared or copied to is
 * one no more; a store to one that is used again and again calls out. Other faults are
 * test_vmm_translate_exits.c's. */
#include "guest-pv/vmm/core/access.h"
#include "tests/unit/vmm_loop_parts.h"

#define ENTRY 200u                      /* of OTHER_LEVEL_1: nothing uses it */

/* The table has a shadow, and the code at CODE_AT is translated: it goes on with a store to RDI. */
static void begin_stores(const uint8_t *code, unsigned bytes)
{
    memcpy(vmm_word(c, CODE_AT), code, bytes);
    c->translator->all_stale = true;
    *vmm_word(c, OTHER_ROOT + 8 * SLOT) = OTHER_LEVEL_3 | FLAGS;
    c->cr3 = OTHER_ROOT;
    assert_true(shadow_load(c));
    assert_int_equal(shadow_fault(c, FUNCTION, PF_U), SHADOW_FILLED);
    assert_int_equal(frame_flags(&c->ram, OTHER_LEVEL_1 / GUEST_PAGE), FRAME_TABLE);
    c->regs[REG_RIP] = CODE_AT;
    c->regs[RDI] = OTHER_LEVEL_1 + 8 * ENTRY;
    run_translated(c);
}
#define BEGIN_STORES(...)                                                                          \
    begin_stores((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* The CPU says that the store at host_rip cannot be done. */
static void store_faults(void)
{
    stop_at(host_rip, VECTOR_PF, PF_U | PF_W, c->regs[RDI]);
}

static bool lets_write(void)
{
    struct vmm_leaf leaf;

    return vmm_mmu_lets(c->regs[RDI], ACCESS_WRITE, &leaf);
}

/* The core does it, and the table keeps its shadow: movq $1, (%rdi); ret. */
static void a_store_to_a_table_is_the_cores(void **state)
{
    uint64_t start;

    (void)state;
    BEGIN_STORES(0x48, 0xc7, 0x07, 1, 0, 0, 0, 0xc3);
    start = host_rip;
    store_faults();
    assert_int_equal(*vmm_word(c, OTHER_LEVEL_1 + 8 * ENTRY), 1);
    assert_int_equal(c->regs[REG_RIP], CODE_AT + 7);
    assert_int_equal(host_rip, start + 7);
    assert_int_equal(shadow_counts(c)->drops, 0);
    assert_false(lets_write());
}

/* Two side by side: mov %rax, (%rdi); mov %rax, 8(%rdi), or movntiq. The CPU does them itself. */
static void a_page_that_is_cleared_is_no_table(void **state)
{
    uint64_t start;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        if (i == 0)
            BEGIN_STORES(0x48, 0x89, 0x07, 0x48, 0x89, 0x47, 0x08, 0xc3);
        else
            BEGIN_STORES(0x48, 0x0f, 0xc3, 0x07, 0x48, 0x0f, 0xc3, 0x47, 0x08, 0xc3);
        start = host_rip;
        store_faults();
        assert_int_equal(host_rip, start);
        assert_int_equal(c->regs[REG_RIP], CODE_AT);
        assert_int_equal(shadow_counts(c)->drops, i + 1);
        assert_int_equal(frame_flags(&c->ram, OTHER_LEVEL_1 / GUEST_PAGE), 0);
        assert_true(lets_write());
    }
}

/* To the entry after next, to the one before, two loads; or the table is the root itself. */
static void other_stores_leave_the_table_alone(void **state)
{
    static const uint8_t programs[][8] = {
        { 0x48, 0x89, 0x07, 0x48, 0x89, 0x47, 0x18, 0xc3 },
        { 0x48, 0x89, 0x07, 0x48, 0x89, 0x47, 0xf8, 0xc3 },
        { 0x48, 0x89, 0x07, 0x48, 0x8d, 0x47, 0x08, 0xc3 },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(programs); i++) {
        begin_stores(programs[i], 8);
        store_faults();
        assert_int_equal(c->regs[REG_RIP], CODE_AT + 3);
    }
    BEGIN_STORES(0x48, 0x89, 0x07, 0x48, 0x89, 0x47, 0x08, 0xc3);
    c->regs[RDI] = OTHER_ROOT + 8 * ENTRY;
    store_faults();
    assert_int_equal(c->regs[REG_RIP], CODE_AT + 3);
    assert_int_equal(shadow_counts(c)->drops, 0);
}

/* A store is worth a callout if the table is one afterwards. movups %xmm0, (%rdi), which is more
 * than an entry, takes the shadow away; movq $0, (%rdi) with a use between does not. */
static void stores_to_tables_call_out_later(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 70; i++) {
        if (i < 35)
            BEGIN_STORES(0x0f, 0x11, 0x07, 0xc3);
        else
            BEGIN_STORES(0x48, 0xc7, 0x07, 0, 0, 0, 0, 0xc3);
        if (i != 69)
            store_faults();
        assert_int_equal(translate_counts(c)->stores, i < 66 ? 0 : 1);
    }
    assert_int_equal(c->translator->host->memory[host_rip - REGION_BASE], 0x48);
}

/* Two of three callouts are for nothing, and cost more than the third one gains: they end. */
static void callouts_for_nothing_end(void **state)
{
    const struct translate_counters *n = translate_counts(c);
    unsigned faults = 0, callouts = 0;

    (void)state;
    for (; n->stores == 0 && faults < 100; faults++) {
        BEGIN_STORES(0x48, 0xc7, 0x07, 0, 0, 0, 0, 0xc3);
        store_faults();
    }
    for (; n->stores != 0 && callouts < 1000; callouts++) {
        BEGIN_STORES(0x48, 0xc7, 0x07, 0, 0, 0, 0, 0xc3);
        if (callouts % 3 != 0)
            c->regs[RDI] = DATA_AT;
        call_out_at(CODE_AT, EXIT_TO_EMULATE);
    }
    assert_in_range(callouts, 50, 300);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_store_to_a_table_is_the_cores), TEST(a_page_that_is_cleared_is_no_table),
        TEST(other_stores_leave_the_table_alone), TEST(stores_to_tables_call_out_later),
        TEST(callouts_for_nothing_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
