/*
 * Suite "store": xenstore as a guest speaks it, over the ring page and the event channel of start_info, to
 * whoever serves it. Suites "storeabuse" and
 * "storelie", by name only, end by breaking their connection on purpose; "storemany" counts what much costs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <public/io/xs_wire.h>
#include "clock.h"
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"

#define PATIENCE (20 * NS_PER_S)

static volatile struct xenstore_domain_interface *ring;
static struct xsd_sockmsg head;                         /* of the last reply */
static char body[XENSTORE_PAYLOAD_MAX + 1];
static char events[2048];                               /* "path|token " each */
static uint32_t last_id;

/* --- bytes ---------------------------------------------------------------------------------------------- */

static void begin(void)
{
    if (ring)
        return;
    ring = p2v(mfn_to_pfn(start_info->store_mfn));
    event_set_handler(start_info->store_evtchn, NULL, NULL);
    event_unmask(start_info->store_evtchn);
}

static bool wait_for(bool (*fn)(void))
{
    for (uint64_t end = clock_ns() + PATIENCE; !fn(); xen_sched_op(SCHEDOP_yield, NULL))
        if (clock_ns() > end)
            return false;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return true;
}

static bool has_room(void)
{
    return ring->req_prod - ring->req_cons < XENSTORE_RING_SIZE;
}

static bool has_reply(void)
{
    return ring->rsp_prod != ring->rsp_cons;
}

static void put(const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len) {
        uint32_t prod = ring->req_prod, n;

        ASSERT_MSG(wait_for(has_room), "nobody takes the request: %u bytes wait", prod - ring->req_cons);
        for (n = 0; n < len && prod + n - ring->req_cons < XENSTORE_RING_SIZE; n++)
            ring->req[MASK_XENSTORE_IDX(prod + n)] = p[n];
        __atomic_thread_fence(__ATOMIC_RELEASE);
        ring->req_prod = prod + n;
        p += n, len -= n;
        event_send(start_info->store_evtchn);
    }
}

static void get(void *bytes, size_t len)
{
    char *p = bytes;

    while (len) {
        uint32_t cons = ring->rsp_cons, n;

        ASSERT_MSG(wait_for(has_reply), "no reply: %lu bytes are missing", len);
        for (n = 0; n < len && cons + n != ring->rsp_prod; n++)
            p[n] = ring->rsp[MASK_XENSTORE_IDX(cons + n)];
        __atomic_thread_fence(__ATOMIC_RELEASE);
        ring->rsp_cons = cons + n;
        p += n, len -= n;
        event_send(start_info->store_evtchn);
    }
}

/* --- messages ------------------------------------------------------------------------------------------- */

static void take_message(void)
{
    struct xsd_sockmsg h;
    static char payload[XENSTORE_PAYLOAD_MAX + 1];

    get(&h, sizeof(h));
    ASSERT(h.len <= XENSTORE_PAYLOAD_MAX);
    get(payload, h.len);
    payload[h.len] = 0;
    if (h.type == XS_WATCH_EVENT) {
        size_t at = strlen(events);

        snprintf(events + at, sizeof(events) - at, "%s|%s ", payload, payload + strlen(payload) + 1);
        return;
    }
    head = h;
    memcpy(body, payload, h.len + 1);
}

static void send(uint32_t type, uint32_t tx, const void *payload, size_t len)
{
    struct xsd_sockmsg h = { .type = type, .req_id = ++last_id, .tx_id = tx, .len = len };

    begin();
    put(&h, sizeof(h));
    put(payload, len);
}

/* The error's name, or "" with the reply in body. */
static const char *receive(uint32_t type, uint32_t tx, uint32_t id)
{
    for (head.type = XS_INVALID; head.type == XS_INVALID;)
        take_message();
    EXPECT_EQ(head.req_id, id);
    EXPECT_EQ(head.tx_id, tx);
    EXPECT(head.type == type || head.type == XS_ERROR);
    return head.type == XS_ERROR ? body : "";
}

