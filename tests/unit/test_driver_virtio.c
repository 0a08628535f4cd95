/* Virtio devices that lie about where their registers are: the capabilities, and the doorbell of a
 * queue. What they do in the queues is in test_driver_virtio_blk.c. */
#include "cmocka_main.h"
#include "driver_virtio_fixture.h"
#include "guest-pv/driver/disk.h"
#include "guest-pv/driver/virtio_parts.h"

#define BAR_AT 0xfebf0000ull
#define BAR_BYTES 0x4000u
#define FUNCTION 0x20u
#define QUEUE_NOTIFY_OFF 30u

const struct driver_host *driver_host;  /* not used here */

static uint32_t space[64];
static unsigned nr_reads;

static uint32_t config_read(uint16_t function, unsigned reg)
{
    assert_int_equal(function, FUNCTION);
    assert_true(reg < sizeof(space) && reg % 4 == 0);
    nr_reads++;
    return space[reg / 4];
}

static void capability(unsigned at, unsigned next, unsigned type, uint32_t offset, uint32_t bytes)
{
    space[at / 4] = type << 24 | 16 << 16 | next << 8 | 9;
    space[at / 4 + 1] = 4;
    space[at / 4 + 2] = offset;
    space[at / 4 + 3] = bytes;
}

/* As QEMU has them, with MSI-X's before. */
static void make_space(void)
{
    memset(space, 0, sizeof(space));
    space[0x34 / 4] = 0x98;
    space[0x98 / 4] = 0x84 << 8 | 0x11;
    capability(0x84, 0x70, 5, 0, 4);
    capability(0x70, 0x60, VIRTIO_NOTIFY, 0x3000, 0x1000);
    space[0x80 / 4] = 4;
    capability(0x60, 0x50, VIRTIO_CONFIG, 0x2000, 0x1000);
    capability(0x50, 0x40, VIRTIO_ISR, 0x1000, 0x1000);
    capability(0x40, 0, VIRTIO_COMMON, 0, 0x1000);
}

static struct virtio_parts parts;

static const char *find(void)
{
    static const struct bar bar[PCI_BARS] = { [1] = { BAR_AT + BAR_BYTES, 0x1000 },
                                              [4] = { BAR_AT, BAR_BYTES } };

    nr_reads = 0;
    return virtio_find_parts(config_read, FUNCTION, bar, &parts);
}

static void parts_are_found(void **state)
{
    (void)state;
    make_space();
    assert_null(find());
    assert_int_equal(parts.part[VIRTIO_COMMON].address, BAR_AT);
    assert_int_equal(parts.part[VIRTIO_ISR].address, BAR_AT + 0x1000);
    assert_int_equal(parts.part[VIRTIO_CONFIG].address, BAR_AT + 0x2000);
    assert_int_equal(parts.part[VIRTIO_NOTIFY].address, BAR_AT + 0x3000);
    assert_int_equal(parts.part[VIRTIO_NOTIFY].bytes, 0x1000);
    assert_int_equal(parts.notify_multiplier, 4);
}

static void first_of_each_type_counts(void **state)
{
    (void)state;
    make_space();
    capability(0x40, 0xb0, VIRTIO_COMMON, 0, 0x1000);
    capability(0xb0, 0, VIRTIO_COMMON, 0x1000, 0x1000);
    assert_null(find());
    assert_int_equal(parts.part[VIRTIO_COMMON].address, BAR_AT);
    space[0x44 / 4] = 6;                /* reserved: it does not count, the next one does */
    assert_null(find());
    assert_int_equal(parts.part[VIRTIO_COMMON].address, BAR_AT + 0x1000);
    space[0xb4 / 4] = 0xff;
    assert_string_equal(find(), "it is no modern virtio device");
}

