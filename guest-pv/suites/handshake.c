/* Suites "handshake1" to "handshake3" (only by name): the store and the driver domain die while a
 * disk's front end connects or closes; the boot test ends them at the line that asks for it. Like
 * Linux's, the front end looks at the back end's state only when its watch has fired, and writes
 * nothing twice. The store is started again twice, so each suite has two such lines; in the third
 * one the driver domain alone dies until it is not started again, and then the store. */
#include <stdio.h>
#include "clock.h"
#include "console.h"
#include "front.h"
#include "hypercall.h"
#include "suite.h"
#include "xenstore.h"

static struct blkfront disk;

static void ask_for_the_end(void)
{
    static unsigned n;

    kprintf("handshake: end them now, %u\n", ++n);
}

/* Until both are dead and have been started again, or at least are being started. */
static void pass_two_seconds(void)
{
    for (uint64_t end = clock_ns() + 2 * NS_PER_S; clock_ns() < end;)
        front_sleep(-1);
}

static void watch_back_end(void)
{
    char text[96];

    ASSERT(blk_init(&disk, 0));
    snprintf(text, sizeof(text), "%s/state|back|", disk.x.back);
    OK(xs_ask(XS_WATCH, 0, text));
}

/* The first look is for the event that came before. */
static bool wait_for(unsigned states)
{
    for (;;) {
        int state = front_back_state(&disk.x);

        if (state >= 0 && (states & 1u << state))
            return true;
        if (xs_events[0] == '\0' && !xs_wait_for(xs_has_event))
            return EXPECT_MSG(false, "no event, the back end is in state %d, not one of %#x",
                              state, states);
    }
}

static void reads_and_writes(void)
{
    blkif_request_t q = blk_request(&disk, BLKIF_OP_WRITE, 8, 1);

    for (unsigned i = 0; i < 4096; i++)
        disk.page[0][i] = (uint8_t)(i * 7);
    ASSERT_EQ(blk_do(&disk, &q), BLKIF_RSP_OKAY);
    disk.page[0][77] = 0;
    q = blk_request(&disk, BLKIF_OP_READ, 8, 1);
    ASSERT_EQ(blk_do(&disk, &q), BLKIF_RSP_OKAY);
    EXPECT_EQ(disk.page[0][77], (uint8_t)(77 * 7));
}

enum step { BEFORE_THE_RING, BEFORE_THE_STATE, WITH_THE_STATE, CONNECTED, NEVER };

static void connect(enum step end)
{
    front_set_state(&disk.x, XenbusStateInitialising);
    ASSERT(wait_for(STATE(InitWait)));
    if (end == BEFORE_THE_RING) {
        ask_for_the_end();
        pass_two_seconds();
        ASSERT(wait_for(STATE(InitWait)));
    }
    blk_offer_ring(&disk);
    if (end == BEFORE_THE_STATE) {
        ask_for_the_end();
        pass_two_seconds();
    }
    if (end == WITH_THE_STATE)
        ask_for_the_end();
    front_set_state(&disk.x, XenbusStateInitialised);
    if (end == WITH_THE_STATE)
        pass_two_seconds();
    ASSERT(wait_for(STATE(Connected)));
    EXPECT(front_back(&disk.x, "sectors")[0] != '\0');
    front_set_state(&disk.x, XenbusStateConnected);
    reads_and_writes();
}

static void close(enum step end)
{
    if (end == CONNECTED)
        ask_for_the_end();
    front_set_state(&disk.x, XenbusStateClosing);
    if (end == CONNECTED)
        pass_two_seconds();
    ASSERT(wait_for(STATE(Closing) | STATE(Closed)));
    ASSERT(blk_close(&disk));
}

static void ends_before_the_ring(void)
{
    watch_back_end();
    connect(BEFORE_THE_RING);
    close(NEVER);
}

static void ends_before_the_state(void)
{
    connect(BEFORE_THE_STATE);
    close(NEVER);
}

static void ends_with_the_state(void)
{
    watch_back_end();
    connect(WITH_THE_STATE);
}

static void ends_while_it_closes(void)
{
    close(CONNECTED);
    connect(NEVER);
    close(NEVER);
}

/* The front end has not looked at the state since the back end came. */
static void closes_without_driver_and_store(void)
{
    watch_back_end();
    front_set_state(&disk.x, XenbusStateInitialising);
    ASSERT(wait_for(STATE(InitWait)));
    for (unsigned i = 0; i < 4; i++) {
        ask_for_the_end();
        pass_two_seconds();
    }
    ASSERT(wait_for(STATE(Closed)));
    front_set_state(&disk.x, XenbusStateClosed);
}

SUITE(handshake1, 26, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(ends_before_the_ring),
      TEST(ends_before_the_state));
SUITE(handshake2, 27, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(ends_with_the_state),
      TEST(ends_while_it_closes));
SUITE(handshake3, 28, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(closes_without_driver_and_store));
