/* Takes packets out of a guest's transmit ring and puts packets into the pages of its receive ring,
 * both by GNTTABOP_copy. A packet of the guest's is up to MAX_PARTS requests, each a part of a
 * granted page; the first says how long all is. What is no packet is answered with an error, slot
 * by slot, as long as it is clear which slots belong to it; else the device is stopped. Called by
 * vif.c. */
#include <string.h>
#include "net_ring.h"

#define PAGE 4096u
#define MAX_PARTS 18u                   /* XEN_NETIF_NR_SLOTS_MIN: more, no front end sends */

void net_ring_attach(struct net_ring *r, void *tx_page, void *rx_page, domid_t domid)
{
    netif_tx_sring_t *tx = tx_page;
    netif_rx_sring_t *rx = rx_page;
    RING_IDX tx_answered = *(volatile RING_IDX *)&tx->rsp_prod,
             rx_answered = *(volatile RING_IDX *)&rx->rsp_prod;

    memset(r, 0, sizeof(*r));
    BACK_RING_ATTACH(&r->tx, tx, tx_answered, PAGE);
    BACK_RING_ATTACH(&r->rx, rx, rx_answered, PAGE);
    r->domid = domid;
}

/* --- From the guest --------------------------------------------------------------------------- */

static unsigned tx_waiting(struct net_ring *r)
{
    RING_IDX there = *(volatile RING_IDX *)&r->tx.sring->req_prod;

    xen_rmb();
    if (there - r->tx.rsp_prod_pvt > NET_SLOTS || there - r->tx.req_cons > NET_SLOTS)
        r->stopped = true;
    return r->stopped ? 0 : there - r->tx.req_cons;
}

static void answer(struct net_ring *r, uint16_t id, int16_t status)
{
    netif_tx_response_t a;

    memset(&a, 0, sizeof(a));
    a.id = id;
    a.status = status;
    memcpy(RING_GET_RESPONSE(&r->tx, r->tx.rsp_prod_pvt), &a, sizeof(a));
    r->tx.rsp_prod_pvt++;
}

struct parts {
    netif_tx_request_t part[MAX_PARTS];
    unsigned n, extras;                 /* the extras follow the first part */
    bool good;
};

/* Copies the next slot (N1). */
static netif_tx_request_t next_slot(struct net_ring *r)
{
    netif_tx_request_t q;

    memcpy(&q, RING_GET_REQUEST(&r->tx, r->tx.req_cons), sizeof(q));
    __asm__ volatile("" ::: "memory");
    r->tx.req_cons++;
    return q;
}

/* Extras stand between the first part and the others. None was offered, so one makes the packet a
 * wrong one, but its slots are clear. */
