/* Shadow page tables: a guest whose tables are random, and lead to each other and to themselves,
 * changes them, its roots and its rights in every order, and touches its memory as the MMU lets it.
 * After each step shadow_audit() recounts, the host would have refused nothing, and every page that
 * the MMU lets through is one that the guest's tables lead to, with no more rights. So few tables
 * that all are dropped often. VMM_SEED gives another seed, VMM_STEPS another number of steps. */
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "common/x86/canonical.h"
#include "guest-pv/vmm/core/access.h"
#include "tests/unit/vmm_host.h"
#include "tests/unit/vmm_mmu.h"
#include "tests/unit/vmm_tables.h"

#define NR_SHADOWS 40u                  /* some 4 of them may be the region's */
#define STEPS 50000u
#define STEPS_IN_A_WORLD 1000u
#define PAGES_IN_A_STEP 128u
#define REGION_AT 0xffff880000000000ull /* in slot 272 */

enum outcome { MMU_LETS, FILLED, GUEST, WRITE, FAILED, NR_OUTCOMES };

static struct cpu *c;
static bool has_region;
static unsigned outcomes[NR_OUTCOMES];
static uint64_t pages_checked, drops, roots, prefills;

/* Pages of the vmm's, for way 3: the first is data, the others are code. */
static uint64_t region_flags(unsigned page)
{
    return page == 0 ? SHADOW_P | SHADOW_RW | SHADOW_NX : SHADOW_P;
}

static bool is_region(const struct vmm_leaf *leaf)
{
    return leaf->frame >= SHADOW_REGION && leaf->frame < SHADOW_REGION + VMM_MMU_REGION;
}

static void expect_region(const struct vmm_leaf *leaf)
{
    uint64_t page = leaf->frame - SHADOW_REGION;

    assert_int_equal(leaf->linear, REGION_AT + page * GUEST_PAGE);
    assert_true(c->cpl != 3 && has_region);
    assert_true(leaf->writable == (page == 0) && leaf->executable == (page != 0));
}

/* S1 and S2 of shadow.h, of one page that the MMU lets through. */
static void expect_no_more(const struct vmm_leaf *leaf)
{
    struct page page;
    bool ram;

    pages_checked++;
    if (is_region(leaf)) {
        expect_region(leaf);
        return;
    }
    if (!guest_page(c, leaf->linear, &page))
        fail_msg("%#lx is mapped, and not by the guest", leaf->linear);
    ram = frame_is_ram(&c->ram, page.frame);
    if (leaf->frame != (ram ? page.frame : SHADOW_ZERO_FRAME))
        fail_msg("%#lx is frame %#lx, and the guest's tables lead to %#lx", leaf->linear,
                 leaf->frame, page.frame);
    if (!page.used || (c->cpl == 3 && !page.user) || (leaf->executable && !page.executable))
        fail_msg("%#lx is mapped with too many rights", leaf->linear);
    if (leaf->writable && (!page.writable || !page.dirty || frame_flags(&c->ram, page.frame) != 0))
        fail_msg("%#lx is writable", leaf->linear);
}

static void expect_sane(void)
{
    const char *wrong = shadow_audit(c);

    if (wrong == NULL)
        wrong = vmm_mmu_check();
    if (wrong != NULL)
        fail_msg("%s", wrong);
    vmm_mmu_each(below(512), PAGES_IN_A_STEP, expect_no_more);
}

/* --- What a guest does ------------------------------------------------------------------------ */

static void load_root(void)
{
    if (!shadow_load(c))
        fail_msg("no root: %s", c->reason);
}

/* A store of the core's, at the supervisor's rights, or where the guest has no mapping left what a
 * store is to the core: the hook, then the bytes. */
