/* Suite "doomed" (only by name): a guest that uses its disk and its network device in every way,
 * and is ended by a timer in the middle of it: at a time that seed= on the command line chooses,
 * from its first request to the store up to a second later. What has to happen is that nothing
 * of it stays behind in the store, in the driver domain and in the hypervisor. */
#include <stdlib.h>
#include "clock.h"
#include "front.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"
#include "thread.h"

static uint64_t seed;
static struct blkfront disk;
static struct netfront net;

static uint64_t random_below(uint64_t n)
{
    seed = seed * 6364136223846793005ul + 1442695040888963407ul;
    return (seed >> 33) % n;
}

/* An interrupt: it may come between any two instructions of the test. */
static void on_time(void *arg)
{
    struct sched_shutdown how = { .reason = SHUTDOWN_crash };

    (void)arg;
    xen_sched_op(SCHEDOP_shutdown, &how);
}

/* --- What it does until then ------------------------------------------------------------------ */

static void use_disk(void)
{
    unsigned n = (unsigned)random_below(32) + 1;
    blkif_response_t answer;

    for (unsigned i = 0; i < n; i++) {
        uint8_t op = random_below(2) ? BLKIF_OP_READ : BLKIF_OP_WRITE;
        blkif_request_t q = blk_request(&disk, op, random_below(disk.nr_sectors / 8) * 8,
                                        (unsigned)random_below(11) + 1);

        blk_put(&disk, &q);
    }
    blk_push(&disk);
    while (n-- != 0 && random_below(64) != 0)
        blk_receive(&disk, &answer, FRONT_PATIENCE);
}

static void use_net(void)
{
    static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    net_give(&net, 0, (unsigned)random_below(4) * 16);
    for (unsigned i = 0; i < 20; i++) {
        net_frame(&net, everybody, net.mac, 60, (uint8_t)i);
        net_send(&net, 60 + (unsigned)random_below(1400));
    }
}

/* States in no order, and a reference that leads to no ring. */
static void confuse(const struct front *f)
{
    front_set_state(f, (XenbusState)random_below(8));
    if (random_below(4) == 0)
        front_set(f, "ring-ref", "%lu", random_below(600));
}

static void use_everything(void)
{
    bool has_disk = blk_init(&disk, 0), has_net = net_init(&net, 0);

    ASSERT(has_disk || has_net);
    for (;;) {
        if (has_disk && blk_connect(&disk))
            for (uint64_t n = random_below(10); n != 0; n--)
                use_disk();
        if (has_net && net_connect(&net))
            for (uint64_t n = random_below(4); n != 0; n--)
                use_net();
        if (has_disk && random_below(4) == 0)
            confuse(&disk.x);
        if (has_net && random_below(4) == 0)
            confuse(&net.x);
        ASSERT(!has_disk || blk_close(&disk));
        ASSERT(!has_net || net_close(&net));
    }
}

/* Half of the times are in the first 16 ms, in the handshake. */
static void ends_at_any_time(void)
{
    static struct timer timer;
    uint64_t us;
    char text[24];

    ASSERT(cmdline_get("seed", text, sizeof(text)));
    seed = strtoul(text, NULL, 10) * 0x9e3779b97f4a7c15;
    random_below(1);
    us = 256ul << random_below(12);
    us += random_below(us);
    test_diag("doomed: seed %s, after %lu us", text, us);
    timer_start(&timer, clock_ns() + us * 1000, on_time, NULL);
    use_everything();
}

SUITE(doomed, 99, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(ends_at_any_time));