static bool take_extras(struct net_ring *r, struct parts *p, unsigned *left)
{
    netif_extra_info_t extra;
    netif_tx_request_t q;

    do {
        if (*left == 0 || p->extras == XEN_NETIF_EXTRA_TYPE_MAX - 1)
            return false;
        (*left)--;
        q = next_slot(r);
        memcpy(&extra, &q, sizeof(extra));
        p->extras++;
        if (extra.type == XEN_NETIF_EXTRA_TYPE_NONE || extra.type >= XEN_NETIF_EXTRA_TYPE_MAX)
            return false;
    } while (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
    p->good = false;
    return true;
}

/* False: the slots of the packet are not clear, or not all there. */
static bool take_parts(struct net_ring *r, struct parts *p, unsigned left)
{
    *p = (struct parts){ .good = true };
    do {
        if (left == 0 || p->n == MAX_PARTS)
            return false;
        left--;
        p->part[p->n] = next_slot(r);
        if (p->n == 0 && (p->part[0].flags & NETTXF_extra_info) && !take_extras(r, p, &left))
            return false;
    } while (p->part[p->n++].flags & NETTXF_more_data);
    return true;
}

/* The first part's size is that of the whole packet; its own is what the others leave. */
static bool sizes_are_good(struct parts *p)
{
    unsigned rest = p->part[0].size;

    if (!p->good || rest < PACKET_MIN || rest > PACKET_MAX)
        return false;
    for (unsigned i = 1; i < p->n; i++) {
        if (p->part[i].size == 0 || p->part[i].size >= rest)
            return false;
        rest -= p->part[i].size;
    }
    p->part[0].size = (uint16_t)rest;
    if (rest < PACKET_MIN)
        return false;
    for (unsigned i = 0; i < p->n; i++)
        if ((unsigned)p->part[i].offset + p->part[i].size > PAGE)
            return false;
    return true;
}

static bool copy_parts(struct net_ring *r, const struct parts *parts, struct packet *p)
{
    struct gnttab_copy ops[MAX_PARTS];
    unsigned len = 0;
    bool good = true;

    for (unsigned i = 0; i < parts->n; i++) {
        uint8_t *to = p->bytes + len;

        ops[i] = (struct gnttab_copy){
            .source = { .u.ref = parts->part[i].gref, .domid = r->domid,
                        .offset = parts->part[i].offset },
            .dest = { .u.gmfn = driver_host->frame(to), .domid = DOMID_SELF,
                      .offset = (uintptr_t)to % PAGE },
            .len = parts->part[i].size,
            .flags = GNTCOPY_source_gref,
            .status = GNTST_general_error,
        };
        len += parts->part[i].size;
    }
    driver_host->copy(ops, parts->n);
    for (unsigned i = 0; i < parts->n; i++)
        good &= ops[i].status == GNTST_okay;
    p->len = (uint16_t)len;
    p->csum_blank = parts->part[0].flags & NETTXF_csum_blank;
    return good;
}

static void answer_all(struct net_ring *r, const struct parts *p, int16_t status)
{
    answer(r, p->part[0].id, status);
    for (unsigned i = 0; i < p->extras; i++)
        answer(r, 0, NETIF_RSP_NULL);
    for (unsigned i = 1; i < p->n; i++)
        answer(r, p->part[i].id, status);
}

enum net_take net_ring_take(struct net_ring *r, struct packet *p)
{
    unsigned n = r->stopped ? 0 : tx_waiting(r);
    struct parts parts;
    bool good;

    if (n == 0)
        return NET_NONE;
    if (!take_parts(r, &parts, n)) {
        r->stopped = true;
        return NET_NONE;
    }
    good = sizes_are_good(&parts) && copy_parts(r, &parts, p);
    answer_all(r, &parts, good ? NETIF_RSP_OKAY : NETIF_RSP_ERROR);
    r->refused += !good;
    return good ? NET_PACKET : NET_REFUSED;
}

/* --- To the guest ----------------------------------------------------------------------------- */

static unsigned rx_waiting(struct net_ring *r)
{
    RING_IDX there = *(volatile RING_IDX *)&r->rx.sring->req_prod;

    xen_rmb();
    if (there - r->rx.req_cons > NET_SLOTS)
        r->stopped = true;
    return r->stopped ? 0 : there - r->rx.req_cons;
}

bool net_ring_give(struct net_ring *r, const struct packet *p)
{
    netif_rx_request_t q;
    netif_rx_response_t a;
    struct gnttab_copy op;

    if (r->stopped || rx_waiting(r) == 0)
        return false;
    memcpy(&q, RING_GET_REQUEST(&r->rx, r->rx.req_cons), sizeof(q));
    __asm__ volatile("" ::: "memory");
    r->rx.req_cons++;
    op = (struct gnttab_copy){
        .source = { .u.gmfn = driver_host->frame(p->bytes), .domid = DOMID_SELF,
                    .offset = (uintptr_t)p->bytes % PAGE },
        .dest = { .u.ref = q.gref, .domid = r->domid },
        .len = p->len,
        .flags = GNTCOPY_dest_gref,
        .status = GNTST_general_error,
    };
    driver_host->copy(&op, 1);
    memset(&a, 0, sizeof(a));
    a.id = q.id;
    a.flags = p->csum_blank ? NETRXF_csum_blank | NETRXF_data_validated : 0;
    a.status = op.status == GNTST_okay ? (int16_t)p->len : NETIF_RSP_ERROR;
    memcpy(RING_GET_RESPONSE(&r->rx, r->rx.rsp_prod_pvt), &a, sizeof(a));
    r->rx.rsp_prod_pvt++;
    return true;
}

/* --- Both ------------------------------------------------------------------------------------- */

void net_ring_push(struct net_ring *r, bool *notify_tx, bool *notify_rx)
{
    int wanted;

    if (r->tx.rsp_prod_pvt != r->tx.sring->rsp_prod) {
        RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&r->tx, wanted);
        *notify_tx |= wanted;
    }
    if (r->rx.rsp_prod_pvt != r->rx.sring->rsp_prod) {
        RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&r->rx, wanted);
        *notify_rx |= wanted;
    }
}

bool net_ring_wait(struct net_ring *r, bool room_wanted)
{
    if (r->stopped)
        return true;
    r->tx.sring->req_event = r->tx.req_cons + 1;
    if (room_wanted)
        r->rx.sring->req_event = r->rx.req_cons + 1;
    xen_mb();
    return tx_waiting(r) == 0 && !(room_wanted && rx_waiting(r) != 0);
}
