/* A client of xenstore over the ring that start_info names: one request at a time, and watch
 * events, which are told as they come. The store is an ordinary domain: what it sends is bounded
 * and checked, and one that does not answer costs the request. Called by main.c and the back
 * ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <public/io/xs_wire.h>
#include "clock.h"
#include "console.h"
#include "event.h"
#include "mm.h"
#include "start.h"
#include "thread.h"
#include "xs.h"

#define PATIENCE (5 * NS_PER_S)

static volatile struct xenstore_domain_interface *ring;
static void (*on_event)(const char *path, const char *token);
static struct thread *waiter;
static uint32_t last_id;
static bool broken;
/* The message that is being received: its header and as much as is there of its payload. */
static struct xsd_sockmsg head;
static size_t have;
static char body[XENSTORE_PAYLOAD_MAX + 1];

static void on_ring(port_t port, void *arg)
{
    (void)port;
    (void)arg;
    thread_wake(waiter);
}

static void wake(void *arg)
{
    thread_wake(arg);
}

void xs_init(void (*fn)(const char *path, const char *token))
{
    ring = p2v(mfn_to_pfn(start_info->store_mfn));
    on_event = fn;
    waiter = current;
    event_set_handler(start_info->store_evtchn, on_ring, NULL);
    event_unmask(start_info->store_evtchn);
}

/* A store sets it when it begins to serve the ring, and nobody but us reads it. */
bool xs_store_is_new(void)
{
    bool new = ring->server_features != 0;

    ring->server_features = 0;
    return new;
}

bool xs_store_is_gone(void)
{
    return ring->error != XENSTORE_ERROR_NONE;
}

/* --- Bytes ------------------------------------------------------------------------------------ */

static size_t put(const char *bytes, size_t len)
{
    uint32_t prod = ring->req_prod;
    uint32_t used = prod - __atomic_load_n(&ring->req_cons, __ATOMIC_ACQUIRE);
    size_t n = 0;

    if (used > XENSTORE_RING_SIZE)
        return broken = true, 0;
    for (; n < len && used + n < XENSTORE_RING_SIZE; n++)
        ring->req[MASK_XENSTORE_IDX(prod + n)] = bytes[n];
    __atomic_store_n(&ring->req_prod, prod + (uint32_t)n, __ATOMIC_RELEASE);
    return n;
}

static size_t get(char *bytes, size_t len)
{
    uint32_t cons = ring->rsp_cons;
    uint32_t there = __atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE) - cons;
    size_t n = 0;

    if (there > XENSTORE_RING_SIZE)
        return broken = true, 0;
    for (; n < len && n < there; n++)
        bytes[n] = ring->rsp[MASK_XENSTORE_IDX(cons + n)];
    __atomic_store_n(&ring->rsp_cons, cons + (uint32_t)n, __ATOMIC_RELEASE);
    return n;
}

/* Sleeps until the ring or the timer has an event. */
static void sleep_until(uint64_t end_ns)
{
    struct timer t = { 0 };

    timer_start(&t, end_ns, wake, current);
    thread_block();
    timer_cancel(&t);
}

static bool send(const void *bytes, size_t len, uint64_t end_ns)
{
    const char *p = bytes;

    while (len != 0 && !broken) {
        size_t n = put(p, len);

        p += n;
        len -= n;
        event_send(start_info->store_evtchn);
        if (len == 0)
            break;
        if (clock_ns() >= end_ns)
            return false;
        sleep_until(end_ns);
    }
    return !broken;
}

/* --- Messages --------------------------------------------------------------------------------- */

/* Goes on receiving. True: a message is complete in head and body. */
static bool receive(void)
{
    size_t before = have;

    if (have < sizeof(head))
        have += get((char *)&head + have, sizeof(head) - have);
    if (have >= sizeof(head) && head.len > XENSTORE_PAYLOAD_MAX)
        broken = true;
    else if (have >= sizeof(head))
        have += get(body + have - sizeof(head), head.len - (have - sizeof(head)));
    if (have != before)
        event_send(start_info->store_evtchn);   /* there is room now */
    if (broken || have < sizeof(head) || have < sizeof(head) + head.len)
        return false;
    have = 0;
    body[head.len] = '\0';
    return true;
}

