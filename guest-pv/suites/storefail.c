/* Suites about a store that is overloaded, attacked or killed, all by name only. "storeabuse" and
 * "storelie" break the protocol, and their connection is closed; "storemany" counts the cost of
 * many nodes. "storelost" and "storecut" print a line on which the boot test kills the store by a
 * key; "storebroken" needs a store that dies at each start. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "console.h"
#include "event.h"
#include "hypercall.h"
#include "start.h"
#include "suite.h"
#include "xenstore.h"

static bool has_error(void)
{
    return xs_ring->error != XENSTORE_ERROR_NONE;
}

/* An account is limited; when it is full, the guest can still remove nodes. */
static void fills_its_account(void)
{
    char text[32];
    const char *err = "";
    unsigned n;

    for (n = 0; n < 5000 && !*err; n++) {
        snprintf(text, sizeof(text), "data/n%u|value", n);
        err = xs_ask(XS_WRITE, 0, text);
    }
    EXPECT_REPLY(err, "ENOSPC");
    EXPECT(n > 100);
    EXPECT_REPLY(xs_ask(XS_DIRECTORY, 0, "data|"), n > 600 ? "E2BIG" : "");
    OK(xs_ask(XS_RM, 0, "data|"));
}

static void breaks_the_stream(void)
{
    struct xsd_sockmsg h = { .type = XS_READ, .len = XENSTORE_PAYLOAD_MAX + 1 };

    xs_begin();
    EXPECT_EQ(xs_ring->error, XENSTORE_ERROR_NONE);
    xs_put(&h, sizeof(h));
    EXPECT(xs_wait_for(has_error));
    EXPECT_EQ(xs_ring->error, XENSTORE_ERROR_PROTO);
}

/* The cost of removals in a transaction must not grow with the square of their number, or others
 * wait for the store. Under -icount a nanosecond is an instruction: it takes less than a tenth of
 * what a search through all changes at each removal took. */
static void removes_much_at_once(void)
{
    char text[32];
    uint64_t start;
    uint32_t t;

    for (unsigned n = 0; n < 900; n++) {
        snprintf(text, sizeof(text), "data/n%u|value", n);
        OK(xs_ask(XS_WRITE, 0, text));
    }
    t = xs_start_transaction();
    start = clock_ns();
    OK(xs_ask(XS_RM, t, "data|"));
    ASSERT_MSG(clock_ns() - start < 60000000, "it took %lu ns", clock_ns() - start);
    OK(xs_ask(XS_TRANSACTION_END, t, "T|"));
    EXPECT_REPLY(xs_ask(XS_READ, 0, "data/n1|"), "ENOENT");
}

SUITE(storemany, 15, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(removes_much_at_once));

SUITE(storeabuse, 13, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(fills_its_account),
      TEST(breaks_the_stream));

static void lies_about_its_ring(void)
{
    xs_begin();
    xs_ring->req_prod = xs_ring->req_cons + XENSTORE_RING_SIZE + 1;
    event_send(start_info->store_evtchn);
    EXPECT(xs_wait_for(has_error));
    EXPECT_EQ(xs_ring->error, XENSTORE_ERROR_RINGIDX);
}

/* --- And when it dies ------------------------------------------------------------------------- */

static uint32_t open_transaction;

/* The boot test sees the line and kills the store; requests before and after that are all
 * answered. */
static void request_end(void)
{
    static unsigned n;

    kprintf("storelost: end it now, %u\n", ++n);
}

/* Time for the key to be typed and the store to be built. */
static void pass_a_second(void)
{
    for (uint64_t end = clock_ns() + NS_PER_S; clock_ns() < end;)
        xen_sched_op(SCHEDOP_yield, NULL);
}

