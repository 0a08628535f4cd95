/* A guest's end of xenstore for the suites: requests and replies over the ring page and the event
 * channel that start_info names. One request at a time, unless a suite sends several by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"
#include "xenstore.h"

#define PATIENCE (20 * NS_PER_S)

volatile struct xenstore_domain_interface *xs_ring;
struct xsd_sockmsg xs_head;                         /* of the last reply */
char xs_body[XENSTORE_PAYLOAD_MAX + 1];
char xs_events[2048];                               /* "path|token " each */
uint32_t xs_last_id;

/* --- Bytes ------------------------------------------------------------------------------------ */

void xs_begin(void)
{
    if (xs_ring)
        return;
    xs_ring = p2v(mfn_to_pfn(start_info->store_mfn));
    event_set_handler(start_info->store_evtchn, NULL, NULL);
    event_unmask(start_info->store_evtchn);
}

/* Not a loop of yields: the store may have another CPU, which the machine's host runs only while
 * this one sleeps. */
static void sleep_a_little(void)
{
    struct sched_poll poll = { .nr_ports = 1, .timeout = clock_ns() + NS_PER_MS };

    set_xen_guest_handle(poll.ports, &start_info->store_evtchn);
    xen_sched_op(SCHEDOP_poll, &poll);
}

bool xs_wait_for(bool (*fn)(void))
{
    for (uint64_t end = clock_ns() + PATIENCE; !fn(); sleep_a_little())
        if (clock_ns() > end)
            return false;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return true;
}

bool xs_has_room(void)
{
    return xs_ring->req_prod - xs_ring->req_cons < XENSTORE_RING_SIZE;
}

bool xs_has_reply(void)
{
    return xs_ring->rsp_prod != xs_ring->rsp_cons;
}

void xs_put(const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len) {
        uint32_t prod = xs_ring->req_prod, n;

        ASSERT_MSG(xs_wait_for(xs_has_room), "the request is not read: %u bytes wait",
                   prod - xs_ring->req_cons);
        for (n = 0; n < len && prod + n - xs_ring->req_cons < XENSTORE_RING_SIZE; n++)
            xs_ring->req[MASK_XENSTORE_IDX(prod + n)] = p[n];
        __atomic_thread_fence(__ATOMIC_RELEASE);
        xs_ring->req_prod = prod + n;
        p += n, len -= n;
        event_send(start_info->store_evtchn);
    }
}

static void xs_get(void *bytes, size_t len)
{
    char *p = bytes;

    while (len) {
        uint32_t cons = xs_ring->rsp_cons, n;

        ASSERT_MSG(xs_wait_for(xs_has_reply), "no reply: %lu bytes are missing", len);
        for (n = 0; n < len && cons + n != xs_ring->rsp_prod; n++)
            p[n] = xs_ring->rsp[MASK_XENSTORE_IDX(cons + n)];
        __atomic_thread_fence(__ATOMIC_RELEASE);
        xs_ring->rsp_cons = cons + n;
        p += n, len -= n;
        event_send(start_info->store_evtchn);
    }
}

/* --- Messages --------------------------------------------------------------------------------- */

static void xs_next_message(void)
{
    struct xsd_sockmsg h;
    static char payload[XENSTORE_PAYLOAD_MAX + 1];

    xs_get(&h, sizeof(h));
    ASSERT(h.len <= XENSTORE_PAYLOAD_MAX);
    xs_get(payload, h.len);
    payload[h.len] = 0;
    if (h.type == XS_WATCH_EVENT) {
        size_t at = strlen(xs_events);

        snprintf(xs_events + at, sizeof(xs_events) - at, "%s|%s ", payload,
                 payload + strlen(payload) + 1);
        return;
    }
    xs_head = h;
    memcpy(xs_body, payload, h.len + 1);
}

void xs_send(uint32_t type, uint32_t tx, const void *payload, size_t len)
{
    struct xsd_sockmsg h = { .type = type, .req_id = ++xs_last_id, .tx_id = tx, .len = len };

    xs_begin();
    xs_put(&h, sizeof(h));
    xs_put(payload, len);
}

/* The error's name, or "" with the reply in body. */
const char *xs_receive(uint32_t type, uint32_t tx, uint32_t id)
{
    for (xs_head.type = XS_INVALID; xs_head.type == XS_INVALID;)
        xs_next_message();
    EXPECT_EQ(xs_head.req_id, id);
    EXPECT_EQ(xs_head.tx_id, tx);
    EXPECT(xs_head.type == type || xs_head.type == XS_ERROR);
    return xs_head.type == XS_ERROR ? xs_body : "";
}

/* Strings; '|' stands for the NUL of each. */
const char *xs_ask(uint32_t type, uint32_t tx, const char *text)
{
    static char payload[256];
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        payload[i] = text[i] == '|' ? 0 : text[i];
    xs_events[0] = 0;
    xs_send(type, tx, payload, len);
    return xs_receive(type, tx, xs_last_id);
}

bool xs_has_event(void)
{
    while (xs_has_reply())
        xs_next_message();
    return xs_events[0];
}

uint32_t xs_start_transaction(void)
{
    OK(xs_ask(XS_TRANSACTION_START, 0, "|"));
    return strtoul(xs_body, NULL, 10);
}
