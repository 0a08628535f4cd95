/* The vmm's ports as a whole: which are there, how wide accesses are, the timer's interrupt, and
 * random accesses at random times, after which the devices' invariants must hold. */
#include "cmocka_main.h"
#include <string.h>
#include "vmm_host.h"

static struct platform platform;

static int fresh(void **state)
{
    (void)state;
    vmm_tsc = 0;
    vmm_console[0] = '\0';
    vmm_input = "";
    platform_init(&platform, &vmm_host);
    return 0;
}
#define in(port, bytes) port_read(&platform, port, bytes)
#define out(port, bytes, value) port_write(&platform, port, bytes, value)

static void absent_ports(void **state)
{
    static const uint16_t absent[] = { 0x22, 0x65, 0x80, 0x87, 0x2e, 0x4e, 0x2f9, 0x3e9,
                                       0x400, 0xcf8, 0xcfc, 0xffff };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++) {
        out(absent[i], 1, 0xfe);
        assert_int_equal(in(absent[i], 1), 0xff);
        assert_int_equal(in(absent[i], 2), 0xffff);
    }
    out(0xcf8, 4, 0x80000000);
    assert_int_equal(in(0xcf8, 4), 0xffffffff);
    assert_int_equal(in(0xcfc, 4), 0xffffffff);
    assert_false(platform.reset);
    assert_int_equal(platform.reads, 26);
    assert_int_equal(platform.writes, 13);
}

static void wide_accesses(void **state)
{
    (void)state;
    out(0x3fe, 2, 0xa5f0);              /* MSR, which is read only, and the scratch register */
    assert_int_equal(in(0x3fe, 2), 0xa5b0);
    assert_int_equal(in(0x3fc, 4), 0xa5b06000);
    out(0x3ff, 4, 0x33);
    assert_int_equal(in(0x3ff, 4), 0xffffff33);
    out(0x21, 1, 0x12);
    out(0xffff, 2, 0xabcd);             /* behind the last port comes port 0 */
    assert_int_equal(in(0x21, 1), 0x12);
}

static void no_keyboard_controller(void **state)
{
    (void)state;
    assert_int_equal(in(0x64, 1), 0xfd);
    assert_int_equal(in(0x60, 1), 0xff);
    out(0x60, 1, 0xfe);
    out(0x64, 1, 0xd1);
    assert_false(platform.reset);
    out(0x64, 1, 0xfe);
    assert_true(platform.reset);
}

static void the_clock(void **state)
{
    (void)state;
    vmm_wall = 1700000000;              /* 2023-11-14 22:13:20 */
    out(0x70, 1, 4);
    assert_int_equal(in(0x71, 1), 0x22);
    out(0x70, 2, 0x0007);               /* index and data at once */
    assert_int_equal(in(0x71, 1), 0x14);
}

/* 1000 Hz, nothing masked. */
static void start_timer(unsigned count)
{
    static const uint8_t icws[] = { 0x30, 4, 1, 0xfe };

    out(0x20, 1, 0x11);
    for (unsigned i = 0; i < sizeof(icws); i++)
        out(0x21, 1, icws[i]);
    out(0x43, 1, 0x34);
    out(0x40, 1, (uint8_t)count);
    out(0x40, 1, (uint8_t)(count >> 8));
}

static void ticks(void **state)
{
    (void)state;
    start_timer(1193);
    assert_false(platform_interrupt(&platform));
    for (unsigned i = 0; i < 100; i++) {
        uint64_t due = platform_deadline(&platform);

        assert_in_range(due - vmm_tsc, 900000, 1100000);
        vmm_tsc = due - 1;
        platform_poll(&platform);
        assert_false(platform_interrupt(&platform));
        vmm_tsc = due;
        platform_poll(&platform);
        assert_true(platform_interrupt(&platform));
        assert_int_equal(platform_acknowledge(&platform), 0x30);
        assert_false(platform_interrupt(&platform));
        out(0x20, 1, 0x60);
    }
    assert_in_range(vmm_tsc, 99900000, 100100000);
    vmm_tsc += 50000000;                /* of fifty missed ticks one is left */
    platform_poll(&platform);
    platform_acknowledge(&platform);
    platform_poll(&platform);
    out(0x20, 1, 0x60);
    assert_false(platform_interrupt(&platform));
}

/* A new count does not lose the edge that was due, and a request is seen in the register without
 * platform_poll. */
static void edges_before_writes(void **state)
{
    (void)state;
    start_timer(1193);
    vmm_tsc = platform_deadline(&platform);
    out(0x43, 1, 0x38);
    assert_true(platform_interrupt(&platform));
    platform_acknowledge(&platform);
    out(0x20, 1, 0x60);
    start_timer(1193);
    vmm_tsc = platform_deadline(&platform);
    out(0x20, 1, 0x0a);
    assert_int_equal(in(0x20, 1), 1);
}

static uint64_t random_word(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static bool is_waiting(const struct pic_chip *c)
{
    return c->irr & ~c->imr;
}

/* What each sequence of accesses leaves: the numbers that index something in their ranges, an
 * output of the controller only with a request, and a deadline that is not over. */
static void audit(void)
{
    const struct pic *pic = &platform.pic;
    const struct uart *u = &platform.uart;

    for (unsigned i = 0; i < 2; i++) {
        assert_in_range(pic->chip[i].lowest, 0, 7);
        assert_int_equal(pic->chip[i].base & 7, 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_in_range(platform.pit.channel[i].count, 1, 0x10000);
        assert_in_range(platform.pit.channel[i].mode, 0, 5);
        assert_in_range(platform.pit.channel[i].access, 1, 3);
    }
    assert_in_range(u->waiting, 0, UART_FIFO);
    assert_in_range(u->first, 0, UART_FIFO - 1);
    assert_in_range(u->len, 0, UART_BUFFER - 1);
    if (platform_interrupt(&platform))
        assert_true(is_waiting(&pic->chip[0]));
}

static void access_at_random(uint64_t *seed)
{
    static const uint16_t ports[] = { 0x20, 0x40, 0x60, 0x70, 0xa0, 0x3f8 };
    uint64_t r = random_word(seed);
    uint16_t port = (uint16_t)(ports[r % ARRAY_SIZE(ports)] + (r >> 8 & 7));
    unsigned bytes = 1u << (r >> 16) % 3;

    if (r >> 20 & 1)
        out(port, bytes, (uint32_t)(r >> 32));
    else
        in(port, bytes);
    if ((r >> 21 & 7) == 0)
        vmm_tsc += r >> 40 >> (r >> 24 & 15);
    if ((r >> 28 & 15) == 0)
        vmm_input = "some more input than the FIFO holds at once";
}

static void random_accesses(void **state)
{
    uint64_t seed = 88172645463325252ull, acknowledged = 0, rises = 0;

    (void)state;
    for (unsigned i = 0; i < 1000000; i++) {
        access_at_random(&seed);
        audit();
        if (i % 8 == 0) {
            platform_poll(&platform);
            assert_true(platform_deadline(&platform) > vmm_tsc);
            rises += platform.pit.channel[0].edges > 0;
        }
        if (platform_interrupt(&platform)) {
            platform_acknowledge(&platform);
            acknowledged++;
        }
        vmm_console[0] = '\0';
    }
    assert_true(acknowledged > 1000);   /* the test reaches what it is for */
    assert_true(rises > 1000);
}

#define test(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(absent_ports), test(wide_accesses), test(no_keyboard_controller), test(the_clock),
        test(ticks), test(edges_before_writes), test(random_accesses),
    };

    return cmocka_run_group_tests_name("vmm_platform", tests, NULL, NULL);
}
