/* Suite "store": xenstore as a guest uses it. A store that is overloaded or ends, and guests that
 * break the protocol, are in storefail.c; the requests themselves are made by xenstore.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "event.h"
#include "gnttab.h"
#include "start.h"
#include "suite.h"
#include "xenstore.h"

/* --- The tests -------------------------------------------------------------------------------- */

/* The nodes that a toolstack writes on a real Xen. */
static void own_nodes(void)
{
    char text[64];

    OK(xs_ask(XS_READ, 0, "domid|"));
    EXPECT_EQ(atoi(xs_body), own_domid());
    snprintf(text, sizeof(text), "%u|", own_domid());
    OK(xs_ask(XS_GET_DOMAIN_PATH, 0, text));
    snprintf(text, sizeof(text), "/local/domain/%u", own_domid());
    EXPECT_REPLY(xs_body, text);
    OK(xs_ask(XS_READ, 0, "name|"));
    EXPECT(xs_head.len > 0);
    OK(xs_ask(XS_READ, 0, "memory/static-max|"));
    EXPECT_EQ(atol(xs_body), start_info->nr_pages * 4);
    OK(xs_ask(XS_READ, 0, "memory/target|"));
    EXPECT_EQ(atol(xs_body), start_info->nr_pages * 4);
    OK(xs_ask(XS_READ, 0, "cpu/0/availability|"));
    BODY("online");
    OK(xs_ask(XS_READ, 0, "control/shutdown|"));
    BODY("");
    OK(xs_ask(XS_WRITE, 0, "control/feature-poweroff|1"));
    OK(xs_ask(XS_READ, 0, "vm|"));
    snprintf(text, sizeof(text), "%s/uuid|", xs_body);
    OK(xs_ask(XS_READ, 0, text));
    EXPECT_EQ(xs_head.len, 36);
    EXPECT_REPLY(xs_ask(XS_WRITE, 0, "name|other"), "EACCES");
    EXPECT_REPLY(xs_ask(XS_RM, 0, "memory|"), "EACCES");
    EXPECT_REPLY(xs_ask(XS_MKDIR, 0, "/mine|"), "EACCES");
}

static void values(void)
{
    OK(xs_ask(XS_WRITE, 0, "data/a|hello"));
    BODY("OK\0");
    OK(xs_ask(XS_READ, 0, "data/a|"));
    BODY("hello");
    OK(xs_ask(XS_WRITE, 0, "data/b/c|"));
    OK(xs_ask(XS_MKDIR, 0, "data/d|"));
    OK(xs_ask(XS_DIRECTORY, 0, "data|"));
    BODY("a\0b\0d\0");
    OK(xs_ask(XS_DIRECTORY_PART, 0, "data|2|"));
    EXPECT(!memcmp(xs_body + strlen(xs_body) + 1, "b\0d\0\0", 5));
    OK(xs_ask(XS_RM, 0, "data/b|"));
    EXPECT_REPLY(xs_ask(XS_READ, 0, "data/b/c|"), "ENOENT");
    OK(xs_ask(XS_RM, 0, "data/a|"));
    OK(xs_ask(XS_RM, 0, "data/d|"));
    OK(xs_ask(XS_DIRECTORY, 0, "data|"));
    BODY("");
}

static void permissions(void)
{
    char owner[16], text[64];

    snprintf(owner, sizeof(owner), "n%u", own_domid());
    OK(xs_ask(XS_GET_PERMS, 0, "data|"));
    EXPECT_REPLY(xs_body, owner);
    OK(xs_ask(XS_WRITE, 0, "data/p|1"));
    snprintf(text, sizeof(text), "data/p|r%u|b%u|", own_domid(), own_domid() + 1);
    OK(xs_ask(XS_SET_PERMS, 0, text));
    OK(xs_ask(XS_GET_PERMS, 0, "data/p|"));
    EXPECT_EQ(xs_body[0], 'r');
    EXPECT_EQ(xs_body[strlen(xs_body) + 1], 'b');
    EXPECT_REPLY(xs_ask(XS_SET_PERMS, 0, "data/p|n0|"), "EPERM");
    EXPECT_REPLY(xs_ask(XS_SET_PERMS, 0, "data/p|q1|"), "EINVAL");
    OK(xs_ask(XS_RM, 0, "data/p|"));
}

static void watches(void)
{
    uint64_t before = event_count(start_info->store_evtchn);

    OK(xs_ask(XS_WATCH, 0, "data|token|"));
    EXPECT(xs_wait_for(xs_has_event));
    EXPECT_REPLY(xs_events, "data|token ");
    EXPECT_REPLY(xs_ask(XS_WATCH, 0, "data|token|"), "EEXIST");
    OK(xs_ask(XS_WRITE, 0, "data/w/x|1"));
    EXPECT(xs_wait_for(xs_has_event));
    EXPECT_REPLY(xs_events, "data/w/x|token ");
    OK(xs_ask(XS_RM, 0, "data/w|"));
    EXPECT(xs_wait_for(xs_has_event));
    OK(xs_ask(XS_UNWATCH, 0, "data|token|"));
    OK(xs_ask(XS_WRITE, 0, "data/w|1"));
    OK(xs_ask(XS_RM, 0, "data/w|"));
    xs_has_event();
    EXPECT_REPLY(xs_events, "");
    EXPECT_REPLY(xs_ask(XS_UNWATCH, 0, "data|token|"), "ENOENT");
    OK(xs_ask(XS_WATCH, 0, "@releaseDomain|gone|"));
    OK(xs_ask(XS_RESET_WATCHES, 0, "|"));
    EXPECT(event_count(start_info->store_evtchn) > before);
}

