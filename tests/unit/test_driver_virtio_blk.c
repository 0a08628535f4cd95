/* Virtio disks of the driver domain against a device that is memory: what a request becomes in its
 * queue, and the limits that the device names. */
#include "cmocka_main.h"
#include "driver_virtio_fixture.h"
#include "guest-pv/driver/virtio_blk.h"

#define FEATURES (1u << 13)             /* discard */
#define MAX_DISCARD 36u                 /* in the device's configuration */
#define ALIGNMENT 44u
#define STATUS 20u                      /* in the common configuration */
#define NEEDS_RESET 64u
#define QUEUE 64u
#define TYPE_DISCARD 11u
#define MACHINE 0x100000000ull          /* machine addresses of granted pages begin here */

static void *memory[4];
static unsigned nr_memory, nr_mapped;

static void *alloc(size_t bytes)
{
    void *p = aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);

    memory[nr_memory++] = memset(p, 0, bytes);
    return p;
}

static uint64_t address(const void *where)
{
    return (uintptr_t)where;
}

static bool map(domid_t domid, struct grant *g, unsigned n, bool readonly)
{
    (void)domid;
    (void)readonly;
    for (unsigned i = 0; i < n; i++)
        g[i].address = MACHINE + g[i].ref * PAGE;
    nr_mapped += n;
    return true;
}

static void unmap(const struct grant *g, unsigned n)
{
    (void)g;
    nr_mapped -= n;
}

static const struct driver_host host = {
    .address = address, .map = map, .unmap = unmap, .alloc = alloc,
};
const struct driver_host *driver_host = &host;

static struct fake_queue queue;
static struct disk disk;
static unsigned nr_good, nr_bad;

static void on_done(struct disk_request *r, bool good)
{
    (void)r;
    *(good ? &nr_good : &nr_bad) += 1;
}

static void begin_disk(uint32_t max_discard, uint32_t alignment)
{
    struct virtio device = make_device(FEATURES, QUEUE);
    uint64_t at[6];

    queue = (struct fake_queue){ .size = QUEUE };
    nr_good = nr_bad = 0;
    queue_addresses(at);
    set32(config, 1u << 20);            /* sectors */
    set32(config + MAX_DISCARD, max_discard);
    set32(config + ALIGNMENT, alignment);
    assert_null(virtio_blk_init(&disk, 0, &device, queue_page, at, 0));
}

static int end_disk(void **state)
{
    (void)state;
    while (nr_memory != 0)
        free(memory[--nr_memory]);
    return 0;
}

static void serve(void)
{
    assert_false(disk.serve(&disk));
    disk.wait(&disk);
}

static void *part(const struct fake_chain *c, unsigned i)
{
    return (void *)(uintptr_t)c->part[i].address;
}

/* Ends the request with this status. */
static void finish(const struct fake_chain *c, uint8_t status)
{
    *(uint8_t *)part(c, c->n - 1) = status;
    fake_use(&queue, c, 1);
    serve();
}

/* What the device gets, piece by piece, is what was asked for. */
static void discards_are_split(void **state)
{
    struct disk_request r = { .op = DISK_DISCARD, .sector = 100, .nr_sectors = 10000,
                              .done = on_done };
    uint64_t next = 100;
    struct fake_chain c;
    unsigned pieces = 0;

    (void)state;
    begin_disk(4096, 8);
    assert_true(disk.can_discard);
    assert_int_equal(disk.discard_granularity, 8 * SECTOR_BYTES);
    disk.start(&disk, &r);
    serve();
    while (fake_take(&queue, &c)) {
        const uint32_t *head, *range;

        assert_int_equal(c.n, 3);
        assert_int_equal(c.part[0].bytes, 16);
        assert_int_equal(c.part[1].bytes, 16);
        assert_int_equal(c.part[1].flags & 2, 0);
        head = part(&c, 0);
        range = part(&c, 1);
        assert_int_equal(head[0], TYPE_DISCARD);
        assert_int_equal(range[0], next);
        assert_in_range(range[2], 1, 4096);
        assert_int_equal(range[3], 0);
        next += range[2];
        pieces++;
        assert_int_equal(nr_good, 0);
        finish(&c, 0);
    }
    assert_int_equal(pieces, 3);
    assert_int_equal(next, 10100);
    assert_int_equal(nr_good, 1);
    assert_int_equal(nr_bad, 0);
}

