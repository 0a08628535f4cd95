/* Accesses of linear memory and the vmm's software TLB: what is filled and when it is forgotten
 * (T1 to T4 of tlb.h), the hook of frames that somebody watches, accesses that cross a page's end,
 * and random accesses against a walk of the tables for each. */
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/paging.h"
#include "tests/unit/vmm_host.h"

#define P 1ull
#define W 2ull
#define U 4ull
#define D 0x40ull
#define PS 0x80ull
#define NX (1ull << 63)

/* One L1 table in frame 11, for LINEAR and the 511 pages behind it. */
#define LINEAR 0x7f1234400000ull
#define PAGE(n) (LINEAR + (n) * 4096ull)

static struct cpu *c;
static uint64_t hooked[16];
static unsigned hooked_bytes[16], nr_hooked;
static bool hook_clears;

static void frame_written(struct cpu *cpu, uint64_t phys, unsigned bytes)
{
    hooked[nr_hooked % ARRAY_SIZE(hooked)] = phys;
    hooked_bytes[nr_hooked++ % ARRAY_SIZE(hooked)] = bytes;
    if (hook_clears)
        cpu->ram.flags[phys / 4096] = 0;
}

static uint64_t *table(unsigned frame)
{
    return (uint64_t *)(c->ram.bytes + frame * 4096ull);
}

static uint64_t *leaf(unsigned n)
{
    return &table(11)[(LINEAR >> 12 & 511) + n];
}

/* Page n of LINEAR is frame 16 + n, for all. */
static int setup(void **state)
{
    (void)state;
    c = vmm_cpu_new(128);
    c->frame_written = frame_written;
    nr_hooked = 0;
    hook_clears = false;
    c->cr3 = 8 * 4096;
    table(8)[LINEAR >> 39 & 511] = 9 * 4096 | P | W | U;
    table(9)[LINEAR >> 30 & 511] = 10 * 4096 | P | W | U;
    table(10)[LINEAR >> 21 & 511] = 11 * 4096 | P | W | U;
    for (unsigned n = 0; n < 16; n++)
        *leaf(n) = (16 + n) * 4096 | P | W | U;
    tlb_flush(c);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vmm_cpu_free(c);
    return 0;
}

static uint64_t read_8(uint64_t linear)
{
    uint64_t value = 0;

    assert_true(read_number(c, linear, 8, &value));
    return value;
}

/* --- Numbers and bytes ------------------------------------------------------------------------ */

static void numbers(void **state)
{
    static const uint64_t n = 0x8877665544332211;
    uint64_t value;

    (void)state;
    for (unsigned twice = 0; twice < 2; twice++) {      /* by the walk, then by the TLB */
        for (unsigned bytes = 1; bytes <= 8; bytes *= 2) {
            memset(table(16), 0xee, 4096);
            assert_true(write_number(c, LINEAR + 3, bytes, n));
            assert_memory_equal(c->ram.bytes + 16 * 4096 + 3, &n, bytes);
            assert_int_equal(c->ram.bytes[16 * 4096 + 3 + bytes], 0xee);
            assert_true(read_number(c, LINEAR + 3, bytes, &value));
            assert_int_equal(value, n & size_mask(bytes));
        }
    }
    assert_true(write_number(c, PAGE(1) - 3, 8, n));
    *leaf(1) = 30 * 4096 | P | W | U;
    tlb_flush_page(c, PAGE(1));
    assert_true(write_number(c, PAGE(1) - 3, 8, n));
    assert_memory_equal(c->ram.bytes + 17 * 4096 - 3, &n, 3);
    assert_memory_equal(c->ram.bytes + 30 * 4096, (const char *)&n + 3, 5);
    assert_int_equal(read_8(PAGE(1) - 3), n);
}

static void nothing_is_written_before_a_fault(void **state)
{
    static const uint8_t ones[512] = { [0 ... 511] = 1 }, zeroes[512];

    (void)state;
    *leaf(1) = 0;
    assert_false(write_linear(c, PAGE(1) - 100, ones, sizeof(ones), ACCESS_WRITE));
    assert_int_equal(c->fault.vector, VECTOR_PF);
    assert_int_equal(c->fault.error, 2);
    assert_int_equal(c->fault.address, PAGE(1));
    assert_memory_equal(c->ram.bytes + 17 * 4096 - 100, zeroes, 100);
    *leaf(0) = 0;
    assert_false(write_linear(c, PAGE(1) - 100, ones, sizeof(ones), ACCESS_WRITE));
    assert_int_equal(c->fault.address, PAGE(1)); /* by the TLB the first page is still there */
    tlb_flush(c);
    assert_false(write_linear(c, PAGE(1) - 100, ones, sizeof(ones), ACCESS_WRITE));
    assert_int_equal(c->fault.address, PAGE(1) - 100);
}

