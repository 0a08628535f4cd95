/* Shadow page tables at their limits: a host that refuses a call, whichever it is; tables that lead
 * to themselves at every level; one frame mapped from everywhere; more roots than there are tables.
 * test_vmm_shadow.c does everything else. */
#include "cmocka_main.h"
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "tests/unit/vmm_host.h"
#include "tests/unit/vmm_mmu.h"
#include "tests/unit/vmm_tables.h"

#define NR_SHADOWS 60u
#define CALLS 600u                      /* of the host, each refused once */
#define TABLE_AT(n) ((FIRST_TABLE + (n)) * (uint64_t)GUEST_PAGE)
#define ALL (P | W | U | A | D)

static struct cpu *c;

static void begin(struct cpu *cpu)
{
    c = cpu;
    vmm_mmu_init(c, NR_SHADOWS);
    assert_true(shadows_init(c, &vmm_mmu, NR_SHADOWS));
    assert_true(shadow_load(c));
}

static void end(void)
{
    shadows_free(c);
    vmm_cpu_free(c);
}

static void expect_sane(void)
{
    const char *wrong = shadow_audit(c);

    if (wrong == NULL)
        wrong = vmm_mmu_check();
    if (wrong != NULL)
        fail_msg("%s", wrong);
}

static uint64_t *table(unsigned n)
{
    return (uint64_t *)(c->ram.bytes + TABLE_AT(n));
}

/* --- Refusals --------------------------------------------------------------------------------- */

static void fault_somewhere(void)
{
    static const unsigned hows[] = { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH };
    uint64_t linear = random_linear(c), value = random_entry(1 + below(4));

    set_cpl(c, one_in(3) * 3);
    if (one_in(8))
        c->cr3 = random_table(4) << 12;
    tlb_flush(c);
    switch (shadow_fault(c, linear, 4 | hows[below(3)])) {
    case SHADOW_WRITE:
        write_linear(c, linear & ~7ull, &value, 8, ACCESS_WRITE);
        break;
    case SHADOW_FAILED:
        if (vmm_mmu_refuses != 0)                       /* the guest's own fault */
            c->stop = STOP_NOT;
        break;
    default:
        break;
    }
    shadow_load(c);
}

/* The guest ends with the step that was refused something, and the rest of the tables can go. */
static void refused(void **state)
{
    unsigned reached = 0;

    (void)state;
    for (unsigned n = 1; n <= CALLS; n++) {
        vmm_seed = n * 0x9e3779b97f4a7c15ull;
        begin(vmm_tables_new());
        vmm_mmu_refuses = n;
        for (unsigned i = 0; i < 2000 && vmm_mmu_refuses != 0; i++)
            fault_somewhere();
        if (vmm_mmu_refuses == 0) {
            reached++;
            if (c->stop != STOP_UNSERVED)
                fail_msg("call %u was refused, and the guest goes on", n);
        }
        end();
    }
    assert_true(reached > CALLS / 2);
}

static void refused_at_start(void **state)
{
    (void)state;
    c = vmm_tables_new();
    for (unsigned n = 1; n <= 3; n++) {
        vmm_mmu_init(c, NR_SHADOWS);
        vmm_mmu_refuses = n;
        assert_false(shadows_init(c, &vmm_mmu, NR_SHADOWS));
        assert_null(c->shadows);
        assert_null(c->frame_written);
    }
    vmm_mmu_init(c, NR_SHADOWS);
    assert_false(shadows_init(c, &vmm_mmu, 16));        /* too few for what one fault may need */
    vmm_cpu_free(c);
}

/* --- Floods ----------------------------------------------------------------------------------- */

static void fill(uint64_t linear, unsigned how)
{
    assert_int_equal(shadow_fault(c, linear, how | 4), SHADOW_FILLED);
    assert_true(shadow_load(c));
}