/* Capability 0x40 is the common configuration, 0x60 the device's own, 0x70 the doorbells. */
static void parts_beyond_their_bar_are_refused(void **state)
{
    static const struct {
        unsigned at;
        uint32_t bar, offset, bytes;
        bool good;
    } cases[] = {
        { 0x40, 4, 0x3fc8, 56, true },      { 0x40, 4, 0x3fcc, 56, false },
        { 0x40, 4, 0, 55, false },          { 0x40, 4, 0, 0, false },
        { 0x40, 4, 2, 56, false },          { 0x40, 4, 0, 0x4000, true },
        { 0x40, 4, 0, 0x4001, false },      { 0x40, 4, 4, 0x4000, false },
        { 0x40, 4, 0x4000, 56, false },     { 0x40, 4, 0xfffffffc, 56, false },
        { 0x40, 4, 0xfffff000, 0x1000, false }, { 0x40, 4, 0, 0xffffffff, false },
        { 0x40, 0, 0, 56, false },          { 0x40, 5, 0, 56, false },
        { 0x40, 1, 0x1000, 56, false },     { 0x40, 1, 0xf00, 56, true },
        { 0x60, 4, 0x3fc0, 8, true },       { 0x60, 4, 0x3fc4, 8, false },
        { 0x60, 4, 0, 7, false },           { 0x70, 4, 0x3ffe, 2, true },
        { 0x70, 4, 0x3ffe, 3, false },      { 0x70, 4, 0x3ffc, 1, false },
        { 0x50, 4, 0x3fff, 1, true },       { 0x50, 4, 0x4000, 1, false },
        { 0x50, 4, 0x3fff, 0, false },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        make_space();
        space[cases[i].at / 4 + 1] = cases[i].bar;
        space[cases[i].at / 4 + 2] = cases[i].offset;
        space[cases[i].at / 4 + 3] = cases[i].bytes;
        if ((find() == NULL) != cases[i].good)
            fail_msg("case %u", i);
    }
}

static void lists_in_a_circle_end(void **state)
{
    (void)state;
    make_space();
    capability(0x40, 0x40, VIRTIO_COMMON, 0, 0x1000);
    assert_string_equal(find(), "its list of capabilities does not end");
    assert_true(nr_reads < 100);
    make_space();
    capability(0x40, 0x98, VIRTIO_COMMON, 0, 0x1000);
    assert_string_equal(find(), "its list of capabilities does not end");
    make_space();
    capability(0x40, 0x10, VIRTIO_COMMON, 0, 0x1000);   /* in the header: the list's end */
    assert_null(find());
    make_space();
    space[0x34 / 4] = 0;
    assert_string_equal(find(), "it is no modern virtio device");
}

/* One that begins in the last bytes of configuration space. */
static void capabilities_lie_in_the_space(void **state)
{
    (void)state;
    make_space();
    capability(0x50, 0xf0, VIRTIO_ISR, 0x1000, 0x1000);
    capability(0xf0, 0, VIRTIO_COMMON, 0, 0x1000);
    assert_null(find());
    space[0x50 / 4] = VIRTIO_ISR << 24 | 16 << 16 | 0xf4 << 8 | 9;
    space[0xf4 / 4] = VIRTIO_COMMON << 24 | 16 << 16 | 9;
    assert_string_equal(find(), "a capability ends beyond its configuration space");
    make_space();
    space[0x84 / 4] = 5u << 24 | 16 << 16 | 0xf0 << 8 | 9;
    capability(0xf0, 0x60, VIRTIO_NOTIFY, 0x3000, 0x1000);      /* without its multiplier */
    assert_string_equal(find(), "a capability ends beyond its configuration space");
}

static void doorbell_lies_in_its_part(void **state)
{
    static const struct {
        uint16_t off;
        uint32_t multiplier;
        bool good;
    } cases[] = {
        { 0, 0, true }, { 15, 4, true }, { 16, 4, false }, { 31, 2, true }, { 32, 2, false },
        { 0xffff, 0xffffffff, false }, { 0x8000, 0x20000, false }, { 0xffff, 0, true },
    };
    uint64_t at[6];

    (void)state;
    queue_addresses(at);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct virtio v = make_device(0, 64);
        struct vq q;

        v.notify_multiplier = cases[i].multiplier;
        memcpy(common + QUEUE_NOTIFY_OFF, &cases[i].off, 2);
        if (vq_init(&v, &q, 0, queue_page, at, 0) != cases[i].good)
            fail_msg("case %u", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_found),
        cmocka_unit_test(first_of_each_type_counts),
        cmocka_unit_test(parts_beyond_their_bar_are_refused),
        cmocka_unit_test(lists_in_a_circle_end),
        cmocka_unit_test(capabilities_lie_in_the_space),
        cmocka_unit_test(doorbell_lies_in_its_part),
    };

    return cmocka_run_group_tests_name("driver_virtio", tests, NULL, NULL);
}