/* The first half of what is written is the entry that leads to the second half's page. */
static void a_write_over_its_own_tables(void **state)
{
    static const uint8_t zeroes[16];

    (void)state;
    *leaf(510) = 11 * 4096 | P | W | U; /* the table itself */
    *leaf(511) = 40 * 4096 | P | W | U;
    memset(table(40), 0xff, 16);
    c->ram.flags[11] = c->ram.flags[40] = FRAME_TABLE;
    assert_true(write_linear(c, PAGE(511) - 8, zeroes, 16, ACCESS_WRITE));
    assert_int_equal(*leaf(511), 0);
    assert_int_equal(table(40)[0], 0);
    assert_int_equal(table(40)[1], ~0ull);
}

static void fetches(void **state)
{
    uint8_t bytes[MAX_INSN];
    struct cpu_fault kept = { .vector = VECTOR_MF };

    (void)state;
    for (unsigned i = 0; i < 4096; i++)
        c->ram.bytes[16 * 4096 + i] = c->ram.bytes[17 * 4096 + i] = (uint8_t)i;
    assert_int_equal(fetch_bytes(c, LINEAR + 1, bytes), 15);
    assert_int_equal(bytes[14], 15);
    assert_int_equal(fetch_bytes(c, PAGE(1) - 2, bytes), 15);
    assert_int_equal(bytes[2], 0);
    c->fault = kept;
    read_8(PAGE(1));                    /* what may be read need not be what may be fetched */
    *leaf(1) |= NX;
    assert_int_equal(fetch_bytes(c, PAGE(1) - 2, bytes), 2);
    assert_int_equal(c->fault.vector, VECTOR_MF);       /* nobody has needed the second page yet */
    assert_int_equal(fetch_bytes(c, PAGE(1), bytes), 0);
    assert_int_equal(c->fault.error, 0x11);
    assert_int_equal(fetch_bytes(c, 1ull << 47, bytes), 0);
    assert_int_equal(c->fault.vector, VECTOR_GP);
}

/* --- What the TLB keeps ----------------------------------------------------------------------- */

static void entries_stay_until_they_are_flushed(void **state)
{
    (void)state;
    *table(30) = 30;
    *table(16) = 16;
    assert_int_equal(read_8(LINEAR), 16);
    *leaf(0) = 30 * 4096 | P | W | U;
    assert_int_equal(read_8(LINEAR), 16);
    tlb_flush_page(c, PAGE(1));
    assert_int_equal(read_8(LINEAR), 16);
    tlb_flush_page(c, LINEAR + 0xfff);
    assert_int_equal(read_8(LINEAR), 30);
    *leaf(0) = 16 * 4096 | P | W | U;
    tlb_flush(c);
    assert_int_equal(read_8(LINEAR), 16);
}

static void rights_are_kept_apart(void **state)
{
    uint64_t value;

    (void)state;
    *leaf(0) = 16 * 4096 | P | W;       /* the kernel's */
    *leaf(1) = 17 * 4096 | P | U;       /* read-only */
    assert_int_equal(read_8(LINEAR), 0);
    assert_int_equal(read_8(PAGE(1)), 0);
    assert_false(write_number(c, PAGE(1), 8, 1));
    assert_int_equal(c->fault.error, 3);
    set_cpl(c, 3);
    assert_false(read_number(c, LINEAR, 8, &value));
    assert_int_equal(c->fault.error, 5);
    assert_true(read_linear(c, LINEAR, &value, 8, ACCESS_SYSTEM));
    assert_false(read_number(c, LINEAR, 8, &value));
    assert_true(write_linear(c, LINEAR, &value, 8, ACCESS_SYSTEM));
    assert_false(write_number(c, LINEAR, 8, 0));
    assert_int_equal(c->fault.error, 7);
}

