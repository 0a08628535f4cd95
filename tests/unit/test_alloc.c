/* Free frames kept by ranges until they are needed (xen/core/alloc.c), in a machine of 4 GiB that
 * has nothing but a frame table. */
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "xen/core/alloc.h"
#include "xen/core/frame.h"

#define NR_FRAMES (1ul << 20)
#define CHUNK (1ul << 16)               /* frames whose entries are looked at together */
#define TABLE_BYTES (NR_FRAMES * sizeof(struct frame))

static struct frame *table;
static uint8_t *taken;                  /* by frame: 1 RAM, 2 allocated */

static int setup(void **state)
{
    (void)state;
    table = mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(table, MAP_FAILED);
    taken = calloc(NR_FRAMES, 1);
    frames_init(table, NR_FRAMES, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    munmap(table, TABLE_BYTES);
    free(taken);
    return 0;
}

static void add(mfn_t start, mfn_t end)
{
    frames_add_untouched(start, end);
    memset(taken + start, 1, end - start);
}

static mfn_t take(unsigned order, unsigned address_bits)
{
    mfn_t mfn = alloc_frames_below(order, address_bits);

    if (mfn == INVALID_MFN)
        return mfn;
    assert_int_equal(mfn & ((1ul << order) - 1), 0);
    for (mfn_t i = mfn; i < mfn + (1ul << order); i++) {
        assert_int_equal(taken[i], 1);
        taken[i] = 2;
    }
    return mfn;
}

static void give(mfn_t mfn, unsigned order)
{
    memset(taken + mfn, 1, 1ul << order);
    free_frames(mfn, order, false);
}

/* An access to the entries of any chunk but this one is a fault from now on. */
static void guard_all_but(mfn_t chunk)
{
    size_t bytes = CHUNK * sizeof(struct frame);

    for (mfn_t mfn = 0; mfn < NR_FRAMES; mfn += CHUNK)
        if (mfn != chunk)
            assert_int_equal(mprotect(&table[mfn], bytes, PROT_NONE), 0);
}

/* The highest memory is taken first, and no entry of another chunk is looked at. */
static void one_chunk_is_enough(void **state)
{
    (void)state;
    guard_all_but(NR_FRAMES - CHUNK);
    add(1, NR_FRAMES);
    assert_int_equal(nr_free_frames(), NR_FRAMES - 1);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(take(i % 8, 0) >= NR_FRAMES - CHUNK);
    while (take(0, 0) >= NR_FRAMES - CHUNK && nr_free_frames() != NR_FRAMES - 1 - CHUNK)
        ;
    for (mfn_t mfn = NR_FRAMES - CHUNK; mfn < NR_FRAMES; mfn++)
        if (taken[mfn] == 2)
            give(mfn, 0);
    assert_int_equal(nr_free_frames(), NR_FRAMES - 1);
}

static void below_an_address(void **state)
{
    mfn_t mfn;

    (void)state;
    guard_all_but(3 * CHUNK);
    add(1, NR_FRAMES);
    mfn = take(9, 30);
    assert_in_range(mfn, 3 * CHUNK, 4 * CHUNK - 512);
    assert_int_equal(table[mfn].word, 0);
}

static void low_memory_last(void **state)
{
    (void)state;
    add(100, 300);
    add(0x8000, 0x8003);
    add(0x9000, 0x9002);
    add(NR_FRAMES - 5, NR_FRAMES);
    for (unsigned i = 0; i < 5; i++)
        assert_true(take(0, 0) >= NR_FRAMES - 5);
    for (unsigned i = 0; i < 2; i++)
        assert_true(take(0, 0) >= 0x9000);
    for (unsigned i = 0; i < 3; i++)
        assert_true(take(0, 0) >= 0x8000);
    for (unsigned i = 0; i < 44; i++)
        assert_in_range(take(0, 0), 256, 299);
    assert_in_range(take(0, 0), 128, 255);
    free_frames(NR_FRAMES - 5, 0, false);
    assert_int_equal(alloc_frames(0), NR_FRAMES - 5);
}

/* Every frame is given once, for ranges with any borders, and all become the same blocks again when
 * they are free. */
static void all_is_given_once(void **state)
{
    uint64_t all;
    mfn_t mfn;

    (void)state;
    srand(2);
    for (mfn = 1 + (unsigned)rand() % 300; mfn < NR_FRAMES;) {
        mfn_t end = MIN(mfn + 1 + (unsigned)rand() % 200000, NR_FRAMES);

        add(mfn, end);
        mfn = end + (rand() % 2 ? 0 : 1 + (unsigned)rand() % 1000);
    }
    all = nr_free_frames();
    for (unsigned order = 18; order-- > 0;)
        for (unsigned i = 0; i < 3; i++)
            (void)take(order, 0);
    while (take(0, 0) != INVALID_MFN)
        ;
    assert_int_equal(nr_free_frames(), 0);
    for (mfn = 0; mfn < NR_FRAMES; mfn++)
        assert_true(taken[mfn] != 1);
    for (mfn = 0; mfn < NR_FRAMES; mfn++)
        if (taken[mfn] == 2)
            give(mfn, 0);
    assert_int_equal(nr_free_frames(), all);
}

/* A block larger than a piece, of pieces that became blocks one after the other. */
static void large_blocks(void **state)
{
    (void)state;
    add(1, NR_FRAMES);
    assert_true(take(0, 0) >= NR_FRAMES - CHUNK);
    assert_int_equal(take(18, 0), 2ul << 18);
    assert_int_equal(take(18, 0), 1ul << 18);
    assert_int_equal(take(18, 0), INVALID_MFN);
    assert_int_equal(take(17, 0), 6ul << 17);
}

/* More ranges than there is room for. */
static void many_ranges(void **state)
{
    (void)state;
    for (mfn_t mfn = 1; mfn < 4001; mfn += 2)
        add(mfn, mfn + 1);
    assert_int_equal(nr_free_frames(), 2000);
    for (unsigned i = 0; i < 2000; i++)
        assert_true(take(0, 0) != INVALID_MFN);
    assert_int_equal(take(0, 0), INVALID_MFN);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_chunk_is_enough), CASE(below_an_address), CASE(low_memory_last),
        CASE(all_is_given_once), CASE(large_blocks), CASE(many_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
