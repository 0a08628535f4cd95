/* The guest's stores to its own page tables, and what becomes of the shadows: an entry that was
 * stored is there without a fault of its own; a table that is used between stores keeps its shadow,
 * one that is not, or is no table any more, loses it. That the shadows are right throughout is
 * test_vmm_shadow.c's. */
#include "cmocka_main.h"
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "tests/unit/vmm_host.h"
#include "tests/unit/vmm_mmu.h"
#include "tests/unit/vmm_tables.h"

#define NR_SHADOWS 60u
#define TABLE_AT(n) ((FIRST_TABLE + (n)) * (uint64_t)GUEST_PAGE)
#define ALL (P | W | U | A | D)
#define LINEAR 0x7000ull                /* index 7 of table 3, whose other tables are 0 to 2 */
#define PAGE(n) ((100ull + (n)) << 12)

static struct cpu *c;

static uint64_t *table(unsigned n)
{
    return (uint64_t *)(c->ram.bytes + TABLE_AT(n));
}

static int setup(void **state)
{
    (void)state;
    c = vmm_cpu_new(NR_FRAMES);
    vmm_mmu_init(c, NR_SHADOWS);
    assert_true(shadows_init(c, &vmm_mmu, NR_SHADOWS));
    for (unsigned i = 0; i < 3; i++)
        table(i)[0] = TABLE_AT(i + 1) | ALL;
    table(3)[0] = PAGE(0) | ALL;
    table(0)[511] = 0x2000 | ALL;       /* all RAM, at RAM_AT */
    c->cr3 = TABLE_AT(0);
    assert_true(shadow_load(c));
    assert_int_equal(shadow_fault(c, 0, ACCESS_WRITE | 4), SHADOW_FILLED);
    assert_true(shadow_load(c));
    return 0;
}

static int teardown(void **state)
{
    const char *wrong = shadow_audit(c);

    (void)state;
    if (wrong == NULL)
        wrong = vmm_mmu_check();
    if (wrong != NULL)
        fail_msg("%s", wrong);
    shadows_free(c);
    vmm_cpu_free(c);
    return 0;
}

/* As an instruction that trapped does. */
static void store_bytes(uint64_t at, const void *from, unsigned bytes)
{
    assert_int_equal(shadow_fault(c, RAM_AT + at, ACCESS_WRITE | 4), SHADOW_WRITE);
    assert_true(write_linear(c, RAM_AT + at, from, bytes, ACCESS_WRITE));
    assert_true(shadow_load(c));
}

static void store(unsigned n, unsigned index, uint64_t entry)
{
    store_bytes(TABLE_AT(n) + 8 * index, &entry, 8);
}

static bool lets(unsigned how)
{
    struct vmm_leaf leaf;

    return vmm_mmu_lets(LINEAR, how, &leaf);
}

static uint64_t drops(void)
{
    return shadow_counts(c)->drops;
}

static void entry_without_fault(void **state)
{
    struct vmm_leaf leaf;

    (void)state;
    store(3, 7, PAGE(1) | P | W | U);                   /* not used yet: A is to be set */
    assert_false(lets(ACCESS_READ));
    store(3, 7, PAGE(1) | P | W | U | A);
    assert_true(lets(ACCESS_READ));
    assert_false(lets(ACCESS_WRITE));                   /* D is to be set */
    store(3, 7, PAGE(2) | ALL);
    assert_true(lets(ACCESS_WRITE) && vmm_mmu_resolve(LINEAR, &leaf));
    assert_int_equal(leaf.frame, PAGE(2) >> 12);
    store(3, 7, 0);
    assert_false(lets(ACCESS_READ));
    assert_int_equal(drops(), 0);
}

/* As code is patched through a mapping that is made for it each time. */
static void used_between_stores(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        store(3, 7, PAGE(i) | ALL);
        assert_true(lets(ACCESS_WRITE));
        store(3, 7, 0);
        assert_false(lets(ACCESS_READ));
    }
    assert_int_equal(drops(), 0);
}

/* The fourth time the table has lost its shadow, and its stores do not trap any more. */
static void stores_without_use(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(drops(), 0);
        store(3, 7, PAGE(i) | ALL);
    }
    assert_int_equal(drops(), 1);
    assert_int_equal(shadow_fault(c, RAM_AT + TABLE_AT(3), ACCESS_WRITE | 4), SHADOW_FILLED);
}

static void wide_store(void **state)
{
    static const uint64_t words[2];

    (void)state;
    store_bytes(TABLE_AT(3) + 8, words, 4);             /* half of an entry */
    assert_int_equal(drops(), 0);
    store_bytes(TABLE_AT(3) + 8, words, 16);
    assert_int_equal(drops(), 1);
}

/* A root that is made again from that of another process, by copying entry by entry; but the root
 * of CR3 stays, however often it is written. */
static void roots(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        store(0, 8 + i, 0);
    assert_int_equal(drops(), 0);
    c->cr3 = 0x1000;
    assert_true(shadow_load(c));
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(drops(), 0);
        store(0, 8 + i, 0);
    }
    assert_int_equal(drops(), 1);
    c->cr3 = TABLE_AT(0);
    assert_true(shadow_load(c));
    assert_int_equal(shadow_fault(c, 0, ACCESS_WRITE | 4), SHADOW_FILLED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(entry_without_fault), TEST(used_between_stores), TEST(stores_without_use),
        TEST(wide_store), TEST(roots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