/* T2: a read does not make the page writable, and the first write sets D. */
static void the_first_write_sets_dirty(void **state)
{
    (void)state;
    read_8(LINEAR);
    assert_int_equal(*leaf(0) & D, 0);
    assert_true(write_number(c, LINEAR, 4, 1));
    assert_int_equal(*leaf(0) & D, D);
    assert_non_null(tlb_look_up(c->tlb->write, LINEAR, 8));
}

static void watched_frames(void **state)
{
    (void)state;
    assert_true(write_number(c, LINEAR, 8, 1));
    c->ram.flags[16] = FRAME_CODE;
    tlb_forget_writes(c);
    assert_null(tlb_look_up(c->tlb->write, LINEAR, 8));
    assert_true(write_number(c, LINEAR, 8, 2));
    assert_true(write_number(c, LINEAR + 0x123, 2, 3));
    assert_int_equal(nr_hooked, 2);     /* each time */
    assert_int_equal(hooked[0], 16 * 4096);
    assert_int_equal(hooked_bytes[0], 8);
    assert_int_equal(hooked[1], 16 * 4096 + 0x123);
    assert_int_equal(hooked_bytes[1], 2);
    read_8(LINEAR);
    assert_int_equal(nr_hooked, 2);
    hook_clears = true;
    assert_non_null(map_linear(c, LINEAR + 4000, 1000, ACCESS_WRITE));
    assert_int_equal(nr_hooked, 3);
    assert_int_equal(hooked[2], 16 * 4096 + 4000);
    assert_int_equal(hooked_bytes[2], 96);      /* to the end of the page */
    assert_true(write_number(c, LINEAR, 8, 4));
    assert_int_equal(nr_hooked, 3);     /* nobody watches any more */
    assert_int_equal(*table(16), 4);
}

/* A page of a watched frame is found without a walk, at the rights of the CPL, until INVLPG. */
static void pages_of_watched_frames(void **state)
{
    uint64_t value = 5;

    (void)state;
    c->ram.flags[16] = c->ram.flags[17] = c->ram.flags[18] = FRAME_TABLE;
    *leaf(0) = 16 * 4096 | P | W;       /* the kernel's */
    assert_true(write_number(c, LINEAR, 8, 1) && is_flagged_page(c, LINEAR + 0x123));
    assert_false(is_flagged_page(c, PAGE(1)));
    set_cpl(c, 3);
    assert_false(is_flagged_page(c, LINEAR));
    assert_true(write_linear(c, LINEAR, &value, 8, ACCESS_SYSTEM));
    assert_false(is_flagged_page(c, LINEAR) || write_number(c, LINEAR, 8, 2));
    assert_int_equal(c->fault.error, 7);
    assert_true(write_number(c, PAGE(1), 8, 3) && is_flagged_page(c, PAGE(1)));
    *leaf(1) = 18 * 4096 | P | W | U;
    assert_true(write_number(c, PAGE(1), 8, 4));
    tlb_flush_page(c, PAGE(1));
    assert_false(is_flagged_page(c, PAGE(1)));
    assert_true(write_number(c, PAGE(1), 8, 6));
    assert_int_equal(*table(16), 5);
    assert_int_equal(*table(17), 4);
    assert_int_equal(*table(18), 6);
    assert_int_equal(*leaf(1) & D, D);
    assert_int_equal(nr_hooked, 5);
    c->ram.flags[18] = 0;
    assert_false(is_flagged_page(c, PAGE(1)));
}

/* INVLPG of any part of a page of 2 MiB forgets all of it, at both CPLs. */
static void large_pages_are_flushed_as_one(void **state)
{
    const uint64_t large = 0x40000000;
    uint64_t *entry = &table(10)[0];

    (void)state;
    table(8)[0] = 9 * 4096 | P | W | U;
    table(9)[1] = 10 * 4096 | P | W | U;
    *entry = PS | P | W | U;
    *table(16) = 16;
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        set_cpl(c, cpl);
        assert_int_equal(read_8(large + 16 * 4096), 16);
        assert_true(write_number(c, large + 17 * 4096, 8, 17));
    }
    *entry = 0;
    tlb_flush_page(c, large + 0x1ff000);
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        uint64_t value;

        set_cpl(c, cpl);
        assert_false(read_number(c, large + 16 * 4096, 8, &value));
        assert_false(write_number(c, large + 17 * 4096, 8, 17));
    }
}