/* 512^4 pages, all of them in one frame: a shadow for each level, not for each way. */
static void table_of_itself(void **state)
{
    uint64_t linear = 0;

    (void)state;
    begin(vmm_cpu_new(NR_FRAMES));
    for (unsigned i = 0; i < 512; i++)
        table(0)[i] = TABLE_AT(0) | ALL;
    c->cr3 = TABLE_AT(0);
    assert_true(shadow_load(c));
    vmm_mmu_cleared = 0;
    for (unsigned i = 0; i < 4000; i++) {
        struct vmm_leaf leaf;

        linear = random_64() & 0x7fffffffffff;
        if (!vmm_mmu_resolve(linear, &leaf))
            fill(linear, ACCESS_READ);
        assert_true(vmm_mmu_resolve(linear, &leaf));
        assert_int_equal(leaf.frame, FIRST_TABLE);
        assert_false(leaf.writable);
    }
    assert_int_equal(vmm_mmu_cleared, 3);               /* levels 3 to 1 */
    assert_int_equal(shadow_counts(c)->drops, 0);
    expect_sane();
    assert_int_equal(shadow_fault(c, linear, ACCESS_WRITE | 4), SHADOW_WRITE);
    end();
}

#define ONE_FRAME 300u
#define NR_L1 20u

static unsigned writable_pages;

static void count_writable(const struct vmm_leaf *leaf)
{
    writable_pages += leaf->frame == ONE_FRAME && leaf->writable;
}

static unsigned count_pages(void)
{
    writable_pages = 0;
    vmm_mmu_each(0, ~0u, count_writable);
    return writable_pages;
}

/* All entries of 20 tables lead to one frame: it becomes code, then the tables go, one by one and
 * all together. */
static void one_frame_from_everywhere(void **state)
{
    (void)state;
    begin(vmm_cpu_new(NR_FRAMES));
    table(0)[0] = TABLE_AT(1) | ALL;
    table(1)[0] = TABLE_AT(2) | ALL;
    for (unsigned n = 0; n < NR_L1; n++) {
        table(2)[n] = TABLE_AT(3 + n) | ALL;
        for (unsigned i = 0; i < 512; i++)
            table(3 + n)[i] = (uint64_t)ONE_FRAME << 12 | ALL;
    }
    c->cr3 = TABLE_AT(0);
    assert_true(shadow_load(c));
    for (uint64_t page = 0; page < NR_L1 * 512; page++) {
        struct vmm_leaf leaf;

        if (!vmm_mmu_resolve(page << 12, &leaf))
            fill(page << 12, ACCESS_WRITE);
    }
    assert_int_equal(count_pages(), NR_L1 * 512);
    c->ram.flags[ONE_FRAME] |= FRAME_CODE;
    shadow_protect(c, ONE_FRAME);
    assert_int_equal(count_pages(), 0);
    expect_sane();
    for (unsigned i = 0; i < 4; i++)                    /* one table is given up */
        shadow_written(c, TABLE_AT(3) + 8 * i, 8);
    expect_sane();
    assert_int_equal(shadow_counts(c)->drops, 1);
    c->efer &= ~(uint64_t)EFER_NXE;                     /* and now all */
    assert_true(shadow_load(c));
    expect_sane();
    assert_int_equal(shadow_counts(c)->drops, NR_L1 + 4);   /* two roots */
    end();
}

/* Most of them beyond the RAM. */
static void more_roots_than_tables(void **state)
{
    (void)state;
    begin(vmm_cpu_new(NR_FRAMES));
    vmm_seed = 1;
    for (unsigned i = 0; i < 5000; i++) {
        c->cr3 = random_64() & ((1ull << (one_in(2) ? 40 : 21)) - 1);
        set_cpl(c, one_in(2) * 3);
        assert_true(shadow_load(c));
        shadow_fault(c, random_64() & 0x7fffffffffff, 4);
        if (i % 50 == 0)
            expect_sane();
    }
    assert_true(shadow_counts(c)->drops > 4500);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused), cmocka_unit_test(refused_at_start),
        cmocka_unit_test(table_of_itself), cmocka_unit_test(one_frame_from_everywhere),
        cmocka_unit_test(more_roots_than_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
