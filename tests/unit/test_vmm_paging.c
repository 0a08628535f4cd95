/* The vmm's walk of the guest's page tables: each right and each kind of fault by its error code,
 * accessed and dirty bits, reserved bits, pages of 2 MiB, tables in absent memory and tables that
 * lead to themselves. */
#include "cmocka_main.h"
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/paging.h"
#include "tests/unit/vmm_host.h"

#define P 1ull
#define W 2ull
#define U 4ull
#define A 0x20ull
#define D 0x40ull
#define PS 0x80ull
#define NX (1ull << 63)
#define ALL (P | W | U)
#define SYSTEM ACCESS_SYSTEM

/* Entry 5 of each table, in frames 8 (level 4) to 11 (level 1). */
#define LINEAR ((5ull << 39) | (5ull << 30) | (5ull << 21) | (5ull << 12))
#define TABLES 8u
#define ENTRY_AT(level) ((TABLES + 4 - (level)) * 4096ull + 5 * 8)
#define PAGE 20u
#define OK 0xffffu

enum { NO_WP = 1, NO_NXE = 2 };

static struct cpu *c;

static int setup(void **state)
{
    (void)state;
    c = vmm_cpu_new(64);
    c->cr3 = TABLES * 4096 + 0x18;      /* PWT and PCD, which mean nothing */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vmm_cpu_free(c);
    return 0;
}

static uint64_t *entry(unsigned level)
{
    return (uint64_t *)(c->ram.bytes + ENTRY_AT(level));
}

/* flags: of levels 4 to 1 */
static void set_entries(const uint64_t flags[4])
{
    for (unsigned level = 4; level >= 1; level--)
        *entry(level) = (level > 1 ? (TABLES + 5 - level) * 4096ull : PAGE * 4096ull) |
                        flags[4 - level];
}