static void an_error_ends_a_discard(void **state)
{
    struct disk_request r = { .op = DISK_DISCARD, .nr_sectors = 10000, .done = on_done };
    struct fake_chain c;

    (void)state;
    begin_disk(4096, 8);
    disk.start(&disk, &r);
    serve();
    assert_true(fake_take(&queue, &c));
    finish(&c, 1);
    assert_false(fake_take(&queue, &c));
    assert_int_equal(nr_bad, 1);
    assert_int_equal(nr_good, 0);
}

static void senseless_limits_are_not_used(void **state)
{
    static const uint32_t alignments[] = { 0, 3, 65536, ~0u };

    (void)state;
    begin_disk(0, 1);
    assert_false(disk.can_discard);
    begin_disk(100, 1);
    assert_false(disk.can_discard);
    end_disk(NULL);
    for (unsigned i = 0; i < 4; i++) {
        begin_disk(~0u, alignments[i]);
        assert_true(disk.can_discard);
        assert_int_equal(disk.discard_granularity, SECTOR_BYTES);
        end_disk(NULL);
    }
}

/* More requests than the queue has room for wait, and all are done in the end; pages are mapped as
 * long as the device has them. */
static void requests_wait_for_room(void **state)
{
    static struct disk_request r[40];
    struct fake_chain c;
    unsigned n = 0;

    (void)state;
    begin_disk(4096, 1);
    for (unsigned i = 0; i < 40; i++) {
        r[i] = (struct disk_request){ .op = i % 3 == 2 ? DISK_DISCARD : DISK_READ, .sector = i,
                                      .nr_sectors = 1, .done = on_done };
        r[i].nr_parts = i % 3 == 2 ? 0 : 3;
        for (unsigned j = 0; j < r[i].nr_parts; j++)
            r[i].part[j] = (struct disk_part){ .ref = j, .offset = 512, .bytes = 512 };
        disk.start(&disk, &r[i]);
    }
    serve();
    assert_in_range(nr_mapped, 1, 64);
    for (; fake_take(&queue, &c); n++) {
        assert_int_equal(c.n, n % 3 == 2 ? 3 : 5);
        if (n % 3 != 2)
            assert_int_equal(c.part[2].address, MACHINE + PAGE + 512);
        finish(&c, n == 7);
    }
    assert_int_equal(n, 40);
    assert_int_equal(nr_good, 39);
    assert_int_equal(nr_bad, 1);
    assert_int_equal(nr_mapped, 0);
}

/* --- A device that fails ---------------------------------------------------------------------- */

static struct disk_request asked[4];

/* Requests of three parts, which the device has. */
static void ask(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        asked[i] = (struct disk_request){ .op = DISK_READ, .nr_parts = 3, .done = on_done };
        for (unsigned j = 0; j < 3; j++)
            asked[i].part[j] = (struct disk_part){ .ref = j, .bytes = 512 };
        disk.start(&disk, &asked[i]);
    }
    serve();
}

static void device_asks_for_a_reset(void)
{
    common[STATUS] |= NEEDS_RESET;
}

/* It names a chain that it has not got. */
static void device_makes_no_sense(void)
{
    const struct fake_chain none = { .head = QUEUE - 1 };

    fake_use(&queue, &none, 1);
    serve();
}

static void device_is_silent(void)
{
}

/* What it had is answered with an error, when it has confirmed the reset and not before; then it
 * is used as before. */
