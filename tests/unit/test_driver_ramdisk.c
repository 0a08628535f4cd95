/* RAM disks of the driver domain: finding them in a module that may be an archive, and discards. */
#include "cmocka_main.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "guest-pv/driver/ramdisk.h"

const struct driver_host *driver_host;          /* nothing is copied here */

static unsigned one_of(unsigned n)
{
    return (unsigned)rand() % n;
}

/* --- Archives --------------------------------------------------------------------------------- */

static size_t put_file(char *archive, size_t at, const char *name, char fill, size_t bytes)
{
    at += (size_t)sprintf(archive + at,
                          "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x%s", 1, 0,
                          0, 0, 1, 0, bytes, 0, 0, 0, 0, strlen(name) + 1, 0, name) + 1;
    at = (at + 3) & ~3ul;
    memset(archive + at, fill, bytes);
    return (at + bytes + 3) & ~3ul;
}

static size_t make_archive(char *archive)
{
    size_t at = put_file(archive, 0, "directory", 0, 0);

    at = put_file(archive, at, "one", 'a', 1024);
    at = put_file(archive, at, "small", 'b', 511);
    at = put_file(archive, at, "two.img", 'c', 1600);
    return put_file(archive, at, "TRAILER!!!", 0, 0);
}

static void archives_hold_disks(void **state)
{
    static char archive[8192];
    size_t len = make_archive(archive);
    struct disk found[4];

    (void)state;
    assert_int_equal(ramdisk_find(found, 4, archive, len), 2);
    assert_string_equal(found[0].name, "ram0");
    assert_int_equal(found[0].nr_sectors, 2);
    assert_int_equal(*(char *)found[0].bytes, 'a');
    assert_string_equal(found[1].name, "ram1");
    assert_int_equal(found[1].nr_sectors, 3);
    assert_int_equal(*(char *)found[1].bytes, 'c');
    assert_int_equal(ramdisk_find(found, 1, archive, len), 1);
    assert_int_equal(ramdisk_find(found, 4, archive, 511), 0);
}

/* Whatever the archive says, a disk lies within the module. */
static void damaged_archives_are_survived(void **state)
{
    struct disk found[4];

    (void)state;
    srand(3);
    for (unsigned round = 0; round < 20000; round++) {
        char *archive = calloc(1, 8192);
        size_t len = make_archive(archive), cut = one_of(3) ? len : one_of((unsigned)len);
        unsigned n;

        for (unsigned i = one_of(6); i != 0; i--)
            archive[6 + one_of((unsigned)len - 6)] =
                one_of(2) ? "0123456789abcdefF"[one_of(17)] : (char)rand();
        archive = realloc(archive, cut != 0 ? cut : 1);
        n = ramdisk_find(found, 4, archive, cut);
        for (unsigned i = 0; i < n; i++) {
            char *at = found[i].bytes;

            assert_true(at >= archive && found[i].nr_sectors != 0 &&
                        found[i].nr_sectors * SECTOR_BYTES <= (size_t)(archive + cut - at));
        }
        free(archive);
    }
}

/* --- Discards --------------------------------------------------------------------------------- */

static unsigned nr_done;

static void on_done(struct disk_request *r, bool good)
{
    (void)r;
    assert_true(good);
    nr_done++;
}

static bool is_zero(const uint8_t *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != 0)
            return false;
    return true;
}

/* Large ones take several turns, so that other rings are served between; the sectors around keep
 * what they hold. */
static void discards_clear_sectors(void **state)
{
    enum { SECTORS = 10000, BYTES = SECTORS * SECTOR_BYTES };
    uint8_t *memory = malloc(BYTES);
    struct disk_request large = { .op = DISK_DISCARD, .sector = 7, .nr_sectors = 9000,
                                  .done = on_done };
    struct disk_request small = { .op = DISK_DISCARD, .sector = SECTORS - 1, .nr_sectors = 1,
                                  .done = on_done };
    unsigned turns = 0;
    struct disk d;

    (void)state;
    memset(memory, 0x5a, BYTES);
    assert_int_equal(ramdisk_find(&d, 1, memory, BYTES), 1);
    assert_true(d.can_discard);
    d.start(&d, &large);
    d.start(&d, &small);
    assert_int_equal(nr_done, 0);
    assert_false(d.wait(&d));           /* no event will come for them */
    do
        turns++;
    while (d.serve(&d));
    assert_true(d.wait(&d));
    assert_in_range(turns, 4, 10);
    assert_int_equal(nr_done, 2);
    assert_true(is_zero(memory + 7 * SECTOR_BYTES, 9000 * SECTOR_BYTES));
    assert_true(is_zero(memory + BYTES - SECTOR_BYTES, SECTOR_BYTES));
    for (unsigned i = 0; i < SECTORS; i++)
        if (i < 7 || (i >= 9007 && i < SECTORS - 1))
            assert_int_equal(memory[i * SECTOR_BYTES] & memory[i * SECTOR_BYTES + 511], 0x5a);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archives_hold_disks),
        cmocka_unit_test(damaged_archives_are_survived),
        cmocka_unit_test(discards_clear_sectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
