/* Suite "console": console_io, the console ring, and newlib's stdio on top of them. What the tests
 * print appears among the KTAP lines as lines that begin with "# ". The driver of the ring is
 * console.c of the kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "console.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"

static void stdio_formats(void)
{
    char buf[96];

    EXPECT_EQ(snprintf(buf, sizeof(buf), "%5d|%-5x|%05.1f|%s|%lld", -42, 0xbeef, 3.14159, "text",
                       1ll << 40),
              36);
    EXPECT(!strcmp(buf, "  -42|beef |003.1|text|1099511627776"));
    EXPECT_EQ(strtoul("ffff800000000000", NULL, 16), 0xffff800000000000ul);
    EXPECT(strtod("-2.5e3", NULL) == -2500.0);
}

static void stdio_writes_lines(void)
{
    EXPECT_EQ(printf("# stdout %s\n", "line"), 14);
    EXPECT_EQ(fflush(stdout), 0);
    EXPECT(fputs("# stderr line\n", stderr) >= 0);
}

/* A write larger than the ring: every byte arrives, because the writer waits for room. */
static void long_write(void)
{
    static char text[2560];

    for (unsigned i = 0; i < sizeof(text); i++)
        text[i] = i % 128 == 0 ? '#' : i % 128 == 127 ? '\n' : 'a' + i / 128;
    console_write(text, sizeof(text));
    console_flush();
    if (console_ring())
        EXPECT_EQ(console_ring()->out_cons, console_ring()->out_prod);
}

static void heap_works(void)
{
    char *p = malloc(300000), *q = calloc(1000, 8);

    ASSERT(p && q);
    memset(p, 0xa5, 300000);
    for (unsigned i = 0; i < 8000; i++)
        ASSERT_EQ(q[i], 0);
    p = realloc(p, 600000);
    ASSERT(p);
    EXPECT_EQ((unsigned char)p[299999], 0xa5);
    free(p);
    free(q);
}

static void console_io_checks_its_pointer(void)
{
    long rc = xen_console_io(CONSOLEIO_write, 3, "#.\n");

    if (rc == -XEN_EPERM || rc == -XEN_ENOSYS)
        SKIP("console_io is not for this domain: %ld", rc);
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(xen_console_io(CONSOLEIO_write, 0, NULL), 0);
    EXPECT_EQ(xen_console_io(CONSOLEIO_write, 4, (void *)0x10), -XEN_EFAULT);
    EXPECT_EQ(xen_console_io(CONSOLEIO_write, 4, (void *)HOLE_END), -XEN_EFAULT);
    EXPECT_EQ(xen_console_io(99, 0, NULL), -XEN_ENOSYS);
}

/* The other side publishes its index without a second event. */
static void ring_is_drained_on_send(void)
{
    volatile struct xencons_interface *ring = console_ring();

    if (!ring)
        SKIP("no ring in domain 0");
    console_flush();
    kprintf("# one line through the ring\n");
    for (uint64_t end = clock_ns() + NS_PER_S;
         ring->out_cons != ring->out_prod && clock_ns() < end;)
        xen_sched_op(SCHEDOP_yield, NULL);
    EXPECT_EQ(ring->out_cons, ring->out_prod);
}

/* Indices that say that more bytes wait than the ring holds are invalid. The hypervisor must not
 * read beyond the ring, and must read it again when the indices are valid. */
static void ring_survives_wild_index(void)
{
    volatile struct xencons_interface *ring = console_ring();
    uint32_t prod;
    bool masked;

    if (!ring)
        SKIP("no ring in domain 0");
    console_flush();
    masked = events_save_off();
    prod = ring->out_prod;
    ring->out_prod = prod + 100000;
    event_send(console_port());
    xen_sched_op(SCHEDOP_yield, NULL);
    ring->out_prod = ring->out_cons = prod;
    events_restore(masked);
    kprintf("# the ring again\n");
    console_flush();
    EXPECT_EQ(ring->out_cons, ring->out_prod);
}

static void reading_does_not_block(void)
{
    char buf[16];

    EXPECT((unsigned)console_read(buf, sizeof(buf)) <= sizeof(buf));
}

SUITE(console, 11, SUITE_ON_BARE, TEST_ON_BARE(stdio_formats), TEST_ON_BARE(stdio_writes_lines),
      TEST_ON_BARE(long_write), TEST_ON_BARE(heap_works), TEST(console_io_checks_its_pointer),
      TEST(ring_is_drained_on_send), TEST(ring_survives_wild_index),
      TEST_ON_BARE(reading_does_not_block));