static void core_stores(uint64_t physical, uint64_t value, unsigned bytes)
{
    uint64_t frame = physical / GUEST_PAGE;

    bytes = MIN(bytes, (unsigned)(GUEST_PAGE - physical % GUEST_PAGE));
    if (one_in(2)) {
        if (one_in(16))
            tlb_flush(c);
        if (write_linear(c, RAM_AT + physical, &value, bytes, ACCESS_SYSTEM))
            return;
    }
    if (frame_flags(&c->ram, frame) != 0)
        c->frame_written(c, physical, bytes);
    memcpy(frame_to_write(&c->ram, frame) + physical % GUEST_PAGE, &value, bytes);
}

static void change_table(void)
{
    unsigned level = 1 + below(4), index = random_index(level);
    unsigned bytes = one_in(8) ? 1 + below(8) : 8;
    uint64_t at = random_table(level) * GUEST_PAGE + 8 * index, entry = random_entry(level);

    if (one_in(3))                                      /* one bit of it */
        entry = physical_entry(c, at, 0) ^
                (uint64_t[]){ P, W, U, A, D, PS, NX, 0x1000, 0x2000 }[below(9)];
    core_stores(at + (bytes < 8 ? below(8) : 0), entry, bytes);
}

/* As kernels empty and fill tables. */
static void change_many(void)
{
    unsigned level = 1 + below(4), n = 2 + below(20);
    uint64_t at = random_table(level) * GUEST_PAGE, entry = one_in(2) ? 0 : random_entry(level);

    for (unsigned index = below(500); n-- > 0; index = (index + 1) % 512)
        core_stores(at + 8 * index, entry == 0 ? 0 : entry + ((uint64_t)index << 12), 8);
}

static void expect_refused(uint64_t linear, unsigned how, bool allowed)
{
    if (allowed)
        fail_msg("%#lx, access %u: a fault of the guest's that its tables do not give", linear,
                 how);
    assert_true(c->fault.vector == VECTOR_PF || !is_canonical(linear));
}

/* The store that trapped. */
static void core_executes(uint64_t linear, uint64_t value)
{
    if (!write_linear(c, linear & ~7ull, &value, 8, ACCESS_WRITE))
        fail_msg("%#lx: the core may not write there", linear);
}

static enum outcome handle_fault(uint64_t linear, unsigned how, uint64_t value)
{
    uint32_t error = how | 4 | one_in(2);
    bool allowed = guest_allows(c, linear, how);

    switch (shadow_fault(c, linear, error)) {
    case SHADOW_FILLED:
        assert_true(allowed);
        return FILLED;
    case SHADOW_GUEST:
        expect_refused(linear, how, allowed);
        return GUEST;
    case SHADOW_WRITE:
        assert_true(allowed && (how & ACCESS_WRITE));
        core_executes(linear, value);
        return WRITE;
    default:
        assert_int_equal(c->stop, STOP_UNSERVED);
        assert_in_range(linear >> 39 & 511, 256, has_region ? 272 : 271);
        c->stop = STOP_NOT;
        return FAILED;
    }
}

/* An instruction of the guest's that touches memory: what the MMU allows happens without anybody's
 * knowing. */
static void touch(void)
{
    static const unsigned hows[] = { ACCESS_READ, ACCESS_WRITE, ACCESS_WRITE, ACCESS_FETCH };
    uint64_t linear = random_linear(c), value = random_entry(1 + below(4));
    unsigned how = hows[below(ARRAY_SIZE(hows))];
    struct vmm_leaf leaf;

    if (one_in(16))
        tlb_flush(c);
    if (!vmm_mmu_lets(linear, how, &leaf)) {
        enum outcome outcome = handle_fault(linear, how, value);

        outcomes[outcome]++;
        if (outcome != FILLED)
            return;
        if (!vmm_mmu_lets(linear, how, &leaf))
            fail_msg("%#lx, access %u: filled, and the MMU does not let it through", linear, how);
    }
    outcomes[MMU_LETS]++;
    if (is_region(&leaf))
        return;
    assert_true(guest_allows(c, linear, how));
    if (how & ACCESS_WRITE)
        memcpy(frame_to_write(&c->ram, leaf.frame) + (linear & 0xff8), &value, 8);
}