static const struct {
    const char *what;
    uint64_t flags[4];
    unsigned how, cpl, mode, error;
} cases[] = {
    { "user reads", { ALL, ALL, ALL, ALL }, 0, 3, 0, OK },
    { "user writes", { ALL, ALL, ALL, ALL }, ACCESS_WRITE, 3, 0, OK },
    { "user fetches", { ALL, ALL, ALL, ALL }, ACCESS_FETCH, 3, 0, OK },
    { "no level 4", { W | U, ALL, ALL, ALL }, 0, 3, 0, 4 },
    { "no level 3", { ALL, W | U, ALL, ALL }, ACCESS_WRITE, 3, 0, 6 },
    { "no level 2", { ALL, ALL, W | U, ALL }, ACCESS_FETCH, 3, 0, 0x14 },
    { "no level 1", { ALL, ALL, ALL, W | U }, 0, 0, 0, 0 },
    { "no page, kernel writes", { ALL, ALL, ALL, 0 }, ACCESS_WRITE, 0, 0, 2 },
    { "no page, kernel fetches", { ALL, ALL, ALL, 0 }, ACCESS_FETCH, 0, 0, 0x10 },
    { "no page, fetch without NXE", { ALL, ALL, ALL, 0 }, ACCESS_FETCH, 3, NO_NXE, 4 },
    { "no page, for the CPU itself", { ALL, ALL, ALL, 0 }, SYSTEM | ACCESS_WRITE, 3, 0, 2 },
    { "level 4 read-only", { P | U, ALL, ALL, ALL }, ACCESS_WRITE, 3, 0, 7 },
    { "level 3 read-only", { ALL, P | U, ALL, ALL }, ACCESS_WRITE, 3, 0, 7 },
    { "level 2 read-only", { ALL, ALL, P | U, ALL }, ACCESS_WRITE, 3, 0, 7 },
    { "level 1 read-only", { ALL, ALL, ALL, P | U }, ACCESS_WRITE, 3, 0, 7 },
    { "read-only, kernel with WP", { ALL, ALL, ALL, P | U }, ACCESS_WRITE, 0, 0, 3 },
    { "read-only, kernel without WP", { P, P, P, P }, ACCESS_WRITE, 0, NO_WP, OK },
    { "read-only, user without WP", { ALL, ALL, ALL, P | U }, ACCESS_WRITE, 3, NO_WP, 7 },
    { "read-only, CPL 1 with WP", { ALL, ALL, ALL, P | U }, ACCESS_WRITE, 1, 0, 3 },
    { "read-only is readable", { P | U, P | U, P | U, P | U }, 0, 3, 0, OK },
    { "level 4 of the kernel", { P | W, ALL, ALL, ALL }, 0, 3, 0, 5 },
    { "level 3 of the kernel", { ALL, P | W, ALL, ALL }, 0, 3, 0, 5 },
    { "level 2 of the kernel", { ALL, ALL, P | W, ALL }, 0, 3, 0, 5 },
    { "level 1 of the kernel", { ALL, ALL, ALL, P | W }, ACCESS_WRITE, 3, 0, 7 },
    { "user fetches the kernel's", { ALL, ALL, ALL, P | W }, ACCESS_FETCH, 3, 0, 0x15 },
    { "kernel's, CPL 2", { P | W, P | W, P | W, P | W }, ACCESS_WRITE, 2, 0, OK },
    { "kernel's, for the CPU itself", { ALL, ALL, ALL, P | W }, SYSTEM, 3, 0, OK },
    { "level 4 NX", { ALL | NX, ALL, ALL, ALL }, ACCESS_FETCH, 3, 0, 0x15 },
    { "level 3 NX", { ALL, ALL | NX, ALL, ALL }, ACCESS_FETCH, 0, 0, 0x11 },
    { "level 2 NX", { ALL, ALL, ALL | NX, ALL }, ACCESS_FETCH, 3, 0, 0x15 },
    { "level 1 NX", { ALL, ALL, ALL, ALL | NX }, ACCESS_FETCH, 0, 0, 0x11 },
    { "NX is readable", { ALL | NX, ALL, ALL, ALL }, 0, 3, 0, OK },
    { "NX without NXE is reserved", { ALL, ALL, ALL, ALL | NX }, 0, 3, NO_NXE, 13 },
    { "NX without NXE, above", { ALL | NX, ALL, ALL, ALL }, ACCESS_WRITE, 0, NO_NXE, 11 },
    { "bit 40 of level 4", { ALL | 1ull << 40, ALL, ALL, ALL }, 0, 3, 0, 13 },
    { "bit 51 of level 3", { ALL, ALL | 1ull << 51, ALL, ALL }, 0, 0, 0, 9 },
    { "bit 45 of level 2", { ALL, ALL, ALL | 1ull << 45, ALL }, ACCESS_WRITE, 3, 0, 15 },
    { "bit 40 of level 1", { ALL, ALL, ALL, ALL | 1ull << 40 }, ACCESS_FETCH, 3, 0, 0x1d },
    { "bits 52 to 62 are free", { ALL, ALL, ALL, ALL | 0x7ffull << 52 }, 0, 3, 0, OK },
    { "reserved but absent", { ALL, ALL, ALL, 1ull << 40 }, 0, 3, 0, 4 },
    { "PS in level 4", { ALL | PS, ALL, ALL, ALL }, 0, 3, 0, 13 },
    { "PS in level 3", { ALL, ALL | PS, ALL, ALL }, 0, 0, 0, 9 },
    { "PAT in level 1", { ALL, ALL, ALL, ALL | PS }, 0, 3, 0, OK },
    { "reserved before rights", { P | W, ALL, ALL, ALL | 1ull << 40 }, 0, 3, 0, 13 },
    { "absent before rights", { P | W, ALL, ALL, 0 }, 0, 3, 0, 4 },
};

static void set_mode(unsigned cpl, unsigned mode)
{
    set_cpl(c, cpl);
    c->cr0 = (c->cr0 & ~CR0_WP) | (mode & NO_WP ? 0 : CR0_WP);
    c->efer = (c->efer & ~EFER_NXE) | (mode & NO_NXE ? 0 : EFER_NXE);
}

