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

#define P 1ull
#define W 2ull
#define U 4ull
#define A 0x20ull
#define D 0x40ull
#define PS 0x80ull
#define NX (1ull << 63)
#define FRAME 0x000ffffffffff000ull

#define NR_FRAMES 384u
#define NR_SHADOWS 40u
#define STEPS 50000u
#define STEPS_IN_A_WORLD 1000u
#define PAGES_IN_A_STEP 128u
#define FIRST_TABLE 4u                  /* tables are frames 4 to 27; 1 to 3 are vmm_cpu_new()'s */
#define NR_TABLES 24u
#define RAM_AT 0xffffffff80000000ull    /* where those tables map all RAM */

enum outcome { MMU_LETS, FILLED, GUEST, WRITE, FAILED, NR_OUTCOMES };

static struct cpu *c;
static uint64_t seed;
static unsigned outcomes[NR_OUTCOMES];
static uint64_t pages_checked, drops, roots, prefills;

static uint64_t random_64(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1dull;
}
static unsigned below(unsigned n)
{
    return (unsigned)((random_64() >> 32) % n);
}
static bool one_in(unsigned n)
{
    return below(n) == 0;
}

/* --- What the guest's tables say -------------------------------------------------------------- */

struct page {
    uint64_t frame;
    bool user, writable, executable, used, dirty;
};

static uint64_t physical_entry(uint64_t table, unsigned index)
{
    uint64_t entry;

    memcpy(&entry, frame_to_read(&c->ram, table / GUEST_PAGE) + 8 * index, sizeof(entry));
    return entry;
}

static bool entry_is_valid(uint64_t entry, unsigned level)
{
    bool large = level > 1 && (entry & PS);

    if (!(entry & P) || entry >> 40 & 0xfff || ((entry & NX) && !(c->efer & EFER_NXE)))
        return false;
    if (!large)
        return true;
    return level == 2 ? !(entry & 0x1fe000)
                      : level == 3 && c->gigabyte_pages && !(entry & 0x3fffe000);
}

/* The walk of SDM vol. 3, 4.5, once more and without setting A and D. */
static bool guest_page(uint64_t linear, struct page *page)
{
    uint64_t at = c->cr3 & FRAME, within;

    *page = (struct page){ .user = true, .writable = true, .executable = true, .used = true };
    for (unsigned level = 4; level >= 1; level--) {
        uint64_t entry = physical_entry(at, linear >> (3 + 9 * level) & 511);

        if (!entry_is_valid(entry, level))
            return false;
        page->user &= (entry & U) != 0;
        page->writable &= (entry & W) != 0;
        page->executable &= (entry & NX) == 0;
        page->used &= (entry & A) != 0;
        page->dirty = (entry & D) != 0;
        at = entry & FRAME;
        if (level > 1 && (entry & PS)) {
            within = (1ull << (3 + 9 * level)) - 1;
            at = (at & ~within) | (linear & within);
            break;
        }
    }
    page->frame = at / GUEST_PAGE;
    return true;
}

static bool guest_allows(uint64_t linear, unsigned how)
{
    struct page page;

    if (!is_canonical(linear) || !guest_page(linear, &page) || (c->cpl == 3 && !page.user))
        return false;
    if ((how & ACCESS_WRITE) && !page.writable && (c->cpl == 3 || (c->cr0 & CR0_WP)))
        return false;
    return !(how & ACCESS_FETCH) || page.executable;
}