/* First requests that the store has not read, then one of which only a part is in the ring. */
static void waits_across_the_end(void)
{
    struct xsd_sockmsg h = { .type = XS_READ, .len = 5 };
    uint32_t first;

    OK(xs_ask(XS_WRITE, 0, "data/mine|1"));
    OK(xs_ask(XS_WATCH, 0, "data|kept|"));
    EXPECT(xs_wait_for(xs_has_event));
    open_transaction = xs_start_transaction();
    OK(xs_ask(XS_WRITE, open_transaction, "data/t|1"));
    h.req_id = ++xs_last_id;
    xs_put(&h, sizeof(h));
    xs_put("na", 2);
    request_end();
    pass_a_second();
    xs_put("me\0", 3);
    OK(xs_receive(XS_READ, 0, h.req_id));
    first = xs_last_id + 1;
    for (unsigned i = 0; i < 10; i++)
        xs_send(XS_READ, 0, "name", 5);
    for (unsigned i = 0; i < 10; i++)
        OK(xs_receive(XS_READ, 0, first + i));
}

/* Its watch fires once, because of what it may have missed, and then as before. */
static void keeps_its_watch(void)
{
    EXPECT(xs_wait_for(xs_has_event));
    EXPECT_REPLY(xs_events, "data|kept ");
    OK(xs_ask(XS_WRITE, 0, "data/other|1"));
    EXPECT(xs_wait_for(xs_has_event));
    EXPECT_REPLY(xs_events, "data/other|kept ");
    EXPECT_REPLY(xs_ask(XS_WATCH, 0, "data|kept|"), "EEXIST");
    OK(xs_ask(XS_UNWATCH, 0, "data|kept|"));
}

/* Its nodes are lost, except those that every guest finds. What it does in a transaction that the
 * first store began is not refused, but that cannot be committed. */
static void begins_anew(void)
{
    EXPECT_REPLY(xs_ask(XS_READ, 0, "data/mine|"), "ENOENT");
    OK(xs_ask(XS_READ, 0, "memory/target|"));
    EXPECT_REPLY(xs_ask(XS_READ, open_transaction, "data/t|"), "ENOENT");
    OK(xs_ask(XS_WRITE, open_transaction, "data/u|1"));
    EXPECT_REPLY(xs_ask(XS_TRANSACTION_END, open_transaction, "T|"), "EAGAIN");
    EXPECT_REPLY(xs_ask(XS_READ, 0, "data/u|"), "ENOENT");
    open_transaction = xs_start_transaction();
    OK(xs_ask(XS_TRANSACTION_END, open_transaction, "F|"));
    OK(xs_ask(XS_WRITE, 0, "data/mine|2"));
}

/* The second store is killed during a series of requests. The third one refuses all requests. */
static void refuses_at_last(void)
{
    request_end();
    for (uint64_t end = clock_ns() + NS_PER_S; clock_ns() < end;)
        OK(xs_ask(XS_READ, 0, "name|"));
    EXPECT_REPLY(xs_ask(XS_READ, 0, "data/mine|"), "ENOENT");
    request_end();
    pass_a_second();
    EXPECT_REPLY(xs_ask(XS_READ, 0, "name|"), "EIO");
    EXPECT_REPLY(xs_ask(XS_TRANSACTION_START, 0, "|"), "EIO");
}

static void breaks_in_the_end(void)
{
    request_end();
    EXPECT(xs_wait_for(has_error));
    EXPECT_EQ(xs_ring->error, XENSTORE_ERROR_COMM);
}

SUITE(storelost, 16, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(waits_across_the_end),
      TEST(keeps_its_watch), TEST(begins_anew), TEST(refuses_at_last), TEST(breaks_in_the_end));

/* A store that ends at each start. */
static void finds_the_error(void)
{
    xs_begin();
    EXPECT(xs_wait_for(has_error));
    EXPECT_EQ(xs_ring->error, XENSTORE_ERROR_COMM);
}

SUITE(storebroken, 18, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(finds_the_error));

/* A request that is larger than what a store can keep in the ring page cannot be continued by the
 * next store. */
static void ends_inside_a_message(void)
{
    static char text[2100] = "data/w";
    struct xsd_sockmsg h = { .type = XS_WRITE, .len = 3000 };

    OK(xs_ask(XS_READ, 0, "name|"));
    xs_put(&h, sizeof(h));
    xs_put(text, sizeof(text));
    EXPECT(xs_wait_for(xs_has_room));
    request_end();
    EXPECT(xs_wait_for(has_error));
    EXPECT_EQ(xs_ring->error, XENSTORE_ERROR_COMM);
}

SUITE(storecut, 17, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(ends_inside_a_message));

SUITE(storelie, 14, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(lies_about_its_ring));
