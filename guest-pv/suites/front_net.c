/* The front end of a network device: both rings, grants, packets. Nodes and states: front.c. */
#include <stdio.h>
#include <string.h>
#include "clock.h"
#include "event.h"
#include "front.h"
#include "gnttab.h"
#include "mm.h"
#include "suite.h"

static void allocate(struct netfront *n)
{
    n->tx_shared = p2v(frame_alloc());
    n->rx_shared = p2v(frame_alloc());
    n->rings = front_refs(2);
    n->tx_ref = front_refs(NET_PARTS);
    n->rx_ref = front_refs(NET_BUFFERS);
    for (unsigned i = 0; i < NET_PARTS; i++)
        n->tx_page[i] = p2v(frame_alloc());
    for (unsigned i = 0; i < NET_BUFFERS; i++)
        n->rx_page[i] = p2v(frame_alloc());
}

bool net_init(struct netfront *n, unsigned index)
{
    unsigned mac[6];

    n->port = -1;
    if (!front_find(&n->x, "vif", index))
        return false;
    if (n->tx_shared == NULL)
        allocate(n);
    if (!EXPECT_EQ(sscanf(front_back(&n->x, "mac"), "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2],
                          &mac[3], &mac[4], &mac[5]), 6))
        return false;
    for (unsigned i = 0; i < 6; i++)
        n->mac[i] = (uint8_t)mac[i];
    return true;
}

static void offer_grants(struct netfront *n)
{
    grant_offer(n->rings, n->x.driver, v2mfn(n->tx_shared), 0);
    grant_offer(n->rings + 1, n->x.driver, v2mfn(n->rx_shared), 0);
    for (unsigned i = 0; i < NET_PARTS; i++)
        grant_offer(n->tx_ref + i, n->x.driver, v2mfn(n->tx_page[i]), GTF_readonly);
    for (unsigned i = 0; i < NET_BUFFERS; i++)
        grant_offer(n->rx_ref + i, n->x.driver, v2mfn(n->rx_page[i]), 0);
}

void net_offer_rings(struct netfront *n)
{
    memset(n->tx_shared, 0, PAGE_SIZE);
    memset(n->rx_shared, 0, PAGE_SIZE);
    SHARED_RING_INIT(n->tx_shared);
    SHARED_RING_INIT(n->rx_shared);
    FRONT_RING_INIT(&n->tx, n->tx_shared, PAGE_SIZE);
    FRONT_RING_INIT(&n->rx, n->rx_shared, PAGE_SIZE);
    offer_grants(n);
    n->port = event_alloc_unbound(n->x.driver, NULL, NULL);
    ASSERT(n->port > 0);
    front_set(&n->x, "tx-ring-ref", "%u", n->rings);
    front_set(&n->x, "rx-ring-ref", "%u", n->rings + 1);
    front_set(&n->x, "event-channel", "%d", n->port);
    front_set(&n->x, "request-rx-copy", "1");
    front_set(&n->x, "feature-rx-notify", "1");
    front_set(&n->x, "feature-sg", "1");
}

bool net_connect(struct netfront *n)
{
    if (!front_begin(&n->x))
        return false;
    net_offer_rings(n);
    front_set_state(&n->x, XenbusStateConnected);
    return front_wait(&n->x, STATE(Connected));
}

bool net_close(struct netfront *n)
{
    bool good = front_end(&n->x), all = true;

    if (n->port > 0)
        event_close(n->port);
    n->port = -1;
    for (unsigned i = 0; i < 2; i++)
        all &= grant_revoke(n->rings + i);
    for (unsigned i = 0; i < NET_PARTS; i++)
        all &= grant_revoke(n->tx_ref + i);
    for (unsigned i = 0; i < NET_BUFFERS; i++)
        all &= grant_revoke(n->rx_ref + i);
    return EXPECT_MSG(all, "%s: the back end has closed and keeps grants", n->x.dir) && good;
}

/* --- Sending ---------------------------------------------------------------------------------- */

void net_put(struct netfront *n, const void *slot)
{
    memcpy(RING_GET_REQUEST(&n->tx, n->tx.req_prod_pvt), slot, sizeof(netif_tx_request_t));
    n->tx.req_prod_pvt++;
}

void net_push(struct netfront *n)
{
    int notify;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&n->tx, notify);
    if (notify)
        event_send(n->port);
}

int net_status(struct netfront *n, uint64_t ns)
{
    uint64_t end = clock_ns() + ns;
    netif_tx_response_t answer;

    while (n->tx.rsp_cons == *(volatile RING_IDX *)&n->tx_shared->rsp_prod) {
        if (clock_ns() > end)
            return NET_NO_ANSWER;
        n->tx_shared->rsp_event = n->tx.rsp_cons + 1;
        front_sleep(n->port);
    }
    xen_rmb();
    memcpy(&answer, RING_GET_RESPONSE(&n->tx, n->tx.rsp_cons), sizeof(answer));
    n->tx.rsp_cons++;
    return answer.status;
}

int net_send(struct netfront *n, unsigned len)
{
    netif_tx_request_t q = { .gref = n->tx_ref, .size = (uint16_t)len };

    net_put(n, &q);
    net_push(n);
    return net_status(n, FRONT_PATIENCE);
}

void net_frame(struct netfront *n, const uint8_t *to, const uint8_t *from, unsigned len,
               uint8_t seed)
{
    uint8_t *frame = n->tx_page[0];

    memcpy(frame, to, 6);
    memcpy(frame + 6, from, 6);
    for (unsigned i = 12; i < len; i++)
        frame[i] = (uint8_t)(seed + i);
}

/* --- Receiving -------------------------------------------------------------------------------- */

void net_give(struct netfront *n, unsigned first, unsigned count)
{
    int notify;

    for (unsigned i = first; i < first + count; i++) {
        netif_rx_request_t q = { .id = (uint16_t)i, .gref = n->rx_ref + i };

        memcpy(RING_GET_REQUEST(&n->rx, n->rx.req_prod_pvt), &q, sizeof(q));
        n->rx.req_prod_pvt++;
    }
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&n->rx, notify);
    if (notify)
        event_send(n->port);
}

bool net_receive(struct netfront *n, netif_rx_response_t *answer, uint64_t ns)
{
    uint64_t end = clock_ns() + ns;

    while (n->rx.rsp_cons == *(volatile RING_IDX *)&n->rx_shared->rsp_prod) {
        if (clock_ns() > end)
            return false;
        n->rx_shared->rsp_event = n->rx.rsp_cons + 1;
        front_sleep(n->port);
    }
    xen_rmb();
    memcpy(answer, RING_GET_RESPONSE(&n->rx, n->rx.rsp_cons), sizeof(*answer));
    n->rx.rsp_cons++;
    return true;
}
