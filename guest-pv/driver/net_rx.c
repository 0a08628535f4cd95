/* Puts packets into the pages of a guest's receive ring by GNTTABOP_copy, and what the two rings
 * have in common. A packet takes a slot for each page of it, and one that says that it is TCP to be
 * cut into frames takes one more for that; a guest that does not take it so gets the frames. Called
 * by vif.c. */
#include <string.h>
#include "gso.h"
#include "net_ring.h"

#define PAGE 4096u
#define MAX_PAGES 16u                   /* of a packet */

void net_ring_attach(struct net_ring *r, void *tx_page, void *rx_page, domid_t domid, bool again)
{
    netif_tx_sring_t *tx = tx_page;
    netif_rx_sring_t *rx = rx_page;
    RING_IDX tx_answered = *(volatile RING_IDX *)&tx->rsp_prod,
             rx_answered = *(volatile RING_IDX *)&rx->rsp_prod;

    memset(r, 0, sizeof(*r));
    BACK_RING_ATTACH(&r->tx, tx, tx_answered, PAGE);
    BACK_RING_ATTACH(&r->rx, rx, rx_answered, PAGE);
    r->domid = domid;
    net_ring_finish(r, again);
}

unsigned net_rx_waiting(struct net_ring *r)
{
    RING_IDX there = *(volatile RING_IDX *)&r->rx.sring->req_prod;

    xen_rmb();
    if (there - r->rx.req_cons > NET_SLOTS)
        r->stopped = true;
    return r->stopped ? 0 : there - r->rx.req_cons;
}

/* --- Slots ------------------------------------------------------------------------------------ */

/* A request that waits, copied (N1). */
static netif_rx_request_t slot_at(const struct net_ring *r, RING_IDX i)
{
    netif_rx_request_t q;

    memcpy(&q, RING_GET_REQUEST(&r->rx, i), sizeof(q));
    __asm__ volatile("" ::: "memory");
    return q;
}

/* Answers the oldest request. (N3) */
static void put_slot(struct net_ring *r, const void *response)
{
    ring_store(&rx_record(r)->end, r->rx.rsp_prod_pvt + 1);
    memcpy(RING_GET_RESPONSE(&r->rx, r->rx.rsp_prod_pvt), response, sizeof(netif_rx_response_t));
    r->rx.rsp_prod_pvt++;
    r->rx.req_cons++;
}

/* status: bytes in its page, or an error. */
static void answer(struct net_ring *r, uint16_t id, uint16_t flags, int status)
{
    netif_rx_response_t a;

    memset(&a, 0, sizeof(a));
    a.id = id;
    a.flags = flags;
    a.status = (int16_t)status;
    put_slot(r, &a);
}

/* Behind the first slot; the page of the request in its place is not used. The record has room for
 * one that is not pushed: so the packets before this one have been. */
static void put_extra(struct net_ring *r, const struct packet *p)
{
    struct rx_record *rec = rx_record(r);
    netif_extra_info_t extra;

    rec->extra_id = slot_at(r, r->rx.req_cons).id;
    ring_store(&rec->extra_end, r->rx.rsp_prod_pvt + 1);

    memset(&extra, 0, sizeof(extra));
    extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
    extra.u.gso.size = p->gso_size;
    extra.u.gso.type = p->gso;
    put_slot(r, &extra);
}

/* A copy of our bytes, which lie in one page, to the place in the guest's page. */
static struct gnttab_copy copy_of(const struct net_ring *r, const uint8_t *from, unsigned len,
                                  grant_ref_t ref, unsigned offset)
{
    return (struct gnttab_copy){
        .source = { .u.gmfn = driver_host->frame(from), .domid = DOMID_SELF,
                    .offset = (uintptr_t)from % PAGE },
        .dest = { .u.ref = ref, .domid = r->domid, .offset = (uint16_t)offset },
        .len = (uint16_t)len,
        .flags = GNTCOPY_dest_gref,
        .status = GNTST_general_error,
    };
}

/* --- As it is --------------------------------------------------------------------------------- */

static uint16_t flags_of(const struct packet *p)
{
    return p->csum_blank  ? NETRXF_csum_blank | NETRXF_data_validated
           : p->csum_good ? NETRXF_data_validated
                          : 0;
}