static void rights_and_faults(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct translation t;
        bool ok = cases[i].error == OK;

        set_entries(cases[i].flags);
        set_mode(cases[i].cpl, cases[i].mode);
        c->fault = (struct cpu_fault){ 0 };
        if (walk(c, LINEAR + 0x123, cases[i].how, &t) != ok || (ok && t.frame != PAGE) ||
            (!ok && (c->fault.vector != VECTOR_PF || c->fault.error != cases[i].error ||
                     !c->fault.has_error || c->fault.address != LINEAR + 0x123)))
            fail_msg("%s: vector %u, error code %x", cases[i].what, c->fault.vector,
                     c->fault.error);
    }
}

/* What a walk says beside the frame */
static void attributes(void **state)
{
    static const uint64_t plain[4] = { ALL, ALL, ALL, ALL }, read_only[4] = { ALL, ALL, P, ALL },
                          no_execute[4] = { ALL | NX, ALL, ALL, ALL };
    struct translation t;

    (void)state;
    set_entries(plain);
    assert_true(walk(c, LINEAR, 0, &t));
    assert_true(t.writable && t.user && !t.no_execute && !t.large && !t.dirty);
    assert_true(walk(c, LINEAR, ACCESS_WRITE, &t));
    assert_true(t.dirty);
    assert_true(walk(c, LINEAR, 0, &t));
    assert_true(t.dirty);
    set_entries(read_only);
    assert_true(walk(c, LINEAR, 0, &t));
    assert_true(!t.writable && !t.user);
    c->cr0 &= ~CR0_WP;
    assert_true(walk(c, LINEAR, 0, &t));
    assert_true(t.writable);
    set_entries(no_execute);
    assert_true(walk(c, LINEAR, 0, &t));
    assert_true(t.no_execute);
}

static void expect_marks(uint64_t level_4, uint64_t level_3, uint64_t level_2, uint64_t level_1)
{
    assert_int_equal(*entry(4) & (A | D), level_4);
    assert_int_equal(*entry(3) & (A | D), level_3);
    assert_int_equal(*entry(2) & (A | D), level_2);
    assert_int_equal(*entry(1) & (A | D), level_1);
}

static void accessed_and_dirty(void **state)
{
    static const uint64_t plain[4] = { ALL, ALL, ALL, ALL }, of_kernel[4] = { ALL, ALL, ALL, P };
    struct translation t;

    (void)state;
    set_entries(of_kernel);
    set_cpl(c, 3);
    assert_false(walk(c, LINEAR, 0, &t));
    expect_marks(0, 0, 0, 0);           /* a walk that fails leaves nothing behind */
    set_entries(plain);
    assert_true(walk(c, LINEAR, 0, &t));
    expect_marks(A, A, A, A);
    assert_true(walk(c, LINEAR, ACCESS_WRITE, &t));
    expect_marks(A, A, A, A | D);
    set_entries(plain);
    assert_true(walk(c, LINEAR, ACCESS_FETCH, &t));
    expect_marks(A, A, A, A);
    set_entries(plain);
    assert_true(walk(c, LINEAR, ACCESS_WRITE | ACCESS_SYSTEM, &t));
    expect_marks(A, A, A, A | D);
    assert_int_equal(*entry(1), PAGE * 4096 | ALL | A | D); /* and nothing else */
}

static void large_pages(void **state)
{
    static const uint64_t plain[4] = { ALL, ALL, 0, 0 };
    struct translation t;

    (void)state;
    set_entries(plain);
    *entry(2) = 0x200000 * 7 | PS | ALL | 1 << 12;      /* bit 12 is PAT */
    assert_true(walk(c, LINEAR, 0, &t));
    assert_true(t.large && !t.dirty);
    assert_int_equal(t.frame, 7 * 512 + 5);
    assert_true(walk(c, LINEAR + 0x1fa000, ACCESS_WRITE, &t));
    assert_int_equal(t.frame, 7 * 512 + 511);
    assert_int_equal(*entry(2) & (A | D), A | D);
    assert_int_equal(*entry(1) & (A | D), 0);
    for (unsigned bit = 13; bit <= 20; bit++) {
        *entry(2) = PS | ALL | 1ull << bit;
        assert_false(walk(c, LINEAR, 0, &t));
        assert_int_equal(c->fault.error, 9);
    }
    *entry(2) = PS | P | U | W | NX;
    assert_false(walk(c, LINEAR, ACCESS_FETCH, &t));
    assert_int_equal(c->fault.error, 0x11);
}