static void transactions(void)
{
    uint32_t t = xs_start_transaction();

    OK(xs_ask(XS_WRITE, t, "data/t|1"));
    OK(xs_ask(XS_READ, t, "data/t|"));
    EXPECT_REPLY(xs_ask(XS_READ, 0, "data/t|"), "ENOENT");
    OK(xs_ask(XS_TRANSACTION_END, t, "T|"));
    OK(xs_ask(XS_READ, 0, "data/t|"));
    BODY("1");
    t = xs_start_transaction();
    OK(xs_ask(XS_RM, t, "data/t|"));
    OK(xs_ask(XS_TRANSACTION_END, t, "F|"));
    OK(xs_ask(XS_READ, 0, "data/t|"));
    t = xs_start_transaction();                            /* a node that it has read is changed */
    OK(xs_ask(XS_READ, t, "data/t|"));
    OK(xs_ask(XS_WRITE, t, "data/u|1"));
    OK(xs_ask(XS_WRITE, 0, "data/t|2"));
    EXPECT_REPLY(xs_ask(XS_TRANSACTION_END, t, "T|"), "EAGAIN");
    EXPECT_REPLY(xs_ask(XS_READ, 0, "data/u|"), "ENOENT");
    EXPECT_REPLY(xs_ask(XS_READ, t, "data/t|"), "ENOENT");
    t = xs_start_transaction();                         /* a node that it has not read is changed */
    OK(xs_ask(XS_WRITE, t, "data/u|1"));
    OK(xs_ask(XS_WRITE, 0, "data/v|2"));
    OK(xs_ask(XS_TRANSACTION_END, t, "T|"));
    OK(xs_ask(XS_RM, 0, "data/t|"));
    OK(xs_ask(XS_RM, 0, "data/u|"));
    OK(xs_ask(XS_RM, 0, "data/v|"));
}

static void errors(void)
{
    EXPECT_REPLY(xs_ask(XS_READ, 0, "data//x|"), "EINVAL");
    EXPECT_REPLY(xs_ask(XS_READ, 0, "data"), "EINVAL");
    EXPECT_REPLY(xs_ask(XS_READ, 0, ""), "EINVAL");
    EXPECT_REPLY(xs_ask(XS_WATCH, 0, "data|"), "EINVAL");
    EXPECT_REPLY(xs_ask(XS_READ, 12345, "data|"), "ENOENT");
    EXPECT_REPLY(xs_ask(XS_CONTROL, 0, "help|"), "EPERM");
    EXPECT_REPLY(xs_ask(XS_INTRODUCE, 0, "1|1|1|"), "EACCES");
    EXPECT_REPLY(xs_ask(XS_RELEASE, 0, "1|"), "EACCES");
    EXPECT_REPLY(xs_ask(XS_SET_TARGET, 0, "1|0|"), "EACCES");
    EXPECT_REPLY(xs_ask(20, 0, "|"), "ENOSYS");
    EXPECT_REPLY(xs_ask(0x10000, 0, "|"), "ENOSYS");
    OK(xs_ask(XS_IS_DOMAIN_INTRODUCED, 0, "31999|"));
    EXPECT_REPLY(xs_body, "F");
}

/* Messages larger than the ring, and of every length, so that headers and payloads wrap at any
 * place. */
static void wrap_around(void)
{
    static char text[8 + 2000] = "data/w";

    for (unsigned len = 1; len <= 2000; len += len < 100 ? 1 : 97) {
        for (unsigned i = 0; i < len; i++)
            text[7 + i] = len + i * 7;
        xs_send(XS_WRITE, 0, text, 7 + len);
        OK(xs_receive(XS_WRITE, 0, xs_last_id));
        OK(xs_ask(XS_READ, 0, "data/w|"));
        if (!EXPECT_EQ(xs_head.len, len) || !EXPECT_EQ(memcmp(xs_body, text + 7, len), 0))
            break;
    }
    OK(xs_ask(XS_RM, 0, "data/w|"));
}

/* Many requests at once: the replies come in order, also if they are read late. */
static void pipelined(void)
{
    uint32_t first = xs_last_id + 1;

    for (unsigned i = 0; i < 30; i++)
        xs_send(XS_READ, 0, "name", 5);
    for (unsigned i = 0; i < 30; i++)
        OK(xs_receive(XS_READ, 0, first + i));
}

SUITE(store, 12, SUITE_NEEDS_STORE, TEST(own_nodes), TEST(values), TEST(permissions), TEST(watches),
      TEST(transactions), TEST(errors), TEST(wrap_around), TEST(pipelined));