static void give_whole(struct net_ring *r, const struct packet *p)
{
    unsigned n = (p->len + PAGE - 1) / PAGE;
    struct gnttab_copy ops[MAX_PAGES];
    uint16_t id[MAX_PAGES], flags = flags_of(p);
    bool extra = p->gso != GSO_NONE;

    if (extra)
        ring_store(&r->rx.sring->rsp_prod, r->rx.rsp_prod_pvt);
    for (unsigned i = 0; i < n; i++) {
        netif_rx_request_t q = slot_at(r, r->rx.req_cons + i + (extra && i != 0));
        unsigned left = p->len - i * PAGE;

        id[i] = q.id;
        ops[i] = copy_of(r, p->bytes + i * PAGE, left < PAGE ? left : PAGE, q.gref, 0);
    }
    driver_host->copy(ops, n);
    for (unsigned i = 0; i < n; i++) {
        answer(r, id[i], (uint16_t)(flags | (i + 1 < n ? NETRXF_more_data : 0) |
                                    (extra && i == 0 ? NETRXF_extra_info : 0)),
               ops[i].status == GNTST_okay ? (int)ops[i].len : NETIF_RSP_ERROR);
        if (extra && i == 0)
            put_extra(r, p);
        flags = 0;
    }
}

/* --- In frames -------------------------------------------------------------------------------- */

static void give_frame(struct net_ring *r, const struct packet *p, unsigned number)
{
    static uint8_t headers[HEADERS_MAX] __attribute__((aligned(HEADERS_MAX)));
    struct segment s = gso_frame(p, number, headers);
    netif_rx_request_t q = slot_at(r, r->rx.req_cons);
    unsigned before = PAGE - s.at % PAGE, n = 0;
    struct gnttab_copy ops[3];
    bool good = true;

    if (before > s.len)
        before = s.len;
    ops[n++] = copy_of(r, headers, s.headers, q.gref, 0);
    ops[n++] = copy_of(r, p->bytes + s.at, before, q.gref, s.headers);
    if (before != s.len)
        ops[n++] = copy_of(r, p->bytes + s.at + before, s.len - before, q.gref,
                           s.headers + before);
    driver_host->copy(ops, n);
    for (unsigned i = 0; i < n; i++)
        good &= ops[i].status == GNTST_okay;
    answer(r, q.id, flags_of(p), good ? (int)(s.headers + s.len) : NETIF_RSP_ERROR);
}

static bool give_frames(struct net_ring *r, const struct packet *p)
{
    unsigned n = gso_frames(p), room = net_rx_waiting(r);

    for (; r->nr_given < n && room != 0; room--)
        give_frame(r, p, r->nr_given++);
    if (r->nr_given < n) {
        r->room_needed = 1;
        return false;
    }
    r->nr_given = 0;
    return true;
}

bool net_ring_give(struct net_ring *r, const struct packet *p)
{
    unsigned room;

    if (r->stopped)
        return false;
    if (p->gso != GSO_NONE && !r->gso[p->gso])
        return give_frames(r, p);
    r->room_needed = (p->len + PAGE - 1) / PAGE + (p->gso != GSO_NONE);
    room = net_rx_waiting(r);
    if (room < r->room_needed)
        return false;
    give_whole(r, p);
    return true;
}

/* --- Both ------------------------------------------------------------------------------------- */

static bool push(RING_IDX *told, RING_IDX now, RING_IDX *rsp_prod, const RING_IDX *rsp_event)
{
    RING_IDX before = *told;

    if (now == before)
        return false;
    *told = now;
    ring_store(rsp_prod, now);
    return ring_wants_event(rsp_event, before, now);
}

void net_ring_push(struct net_ring *r, bool *notify_tx, bool *notify_rx)
{
    *notify_tx |= push(&r->tx_told, r->tx.rsp_prod_pvt, &r->tx.sring->rsp_prod,
                       &r->tx.sring->rsp_event);
    *notify_rx |= push(&r->rx_told, r->rx.rsp_prod_pvt, &r->rx.sring->rsp_prod,
                       &r->rx.sring->rsp_event);
}

bool net_ring_wait(struct net_ring *r, bool packet_wanted, bool room_wanted)
{
    if (r->stopped)
        return true;
    if (packet_wanted)
        r->tx.sring->req_event = r->tx.req_cons + 1;
    if (room_wanted)
        r->rx.sring->req_event = r->rx.req_cons + r->room_needed;
    xen_mb();
    return !(packet_wanted && net_tx_waiting(r) != 0) &&
           !(room_wanted && net_rx_waiting(r) >= r->room_needed);
}