static void not_canonical(void **state)
{
    static const uint64_t addresses[] = { 1ull << 47, 0xffff7fffffffffff, 1ull << 63, 1ull << 48 };
    struct translation t;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++) {
        c->fault = (struct cpu_fault){ 0 };
        assert_false(walk(c, addresses[i], 0, &t));
        assert_int_equal(c->fault.vector, VECTOR_GP);
        assert_int_equal(c->fault.error, 0);
    }
}

/* Absent memory reads as zeroes; a page in it is a page. */
static void absent_memory(void **state)
{
    static const uint64_t plain[4] = { ALL, ALL, ALL, ALL };
    struct translation t;

    (void)state;
    for (unsigned level = 4; level >= 1; level--) {
        set_entries(plain);
        if (level == 4)
            c->cr3 = 0xfffffff000;
        else
            *entry(level + 1) = 0xfffffff000 | ALL;
        assert_false(walk(c, LINEAR, 0, &t));
        assert_int_equal(c->fault.error, 0);
        c->cr3 = TABLES * 4096;
    }
    set_entries(plain);
    *entry(1) = 0xfffffff000 | ALL;
    assert_true(walk(c, LINEAR, ACCESS_WRITE, &t));
    assert_int_equal(t.frame, 0xfffffff);
}

/* Level 4 is its own level 3, 2 and 1: one entry, read four times, and D belongs to the last. */
static void table_of_itself(void **state)
{
    struct translation t;

    (void)state;
    *entry(4) = TABLES * 4096 | ALL;
    assert_true(walk(c, LINEAR, 0, &t));
    assert_int_equal(t.frame, TABLES);
    assert_int_equal(*entry(4), TABLES * 4096 | ALL | A);
    assert_true(walk(c, LINEAR, ACCESS_WRITE, &t));
    assert_int_equal(*entry(4), TABLES * 4096 | ALL | A | D);
}

static uint64_t hooked[8];
static unsigned nr_hooked;

static void frame_written(struct cpu *cpu, uint64_t phys, unsigned bytes)
{
    (void)cpu;
    assert_true(nr_hooked < ARRAY_SIZE(hooked));
    assert_int_equal(bytes, 8);
    hooked[nr_hooked++] = phys;
}

/* A and D are writes to the tables: whoever wants to know of writes to a frame hears of them. */
static void marks_are_writes(void **state)
{
    static const uint64_t plain[4] = { ALL, ALL, ALL, ALL };
    struct translation t;

    (void)state;
    nr_hooked = 0;
    c->frame_written = frame_written;
    set_entries(plain);
    c->ram.flags[TABLES + 1] = FRAME_CODE;
    c->ram.flags[TABLES + 3] = FRAME_TABLE;
    assert_true(walk(c, LINEAR, 0, &t));
    assert_int_equal(nr_hooked, 2);
    assert_int_equal(hooked[0], ENTRY_AT(3));
    assert_int_equal(hooked[1], ENTRY_AT(1));
    assert_true(walk(c, LINEAR, 0, &t));
    assert_int_equal(nr_hooked, 2);
    assert_true(walk(c, LINEAR, ACCESS_WRITE, &t));
    assert_int_equal(nr_hooked, 3);
    assert_int_equal(hooked[2], ENTRY_AT(1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rights_and_faults), TEST(attributes), TEST(accessed_and_dirty), TEST(large_pages),
        TEST(not_canonical), TEST(absent_memory), TEST(table_of_itself), TEST(marks_are_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