/* More entries than the log has room for, then a flush. */
static void many_entries(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 512; n++)
        table(11)[n] = (16 + n % 64) * 4096ull | P | W | U;
    for (unsigned round = 0; round < 3; round++) {
        unsigned nr = round == 0 ? 512 : TLB_LOG + round - 1;

        for (unsigned n = 0; n < nr; n++)
            read_8((LINEAR & ~0x1fffffull) + n * 4096);
        tlb_flush(c);
        for (unsigned n = 0; n < TLB_ENTRIES; n++) {
            const struct tlb *t = &c->tlbs[0];

            assert_true(tlb_index(t->read[n].tag) != n && tlb_index(t->write[n].tag) != n);
        }
    }
}

static void absent_memory(void **state)
{
    static const uint8_t zeroes[4096];

    (void)state;
    *leaf(0) = 0xa0000 | P | W | U;
    *leaf(1) = 0xfffffff000 | P | W | U;
    for (unsigned n = 0; n < 2; n++) {
        assert_int_equal(read_8(PAGE(n)), 0);
        assert_true(write_number(c, PAGE(n), 8, ~0ull));
        assert_int_equal(read_8(PAGE(n)), 0);
    }
    assert_memory_equal(c->ram.zeroes, zeroes, 4096);
}

/* --- Random accesses -------------------------------------------------------------------------- */

static uint64_t random_leaf(void)
{
    uint64_t e = (uint64_t)(16 + rand() % 32) * 4096;

    e |= rand() % 8 ? P : 0;
    e |= rand() % 4 ? W : 0;
    e |= rand() % 4 ? U : 0;
    return e;
}

/* T3: with INVLPG after each change the TLB says what a walk says. */
static void one_access(void)
{
    uint64_t linear = LINEAR + (uint64_t)(rand() % (8 * 4096)), value, expected = 0;
    struct translation t[2];
    unsigned how = rand() % 2 ? ACCESS_WRITE : ACCESS_READ;
    bool ok = walk(c, linear, how, &t[0]), second;
    uint64_t address = c->fault.address;

    linear &= ~7ull;
    second = rand() % 2 && ok;          /* crossing into the next page */
    if (second) {
        linear = (linear | 0xfff) - 3;
        ok = walk(c, linear + 4, how, &t[1]);
        address = c->fault.address;
    }
    if (how == ACCESS_WRITE) {
        value = (uint64_t)rand() << 32 | (uint64_t)rand();
        assert_int_equal(write_number(c, linear, 8, value), ok);
    } else {
        assert_int_equal(read_number(c, linear, 8, &value), ok);
    }
    if (!ok) {
        assert_int_equal(c->fault.address & ~0xfffull, address & ~0xfffull);
        return;
    }
    memcpy(&expected, c->ram.bytes + t[0].frame * 4096 + linear % 4096, second ? 4 : 8);
    if (second)
        memcpy((char *)&expected + 4, c->ram.bytes + t[1].frame * 4096, 4);
    if (!second || t[0].frame != t[1].frame)
        assert_int_equal(value, expected);
}

static void random_accesses(void **state)
{
    (void)state;
    srand(1);
    for (unsigned i = 0; i < 100000; i++) {
        if (rand() % 8 == 0) {
            unsigned n = (unsigned)rand() % 9;

            *leaf(n) = random_leaf();
            if (rand() % 8)
                tlb_flush_page(c, PAGE(n));
            else
                tlb_flush(c);
        }
        if (rand() % 16 == 0) {
            c->ram.flags[16 + rand() % 32] = (uint8_t)(rand() % 4);
            tlb_forget_writes(c);
        }
        set_cpl(c, (unsigned)rand() % 4);
        one_access();
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers), TEST(nothing_is_written_before_a_fault), TEST(a_write_over_its_own_tables),
        TEST(fetches), TEST(entries_stay_until_they_are_flushed), TEST(rights_are_kept_apart),
        TEST(the_first_write_sets_dirty), TEST(watched_frames), TEST(pages_of_watched_frames),
        TEST(large_pages_are_flushed_as_one), TEST(many_entries), TEST(absent_memory),
        TEST(random_accesses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