/* S1 and S2 of shadow.h, of one page that the MMU lets through. */
static void expect_no_more(const struct vmm_leaf *leaf)
{
    struct page page;
    bool ram;

    pages_checked++;
    if (!guest_page(leaf->linear, &page))
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

/* --- Random things ---------------------------------------------------------------------------- */

static unsigned random_index(unsigned level)
{
    static const unsigned of_roots[] = { 0, 0, 0, 0, 1, 1, 255, 256, 271, 272, 510, 511 },
                          of_middle[] = { 0, 0, 0, 1, 1, 2, 510, 511 };

    if (one_in(32))
        return below(512);
    if (level == 4)
        return of_roots[below(ARRAY_SIZE(of_roots))];
    return level > 1 ? of_middle[below(ARRAY_SIZE(of_middle))] : below(24);
}

/* Mostly one that the guest maps, as far as a few tries find one. */
static uint64_t random_linear(void)
{
    uint64_t linear = below(GUEST_PAGE / 8) * 8ull, at = c->cr3 & FRAME;

    if (one_in(8))
        return RAM_AT + (uint64_t)below(NR_FRAMES) * GUEST_PAGE + linear % 256;
    if (one_in(64))
        return random_64();
    for (unsigned level = 4; level >= 1; level--) {
        unsigned index = random_index(level);

        for (unsigned tries = 8; tries > 0 && !(physical_entry(at, index) & P); tries--)
            index = random_index(level);
        at = physical_entry(at, index) & FRAME;
        linear |= (uint64_t)index << (3 + 9 * level);
    }
    return linear >> 47 ? linear | 0xffffull << 48 : linear;
}

/* Each level has frames of its own, and now and then those of another. */
static uint64_t random_table(unsigned level)
{
    static const uint8_t first[] = { 0, 12, 6, 2, 0 }, nr[] = { 0, 12, 6, 4, 2 };

    if (one_in(12))
        return FIRST_TABLE + below(NR_TABLES);
    return FIRST_TABLE + first[level] + below(nr[level]);
}

static uint64_t random_data(void)
{
    switch (below(8)) {
    case 0:
        return 0xa0 + below(0x60);                      /* absent */
    case 1:
        return one_in(2) ? NR_FRAMES + below(64) : random_64() >> 36;
    case 2:
        return below(FIRST_TABLE + NR_TABLES);
    default:
        return FIRST_TABLE + NR_TABLES + below(16);     /* few: each is mapped often */
    }
}

static uint64_t random_flags(void)
{
    uint64_t flags = P | A;

    flags |= one_in(6) ? 0 : W;
    flags |= one_in(8) ? 0 : U;
    flags |= one_in(3) ? 0 : D;
    flags |= one_in(8) ? NX : 0;
    flags ^= one_in(8) ? A : 0;
    flags ^= one_in(16) ? P : 0;
    return flags;
}

static uint64_t random_entry(unsigned level)
{
    uint64_t entry = random_flags();

    if (one_in(10))
        return 0;
    if (one_in(64))
        return random_64();
    if (level == 1)
        return entry | random_data() << 12;
    if (level < 4 && one_in(level == 2 ? 4 : 6))        /* a page of 2 MiB or 1 GiB */
        return entry | PS | (one_in(16) ? random_64() & FRAME
                                        : (uint64_t)below(2) << (3 + 9 * level)) |
               (one_in(8) ? 0x1000 : 0);
    return entry | random_table(level - 1) << 12;
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
    unsigned level = 1 + below(4), index = random_index(level), bytes = one_in(8) ? 1 + below(8) : 8;
    uint64_t at = random_table(level) * GUEST_PAGE + 8 * index, entry = random_entry(level);

    if (one_in(3))                                      /* one bit of it */
        entry = physical_entry(at, 0) ^
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
    bool allowed = guest_allows(linear, how);

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
        assert_in_range(linear >> 39 & 511, 256, 271);
        c->stop = STOP_NOT;
        return FAILED;
    }
}

static bool mmu_lets(uint64_t linear, unsigned how, struct vmm_leaf *leaf)
{
    return vmm_mmu_resolve(linear, leaf) && (leaf->writable || !(how & ACCESS_WRITE)) &&
           (leaf->executable || !(how & ACCESS_FETCH));
}

/* An instruction of the guest's that touches memory: what the MMU allows happens without anybody's
 * knowing. */
static void touch(void)
{
    static const unsigned hows[] = { ACCESS_READ, ACCESS_WRITE, ACCESS_WRITE, ACCESS_FETCH };
    uint64_t linear = random_linear(), value = random_entry(1 + below(4));
    unsigned how = hows[below(ARRAY_SIZE(hows))];
    struct vmm_leaf leaf;

    if (one_in(4))
        tlb_flush(c);
    if (!mmu_lets(linear, how, &leaf)) {
        enum outcome outcome = handle_fault(linear, how, value);

        outcomes[outcome]++;
        if (outcome != FILLED)
            return;
        load_root();
        if (!mmu_lets(linear, how, &leaf))
            fail_msg("%#lx, access %u: filled, and the MMU does not let it through", linear, how);
    }
    outcomes[MMU_LETS]++;
    assert_true(guest_allows(linear, how));
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
    static const unsigned counts[] = { 0, 12, 3, 3, 4 };

    c = vmm_cpu_new(NR_FRAMES);
    c->gigabyte_pages = one_in(2);
    for (unsigned t = 0; t < NR_TABLES; t++) {
        unsigned level = t < 2 ? 4 : t < 6 ? 3 : t < 12 ? 2 : 1;
        uint64_t *table = (uint64_t *)(c->ram.bytes + (FIRST_TABLE + t) * GUEST_PAGE);

        for (unsigned n = 2 * counts[level]; n > 0; n--)
            table[random_index(level)] = random_entry(level);
        if (level == 4)
            table[511] = 0x2000 | P | W | U;
    }
    c->cr3 = random_table(4) << 12;
    vmm_mmu_init(c, NR_SHADOWS);
    assert_true(shadows_init(c, &vmm_mmu, NR_SHADOWS));
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
            seed = (from_environment("VMM_SEED", 1) + i) * 0x9e3779b97f4a7c15ull + 1;
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