/* Strings; '|' stands for the NUL of each. */
static const char *ask(uint32_t type, uint32_t tx, const char *text)
{
    static char payload[256];
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        payload[i] = text[i] == '|' ? 0 : text[i];
    events[0] = 0;
    send(type, tx, payload, len);
    return receive(type, tx, last_id);
}

static bool until_event(void)
{
    while (has_reply())
        take_message();
    return events[0];
}

#define SAYS(what, text)                                                                                \
    ({ const char *got_ = (what); EXPECT_MSG(!strcmp(got_, text), "%s: '%s', not '%s'", #what, got_, text); })
#define OK(what) SAYS(what, "")
#define BODY(text)                                                                                      \
    EXPECT_MSG(head.len == sizeof(text) - 1 && !memcmp(body, text, sizeof(text) - 1),                   \
               "%u bytes: '%s', not '%s'", (unsigned)head.len, body, text)

/* --- the tests ------------------------------------------------------------------------------------------ */

/* What a toolstack would have written. */
static void own_nodes(void)
{
    char text[64];

    OK(ask(XS_READ, 0, "domid|"));
    EXPECT_EQ(atoi(body), own_domid());
    snprintf(text, sizeof(text), "%u|", own_domid());
    OK(ask(XS_GET_DOMAIN_PATH, 0, text));
    snprintf(text, sizeof(text), "/local/domain/%u", own_domid());
    SAYS(body, text);
    OK(ask(XS_READ, 0, "name|"));
    EXPECT(head.len > 0);
    OK(ask(XS_READ, 0, "memory/static-max|"));
    EXPECT_EQ(atol(body), start_info->nr_pages * 4);
    OK(ask(XS_READ, 0, "memory/target|"));
    EXPECT_EQ(atol(body), start_info->nr_pages * 4);
    OK(ask(XS_READ, 0, "cpu/0/availability|"));
    BODY("online");
    OK(ask(XS_READ, 0, "control/shutdown|"));
    BODY("");
    OK(ask(XS_WRITE, 0, "control/feature-poweroff|1"));
    OK(ask(XS_READ, 0, "vm|"));
    snprintf(text, sizeof(text), "%s/uuid|", body);
    OK(ask(XS_READ, 0, text));
    EXPECT_EQ(head.len, 36);
    SAYS(ask(XS_WRITE, 0, "name|other"), "EACCES");
    SAYS(ask(XS_RM, 0, "memory|"), "EACCES");
    SAYS(ask(XS_MKDIR, 0, "/mine|"), "EACCES");
}

static void values(void)
{
    OK(ask(XS_WRITE, 0, "data/a|hello"));
    BODY("OK\0");
    OK(ask(XS_READ, 0, "data/a|"));
    BODY("hello");
    OK(ask(XS_WRITE, 0, "data/b/c|"));
    OK(ask(XS_MKDIR, 0, "data/d|"));
    OK(ask(XS_DIRECTORY, 0, "data|"));
    BODY("a\0b\0d\0");
    OK(ask(XS_DIRECTORY_PART, 0, "data|2|"));
    EXPECT(!memcmp(body + strlen(body) + 1, "b\0d\0\0", 5));
    OK(ask(XS_RM, 0, "data/b|"));
    SAYS(ask(XS_READ, 0, "data/b/c|"), "ENOENT");
    OK(ask(XS_RM, 0, "data/a|"));
    OK(ask(XS_RM, 0, "data/d|"));
    OK(ask(XS_DIRECTORY, 0, "data|"));
    BODY("");
}

static void permissions(void)
{
    char owner[16], text[64];

    snprintf(owner, sizeof(owner), "n%u", own_domid());
    OK(ask(XS_GET_PERMS, 0, "data|"));
    SAYS(body, owner);
    OK(ask(XS_WRITE, 0, "data/p|1"));
    snprintf(text, sizeof(text), "data/p|r%u|b%u|", own_domid(), own_domid() + 1);
    OK(ask(XS_SET_PERMS, 0, text));
    OK(ask(XS_GET_PERMS, 0, "data/p|"));
    EXPECT_EQ(body[0], 'r');
    EXPECT_EQ(body[strlen(body) + 1], 'b');
    SAYS(ask(XS_SET_PERMS, 0, "data/p|n0|"), "EPERM");
    SAYS(ask(XS_SET_PERMS, 0, "data/p|q1|"), "EINVAL");
    OK(ask(XS_RM, 0, "data/p|"));
}

static void watches(void)
{
    uint64_t before = event_count(start_info->store_evtchn);

    OK(ask(XS_WATCH, 0, "data|token|"));
    EXPECT(wait_for(until_event));
    SAYS(events, "data|token ");
    SAYS(ask(XS_WATCH, 0, "data|token|"), "EEXIST");
    OK(ask(XS_WRITE, 0, "data/w/x|1"));
    EXPECT(wait_for(until_event));
    SAYS(events, "data/w/x|token ");
    OK(ask(XS_RM, 0, "data/w|"));
    EXPECT(wait_for(until_event));
    OK(ask(XS_UNWATCH, 0, "data|token|"));
    OK(ask(XS_WRITE, 0, "data/w|1"));
    OK(ask(XS_RM, 0, "data/w|"));
    until_event();
    SAYS(events, "");
    SAYS(ask(XS_UNWATCH, 0, "data|token|"), "ENOENT");
    OK(ask(XS_WATCH, 0, "@releaseDomain|gone|"));
    OK(ask(XS_RESET_WATCHES, 0, "|"));
    EXPECT(event_count(start_info->store_evtchn) > before);
}

static uint32_t start_transaction(void)
{
    OK(ask(XS_TRANSACTION_START, 0, "|"));
    return strtoul(body, NULL, 10);
}

static void transactions(void)
{
    uint32_t t = start_transaction();

    OK(ask(XS_WRITE, t, "data/t|1"));
    OK(ask(XS_READ, t, "data/t|"));
    SAYS(ask(XS_READ, 0, "data/t|"), "ENOENT");
    OK(ask(XS_TRANSACTION_END, t, "T|"));
    OK(ask(XS_READ, 0, "data/t|"));
    BODY("1");
    t = start_transaction();
    OK(ask(XS_RM, t, "data/t|"));
    OK(ask(XS_TRANSACTION_END, t, "F|"));
    OK(ask(XS_READ, 0, "data/t|"));
    t = start_transaction();                            /* what it read changes behind its back */
    OK(ask(XS_READ, t, "data/t|"));
    OK(ask(XS_WRITE, t, "data/u|1"));
    OK(ask(XS_WRITE, 0, "data/t|2"));
    SAYS(ask(XS_TRANSACTION_END, t, "T|"), "EAGAIN");
    SAYS(ask(XS_READ, 0, "data/u|"), "ENOENT");
    SAYS(ask(XS_READ, t, "data/t|"), "ENOENT");
    t = start_transaction();                            /* and what it did not */
    OK(ask(XS_WRITE, t, "data/u|1"));
    OK(ask(XS_WRITE, 0, "data/v|2"));
    OK(ask(XS_TRANSACTION_END, t, "T|"));
    OK(ask(XS_RM, 0, "data/t|"));
    OK(ask(XS_RM, 0, "data/u|"));
    OK(ask(XS_RM, 0, "data/v|"));
}

static void errors(void)
{
    SAYS(ask(XS_READ, 0, "data//x|"), "EINVAL");
    SAYS(ask(XS_READ, 0, "data"), "EINVAL");
    SAYS(ask(XS_READ, 0, ""), "EINVAL");
    SAYS(ask(XS_WATCH, 0, "data|"), "EINVAL");
    SAYS(ask(XS_READ, 12345, "data|"), "ENOENT");
    SAYS(ask(XS_CONTROL, 0, "help|"), "EPERM");
    SAYS(ask(XS_INTRODUCE, 0, "1|1|1|"), "EACCES");
    SAYS(ask(XS_RELEASE, 0, "1|"), "EACCES");
    SAYS(ask(XS_SET_TARGET, 0, "1|0|"), "EACCES");
    SAYS(ask(20, 0, "|"), "ENOSYS");
    SAYS(ask(0x10000, 0, "|"), "ENOSYS");
    OK(ask(XS_IS_DOMAIN_INTRODUCED, 0, "31999|"));
    SAYS(body, "F");
}

/* Larger than the ring, and of every length, so that headers and payloads are cut anywhere. */
static void wrap_around(void)
{
    static char text[8 + 2000] = "data/w";

    for (unsigned len = 1; len <= 2000; len += len < 100 ? 1 : 97) {
        for (unsigned i = 0; i < len; i++)
            text[7 + i] = len + i * 7;
        send(XS_WRITE, 0, text, 7 + len);
        OK(receive(XS_WRITE, 0, last_id));
        OK(ask(XS_READ, 0, "data/w|"));
        if (!EXPECT_EQ(head.len, len) || !EXPECT_EQ(memcmp(body, text + 7, len), 0))
            break;
    }
    OK(ask(XS_RM, 0, "data/w|"));
}

/* Many at once: replies come in order, even if nobody reads them for a while. */
static void pipelined(void)
{
    uint32_t first = last_id + 1;

    for (unsigned i = 0; i < 30; i++)
        send(XS_READ, 0, "name", 5);
    for (unsigned i = 0; i < 30; i++)
        OK(receive(XS_READ, 0, first + i));
}

SUITE(store, 12, SUITE_NEEDS_STORE, TEST(own_nodes), TEST(values), TEST(permissions), TEST(watches),
      TEST(transactions), TEST(errors), TEST(wrap_around), TEST(pipelined));

/* --- and how not to ------------------------------------------------------------------------------------- */

static bool has_error(void)
{
    return ring->error != XENSTORE_ERROR_NONE;
}

/* What an account holds is bounded, and to have filled it does not keep anybody from taking things away. */
static void fills_its_account(void)
{
    char text[32];
    const char *err = "";
    unsigned n;

    for (n = 0; n < 5000 && !*err; n++) {
        snprintf(text, sizeof(text), "data/n%u|value", n);
        err = ask(XS_WRITE, 0, text);
    }
    SAYS(err, "ENOSPC");
    EXPECT(n > 100);
    SAYS(ask(XS_DIRECTORY, 0, "data|"), n > 600 ? "E2BIG" : "");
    OK(ask(XS_RM, 0, "data|"));
}

static void breaks_the_stream(void)
{
    struct xsd_sockmsg h = { .type = XS_READ, .len = XENSTORE_PAYLOAD_MAX + 1 };

    begin();
    EXPECT_EQ(ring->error, XENSTORE_ERROR_NONE);
    put(&h, sizeof(h));
    EXPECT(wait_for(has_error));
    EXPECT_EQ(ring->error, XENSTORE_ERROR_PROTO);
}

/* What is removed in a transaction must not cost the square of it, or others wait for the store. Under -icount, where
 * a nanosecond is an instruction, it is well under a tenth of what looking through all changes each time took. */
static void removes_much_at_once(void)
{
    char text[32];
    uint64_t start;
    uint32_t t;

    for (unsigned n = 0; n < 900; n++) {
        snprintf(text, sizeof(text), "data/n%u|value", n);
        OK(ask(XS_WRITE, 0, text));
    }
    t = start_transaction();
    start = clock_ns();
    OK(ask(XS_RM, t, "data|"));
    ASSERT_MSG(clock_ns() - start < 60000000, "it took %lu ns", clock_ns() - start);
    OK(ask(XS_TRANSACTION_END, t, "T|"));
    SAYS(ask(XS_READ, 0, "data/n1|"), "ENOENT");
}

SUITE(storemany, 15, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(removes_much_at_once));

SUITE(storeabuse, 13, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(fills_its_account), TEST(breaks_the_stream));

static void lies_about_its_ring(void)
{
    begin();
    ring->req_prod = ring->req_cons + XENSTORE_RING_SIZE + 1;
    event_send(start_info->store_evtchn);
    EXPECT(wait_for(has_error));
    EXPECT_EQ(ring->error, XENSTORE_ERROR_RINGIDX);
}

SUITE(storelie, 14, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(lies_about_its_ring));
