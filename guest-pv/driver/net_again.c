/* The records in the pages of a network device's rings, by which an instance of the driver domain
 * that takes the place of one that died answers each request exactly once (N3). Called by
 * net_rx.c. */
#include <string.h>
#include "net_ring.h"

struct tx_record *tx_record(const struct net_ring *r)
{
    _Static_assert(sizeof(struct tx_record) <= RING_RECORD_BYTES, "there is no more room");
    return ring_record(r->tx.sring->__pad);
}

struct rx_record *rx_record(const struct net_ring *r)
{
    return ring_record(r->rx.sring->__pad);
}

/* How many answers were begun and not pushed, as the guest's page says. */
static unsigned begun(const RING_IDX *end, RING_IDX rsp_prod, RING_IDX req_prod)
{
    unsigned n = *(volatile const RING_IDX *)end - rsp_prod, requests = req_prod - rsp_prod;

    return requests <= NET_SLOTS && n <= requests ? n : 0;
}

/* Its packets may have been sent. The id of each request is still there, behind the answer. */
static void finish_tx(struct net_ring *r)
{
    const struct tx_record *rec = tx_record(r);
    unsigned n = begun(&rec->end, r->tx.rsp_prod_pvt, r->tx.sring->req_prod);

    for (unsigned i = 0; i < n; i++) {
        RING_IDX at = r->tx.rsp_prod_pvt++;
        bool extra = rec->extras[at % NET_SLOTS / 32] >> at % 32 & 1;
        netif_tx_response_t a = { .status = extra ? NETIF_RSP_NULL : NETIF_RSP_OKAY };

        if (!extra)
            a.id = RING_GET_REQUEST(&r->tx, at)->id;
        memcpy(RING_GET_RESPONSE(&r->tx, at), &a, sizeof(a));
    }
    r->tx.req_cons = r->tx.rsp_prod_pvt;
    ring_store(&r->tx.sring->rsp_prod, r->tx.rsp_prod_pvt);
}

/* What packets they were for is not known any more: their pages come back as errors. The id is the
 * first word of request and answer alike. */
static void finish_rx(struct net_ring *r)
{
    const struct rx_record *rec = rx_record(r);
    unsigned n = begun(&rec->end, r->rx.rsp_prod_pvt, r->rx.sring->req_prod);

    for (unsigned i = 0; i < n; i++) {
        RING_IDX at = r->rx.rsp_prod_pvt++;
        netif_rx_response_t a = { .status = NETIF_RSP_ERROR };

        a.id = rec->extra_end != 0 && rec->extra_end == at + 1
                   ? (uint16_t)rec->extra_id : RING_GET_REQUEST(&r->rx, at)->id;
        memcpy(RING_GET_RESPONSE(&r->rx, at), &a, sizeof(a));
    }
    r->rx.req_cons = r->rx.rsp_prod_pvt;
    ring_store(&r->rx.sring->rsp_prod, r->rx.rsp_prod_pvt);
}

void net_ring_finish(struct net_ring *r, bool again)
{
    if (again) {
        finish_tx(r);
        finish_rx(r);
    } else {
        memset(tx_record(r), 0, sizeof(struct tx_record));
        memset(rx_record(r), 0, sizeof(struct rx_record));
    }
    r->tx_told = r->tx.rsp_prod_pvt;
    r->rx_told = r->rx.rsp_prod_pvt;
}