static void change_root(void)
{
    c->cr3 = (one_in(16) ? random_data() : random_table(4)) << 12;
    if (one_in(8))
        c->cr3 = 0x1000;
    c->cr3 &= (1ull << 40) - 1;
    tlb_flush(c);
}

static void change_rights(void)
{
    set_cpl(c, one_in(8) ? 1 + below(2) : one_in(2) * 3);
    if (one_in(16))
        c->cr0 ^= CR0_WP;
    else if (one_in(4))
        c->cr0 |= CR0_WP;
    if (one_in(64))
        c->efer ^= EFER_NXE;
    else if (one_in(8))
        c->efer |= EFER_NXE;
    tlb_flush(c);
}

static void change_code(void)
{
    uint64_t frame = one_in(4) ? FIRST_TABLE + below(NR_TABLES) : random_data();

    if (!frame_is_ram(&c->ram, frame))
        return;
    c->ram.flags[frame] ^= FRAME_CODE;
    if (c->ram.flags[frame] & FRAME_CODE)
        tlb_forget_writes(c);
    shadow_protect(c, frame);
}

/* Way 3's: the first write to code drops what was made of it. */
static void written(struct cpu *cpu, uint64_t physical, unsigned bytes)
{
    cpu->ram.flags[physical / GUEST_PAGE] &= (uint8_t)~FRAME_CODE;
    if (cpu->ram.flags[physical / GUEST_PAGE] & FRAME_TABLE)
        shadow_written(cpu, physical, bytes);
}

static void step(void)
{
    static void (*const operations[])(void) = {
        touch, touch, touch, touch, touch, touch, touch, touch, change_table, change_table,
        change_table, change_many, change_root, change_rights, change_code,
    };

    operations[below(ARRAY_SIZE(operations))]();
    load_root();
    expect_sane();
}

/* --- Worlds ----------------------------------------------------------------------------------- */

static void world_begin(void)
{
    c = vmm_tables_new();
    vmm_mmu_init(c, NR_SHADOWS);
    assert_true(shadows_init(c, &vmm_mmu, NR_SHADOWS));
    has_region = one_in(2);
    if (has_region)
        assert_true(shadow_map_region(c, REGION_AT, 2 + below(VMM_MMU_REGION - 2), region_flags));
    c->frame_written = written;
    load_root();
    expect_sane();
}

static void world_end(void)
{
    const struct shadow_counters *counts = shadow_counts(c);

    drops += counts->drops;
    roots += counts->roots;
    prefills += counts->prefills;
    shadows_free(c);
    vmm_cpu_free(c);
}

static unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? (unsigned)strtoul(text, NULL, 0) : otherwise;
}

static void random_guest(void **state)
{
    unsigned steps = from_environment("VMM_STEPS", STEPS);

    (void)state;
    for (unsigned i = 0; i < steps; i++) {
        if (i % STEPS_IN_A_WORLD == 0) {
            vmm_seed = (from_environment("VMM_SEED", 1) + i) * 0x9e3779b97f4a7c15ull + 1;
            world_begin();
        }
        step();
        if (i % STEPS_IN_A_WORLD == STEPS_IN_A_WORLD - 1 || i == steps - 1)
            world_end();
    }
}

/* That the steps have been where they were meant to go. */
static void reached(void **state)
{
    (void)state;
    print_message("let through %u, filled %u, guest's %u, stores %u, failed %u; %lu pages checked, "
                  "%lu prefilled, %lu tables dropped, %lu roots loaded\n",
                  outcomes[MMU_LETS], outcomes[FILLED], outcomes[GUEST], outcomes[WRITE],
                  outcomes[FAILED], pages_checked, prefills, drops, roots);
    for (unsigned i = 0; i < NR_OUTCOMES; i++)
        assert_true(outcomes[i] > 50);
    assert_true(pages_checked > 50000 && prefills > 1000 && drops > 3000 && roots > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_guest), cmocka_unit_test(reached),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
