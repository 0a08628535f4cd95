/* Takes packets out of a guest's transmit ring by GNTTABOP_copy. A packet is up to MAX_PARTS
 * requests, each a part of a granted page; the first says how long all is, and an extra slot behind
 * it that it is TCP to be cut into frames. What is no packet is answered with an error, slot by
 * slot, as long as it is clear which slots belong to it; else the device is stopped. Called by
 * vif.c. */
#include <string.h>
#include "gso.h"
#include "net_ring.h"

#define PAGE 4096u
#define MAX_PARTS 18u                   /* XEN_NETIF_NR_SLOTS_MIN: more, no front end sends */
/* A part may lie in two pages of ours. */
#define MAX_COPIES (2 * MAX_PARTS)

unsigned net_tx_waiting(struct net_ring *r)
{
    RING_IDX there = *(volatile RING_IDX *)&r->tx.sring->req_prod;

    xen_rmb();
    if (there - r->tx.rsp_prod_pvt > NET_SLOTS || there - r->tx.req_cons > NET_SLOTS)
        r->stopped = true;
    return r->stopped ? 0 : there - r->tx.req_cons;
}

struct parts {
    netif_tx_request_t part[MAX_PARTS];
    unsigned n, extras;                 /* the extras follow the first part */
    unsigned len;                       /* of all */
    uint8_t gso;
    uint16_t gso_size;
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

/* --- Judging ---------------------------------------------------------------------------------- */

/* One for each packet, of a kind that was offered; nothing but 0 is defined for the features. */
static bool set_gso(struct parts *p, const netif_extra_info_t *extra)
{
    if (extra->type != XEN_NETIF_EXTRA_TYPE_GSO || p->gso != GSO_NONE ||
        (extra->u.gso.type != GSO_TCPV4 && extra->u.gso.type != GSO_TCPV6) ||
        extra->u.gso.size == 0 || extra->u.gso.features != 0)
        return false;
    p->gso = extra->u.gso.type;
    p->gso_size = extra->u.gso.size;
    return true;
}

/* Extras stand between the first part and the others. A wrong one makes the packet a wrong one, but
 * its slots are clear. */
static bool parse_extras(struct net_ring *r, struct parts *p, unsigned *left)
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
        p->good &= set_gso(p, &extra);
    } while (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
    return true;
}

/* False: the slots of the packet are not clear, or not all there. */
static bool parse_parts(struct net_ring *r, struct parts *p, unsigned left)
{
    p->n = p->extras = 0;
    p->gso = GSO_NONE;
    p->good = true;
    do {
        if (left == 0 || p->n == MAX_PARTS)
            return false;
        left--;
        p->part[p->n] = next_slot(r);
        if (p->n == 0 && (p->part[0].flags & NETTXF_extra_info) && !parse_extras(r, p, &left))
            return false;
    } while (p->part[p->n++].flags & NETTXF_more_data);
    return true;
}

/* The first part's size is that of the whole packet; its own is what the others leave. */
static bool sizes_are_good(struct parts *p)
{
    unsigned rest = p->len = p->part[0].size;

    if (!p->good || rest < PACKET_MIN || (rest > PACKET_MAX && p->gso == GSO_NONE))
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

/* --- Copying ---------------------------------------------------------------------------------- */

/* A copy from the part to our memory, up to the end of a page of it. */
static unsigned add_copy(struct gnttab_copy *op, domid_t domid, const netif_tx_request_t *part,
                         unsigned done, uint8_t *to)
{
    unsigned offset = (uintptr_t)to % PAGE, n = part->size - done;

    if (n > PAGE - offset)
        n = PAGE - offset;
    *op = (struct gnttab_copy){
        .source = { .u.ref = part->gref, .domid = domid,
                    .offset = (uint16_t)(part->offset + done) },
        .dest = { .u.gmfn = driver_host->frame(to), .domid = DOMID_SELF,
                  .offset = (uint16_t)offset },
        .len = (uint16_t)n,
        .flags = GNTCOPY_source_gref,
        .status = GNTST_general_error,
    };
    return n;
}

static bool copy_parts(struct net_ring *r, const struct parts *parts, struct packet *p)
{
    struct gnttab_copy ops[MAX_COPIES];
    unsigned len = 0, n = 0;
    bool good = true;

    for (unsigned i = 0; i < parts->n; i++)
        for (unsigned done = 0; done < parts->part[i].size;) {
            unsigned bytes = add_copy(&ops[n++], r->domid, &parts->part[i], done, p->bytes + len);

            done += bytes;
            len += bytes;
        }
    driver_host->copy(ops, n);
    for (unsigned i = 0; i < n; i++)
        good &= ops[i].status == GNTST_okay;
    p->len = (uint16_t)len;
    p->csum_blank = parts->part[0].flags & NETTXF_csum_blank;
    p->csum_good = parts->part[0].flags & NETTXF_data_validated;
    p->gso = parts->gso;
    p->gso_size = parts->gso_size;
    return good && (p->gso == GSO_NONE || gso_judge(p));
}

/* --- Answers ---------------------------------------------------------------------------------- */

static void answer(struct net_ring *r, uint16_t id, int16_t status)
{
    netif_tx_response_t a;

    memset(&a, 0, sizeof(a));
    a.id = id;
    a.status = status;
    memcpy(RING_GET_RESPONSE(&r->tx, r->tx.rsp_prod_pvt), &a, sizeof(a));
    r->tx.rsp_prod_pvt++;
}

/* Before the first of a packet's answers is written, so that its slots belong together. (N3) */
static void record_answers(struct net_ring *r, const struct parts *p)
{
    RING_IDX first = r->tx.rsp_prod_pvt, end = first + p->n + p->extras;
    struct tx_record *rec = tx_record(r);

    for (RING_IDX i = first; i != end; i++) {
        uint32_t bit = 1u << i % 32, *word = &rec->extras[i % NET_SLOTS / 32];
        bool extra = i != first && i - first <= p->extras;

        *word = extra ? *word | bit : *word & ~bit;
    }
    ring_store(&rec->end, end);
}

static void answer_all(struct net_ring *r, const struct parts *p, int16_t status)
{
    record_answers(r, p);
    answer(r, p->part[0].id, status);
    for (unsigned i = 0; i < p->extras; i++)
        answer(r, 0, NETIF_RSP_NULL);
    for (unsigned i = 1; i < p->n; i++)
        answer(r, p->part[i].id, status);
}

/* What was begun is begun again when there is memory: nothing of it is remembered. */
static enum net_got come_back(struct net_ring *r, RING_IDX first)
{
    r->tx.req_cons = first;
    return NET_NO_MEMORY;
}

enum net_got net_ring_get(struct net_ring *r, struct packet **p)
{
    unsigned n = r->stopped ? 0 : net_tx_waiting(r);
    RING_IDX first = r->tx.req_cons;
    struct parts parts;
    bool good;

    if (n == 0)
        return NET_NONE;
    if (!parse_parts(r, &parts, n)) {
        r->stopped = true;
        return NET_NONE;
    }
    good = sizes_are_good(&parts);
    if (good) {
        *p = packet_new_for(parts.len);
        if (*p == NULL)
            return come_back(r, first);
        good = copy_parts(r, &parts, *p);
        if (!good)
            packet_put(*p);
    }
    answer_all(r, &parts, good ? NETIF_RSP_OKAY : NETIF_RSP_ERROR);
    r->refused += !good;
    return good ? NET_PACKET : NET_REFUSED;
}