static void tell_event(void)
{
    size_t path = strlen(body);

    if (path < head.len)
        on_event(body, body + path + 1);
}

void xs_events(void)
{
    while (receive())
        if (head.type == XS_WATCH_EVENT)
            tell_event();
}

static bool reply(uint64_t end_ns)
{
    while (!broken && !xs_store_is_gone() && clock_ns() < end_ns) {
        if (!receive())
            sleep_until(end_ns);
        else if (head.type == XS_WATCH_EVENT)
            tell_event();
        else if (head.req_id == last_id)
            return head.type != XS_ERROR;
    }
    if (!xs_store_is_gone())
        kprintf("driver: the store %s\n", broken ? "sends nonsense" : "does not answer");
    return false;
}

static bool ask(uint32_t type, uint32_t transaction, const char *payload, size_t len)
{
    struct xsd_sockmsg h = {
        .type = type, .req_id = ++last_id, .tx_id = transaction, .len = len,
    };
    uint64_t end_ns = clock_ns() + PATIENCE;

    return !xs_store_is_gone() && send(&h, sizeof(h), end_ns) && send(payload, len, end_ns) &&
           reply(end_ns);
}

static bool ask_path(uint32_t type, uint32_t transaction, const char *path)
{
    return ask(type, transaction, path, strlen(path) + 1);
}

/* --- Requests --------------------------------------------------------------------------------- */

bool xs_read(uint32_t transaction, const char *path, char *buf, size_t buf_bytes)
{
    if (!ask_path(XS_READ, transaction, path) || head.len >= buf_bytes)
        return false;
    memcpy(buf, body, head.len + 1);
    return true;
}

bool xs_read_number(uint32_t transaction, const char *path, uint64_t max, uint64_t *value)
{
    char text[24], *end;

    if (!xs_read(transaction, path, text, sizeof(text)) || text[0] < '0' || text[0] > '9' ||
        strlen(text) > 18)
        return false;
    *value = strtoul(text, &end, 10);
    return *end == '\0' && *value <= max;
}

bool xs_write(const char *path, const char *value)
{
    char payload[2 * XS_PATH];
    int len = snprintf(payload, sizeof(payload), "%s%c%s", path, 0, value);

    return len < (int)sizeof(payload) && ask(XS_WRITE, NO_TRANSACTION, payload, len);
}

bool xs_write_number(const char *path, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%lu", value);
    return xs_write(path, text);
}

bool xs_remove(const char *path)
{
    return ask_path(XS_RM, NO_TRANSACTION, path);
}

int xs_list(const char *path, char *buf, size_t buf_bytes)
{
    if (!ask_path(XS_DIRECTORY, NO_TRANSACTION, path) || head.len > buf_bytes)
        return -1;
    memcpy(buf, body, head.len);
    return head.len;
}

static bool ask_watch(uint32_t type, const char *path, const char *token)
{
    char payload[2 * XS_PATH];
    int len = snprintf(payload, sizeof(payload), "%s%c%s", path, 0, token);

    return len < (int)sizeof(payload) && ask(type, NO_TRANSACTION, payload, len + 1);
}

bool xs_watch(const char *path, const char *token)
{
    return ask_watch(XS_WATCH, path, token);
}

bool xs_unwatch(const char *path, const char *token)
{
    return ask_watch(XS_UNWATCH, path, token);
}

uint32_t xs_transaction(void)
{
    return ask(XS_TRANSACTION_START, NO_TRANSACTION, "", 1) ? strtoul(body, NULL, 10)
                                                            : NO_TRANSACTION;
}

bool xs_transaction_end(uint32_t transaction)
{
    return ask(XS_TRANSACTION_END, transaction, "T", 2);
}
