/* Suite "storegreedy" (only by name): a guest that takes of the store all that it is given, in
 * nodes, watches and transactions, and then makes the most expensive requests that it may, one
 * after the other, for seconds= of the command line. Guests that start meanwhile must not notice.
 * Guests that break the protocol are storefail.c's. */
#include <stdio.h>
#include <stdlib.h>
#include "clock.h"
#include "start.h"
#include "suite.h"
#include "xenstore.h"

#define MOST 5000u                      /* of anything, and more than it gets */

static void takes_all_transactions(void)
{
    unsigned n = 0;

    while (n < MOST && *xs_ask(XS_TRANSACTION_START, 0, "|") == '\0')
        n++;
    EXPECT(n >= 1 && n < MOST);
}

/* All of them fire for each of its nodes. */
static void takes_all_watches(void)
{
    char text[32];
    unsigned n = 0;

    do
        snprintf(text, sizeof(text), "/|token%u|", n);
    while (n++ < MOST && *xs_ask(XS_WATCH, 0, text) == '\0');
    EXPECT_MSG(n > 16 && n < MOST, "%u watches", n);
}

static void takes_all_nodes(void)
{
    char text[32];
    unsigned n = 0;

    do
        snprintf(text, sizeof(text), "data/n%u|value", n);
    while (n++ < MOST && *xs_ask(XS_WRITE, 0, text) == '\0');
    EXPECT_MSG(n > 100 && n < MOST, "%u nodes", n);
}

/* A node that is written takes one more until the old value is gone. */
static void keeps_the_store_busy(void)
{
    uint64_t end;
    char text[32];
    unsigned n = 0;

    ASSERT(cmdline_get("seconds", text, sizeof(text)));
    OK(xs_ask(XS_RM, 0, "data/n0|"));
    end = clock_ns() + strtoul(text, NULL, 10) * NS_PER_S;
    for (; clock_ns() < end; n++) {
        snprintf(text, sizeof(text), "data/n%u|other", n % 100 + 1);
        ASSERT(*xs_ask(XS_WRITE, 0, text) == '\0');
        EXPECT_REPLY(xs_ask(XS_WRITE, 0, "data/one/more|"), "ENOSPC");
        xs_ask(XS_DIRECTORY, 0, "data|");
    }
    test_diag("%u rounds", n);
}

SUITE(storegreedy, 15, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(takes_all_transactions),
      TEST(takes_all_watches), TEST(takes_all_nodes), TEST(keeps_the_store_busy));