static void begins_anew_after(void (*failure)(void), bool give_up)
{
    struct disk_request late = { .op = DISK_READ, .nr_parts = 1, .done = on_done };
    struct fake_chain c;

    begin_disk(4096, 1);
    ask(4);
    assert_true(fake_take(&queue, &c));
    finish(&c, 0);                      /* one of them is done before */
    assert_null(virtio_blk_check(&disk, 100, false));
    assert_int_equal(nr_bad, 0);
    failure();
    assert_null(virtio_blk_check(&disk, 101, give_up));
    assert_int_equal(common[STATUS], 0);
    common[STATUS] = 1;                 /* it is not ready yet */
    late.part[0] = (struct disk_part){ .ref = 7, .bytes = 512 };
    disk.start(&disk, &late);
    serve();
    assert_null(virtio_blk_check(&disk, 102, false));
    assert_int_equal(nr_bad, 0);
    assert_int_equal(nr_mapped, 9);
    common[STATUS] = 0;
    assert_non_null(strstr(virtio_blk_check(&disk, 103, false), "was reset"));
    assert_int_equal(nr_bad, 3);
    assert_int_equal(nr_mapped, 0);
    assert_false(disk.dead);
    assert_int_equal(common[STATUS], 15);
    queue = (struct fake_queue){ .size = QUEUE };
    serve();
    assert_true(fake_take(&queue, &c));
    assert_int_equal(c.part[1].address, MACHINE + 7 * PAGE);
    finish(&c, 0);
    assert_int_equal(nr_good, 2);
    assert_false(fake_take(&queue, &c));
}

static void a_failed_device_begins_anew(void **state)
{
    begins_anew_after(device_asks_for_a_reset, false);
    end_disk(state);
    begins_anew_after(device_makes_no_sense, false);
    end_disk(state);
    begins_anew_after(device_is_silent, true);
}

/* It may still write: the pages that it has stay mapped, and only others' requests are answered. */
static void a_device_that_does_not_stop_is_dead(void **state)
{
    struct disk_request late = { .op = DISK_FLUSH, .done = on_done };

    (void)state;
    begin_disk(4096, 1);
    ask(4);
    assert_null(virtio_blk_check(&disk, 100, true));
    disk.start(&disk, &late);
    for (unsigned seconds = 100; seconds < 110; seconds++) {
        common[STATUS] = 0xff;
        assert_null(virtio_blk_check(&disk, seconds, true));
        assert_false(disk.dead);
    }
    assert_non_null(strstr(virtio_blk_check(&disk, 110, false), "cannot be reset"));
    assert_true(disk.dead);
    serve();
    assert_int_equal(nr_bad, 1);
    assert_int_equal(nr_mapped, 12);
    disk.start(&disk, &late);
    assert_int_equal(nr_bad, 2);
    assert_null(virtio_blk_check(&disk, 111, true));
    assert_int_equal(nr_mapped, 12);
    nr_mapped = 0;
}

/* Or one that does not agree on its features any more. */
static void a_device_that_fails_again_and_again_is_dead(void **state)
{
    (void)state;
    begin_disk(4096, 1);
    for (unsigned i = 1; i <= 4; i++) {
        const char *line;

        assert_false(disk.dead);
        ask(2);
        device_asks_for_a_reset();
        assert_null(virtio_blk_check(&disk, i, false));
        line = virtio_blk_check(&disk, i + 1, false);
        assert_non_null(strstr(line, i < 4 ? "was reset" : "used no more"));
        assert_int_equal(nr_bad, 2 * i);
    }
    assert_true(disk.dead);
    assert_int_equal(nr_mapped, 0);
    end_disk(NULL);
    begin_disk(4096, 1);
    ask(2);
    device_asks_for_a_reset();
    assert_null(virtio_blk_check(&disk, 1, false));
    set32(common + DEVICE_FEATURE, VERSION_1);
    assert_non_null(strstr(virtio_blk_check(&disk, 2, false), "used no more"));
    assert_true(disk.dead);
    assert_int_equal(nr_bad, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(discards_are_split, end_disk),
        cmocka_unit_test_teardown(an_error_ends_a_discard, end_disk),
        cmocka_unit_test_teardown(senseless_limits_are_not_used, end_disk),
        cmocka_unit_test_teardown(requests_wait_for_room, end_disk),
        cmocka_unit_test_teardown(a_failed_device_begins_anew, end_disk),
        cmocka_unit_test_teardown(a_device_that_does_not_stop_is_dead, end_disk),
        cmocka_unit_test_teardown(a_device_that_fails_again_and_again_is_dead, end_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
