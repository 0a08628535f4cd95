/* The back end of network devices: what is read and written in the store to connect a guest's
 * device, its rings' pages and event channels. Packets are net_ring.c's and switch.c's, states
 * pair.c's; the threads are as in vbd.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "console.h"
#include "event.h"
#include "gnttab.h"
#include "net_ring.h"
#include "pair.h"
#include "switch.h"
#include "thread.h"
#include "vif.h"

#define BUDGET 64u                      /* packets of one turn */

struct vif {
    struct vif *next;                   /* of those that are connected */
    struct pair *pair;
    uint8_t mac[MAC_BYTES];
    bool strict, split;
    struct port *port;                  /* of the switch */
    void *page[2];                      /* address space: transmit, receive ring */
    grant_handle_t handle[2];
    int tx_port, rx_port;               /* event channels; the same if not split */
    bool told;                          /* that the rings were stopped */
    bool has_packets;                   /* the pool has grown by this device's share */
    struct net_ring ring;
};

static struct vif *connected;
static struct thread *server;

void vif_init(void)
{
    server = current;
}

static void on_event(port_t port, void *arg)
{
    (void)port;
    (void)arg;
    thread_wake(server);
}

/* --- Before the front end connects ------------------------------------------------------------ */

/* Six numbers of two hexadecimal digits; no multicast address, not all 0. */
static bool parse_mac(const char *text, uint8_t mac[MAC_BYTES])
{
    unsigned byte[MAC_BYTES], any = 0;
    char rest;

    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4],
               &byte[5], &rest) != 6)
        return false;
    for (unsigned i = 0; i < MAC_BYTES; i++) {
        mac[i] = (uint8_t)byte[i];
        any |= byte[i];
    }
    return any != 0 && !(mac[0] & 1);
}

static bool make(struct pair *p)
{
    char mac[24], strict[4];
    struct vif *v = p->device;

    if (v == NULL)
        v = p->device = calloc(1, sizeof(*v));
    if (v == NULL)
        return pair_fail(p, "no memory");
    v->pair = p;
    if (!v->has_packets && !packets_init(PORT_QUEUE))
        return pair_fail(p, "no memory for its packets");
    v->has_packets = true;
    /* The back end's own copy: the guest may write to its own. */
    if (!xs_read(NO_TRANSACTION, back_node(p, "mac"), mac, sizeof(mac)) ||
        !parse_mac(mac, v->mac))
        return pair_fail(p, "it has no address");
    v->strict = xs_read(NO_TRANSACTION, back_node(p, "strict"), strict, sizeof(strict)) &&
                strcmp(strict, "1") == 0;
    return true;
}

static bool vif_begin(struct pair *p)
{
    if (!make(p))
        return false;
    if (!xs_write(back_node(p, "feature-rx-copy"), "1") ||
        !xs_write(back_node(p, "feature-sg"), "1") ||
        !xs_write(back_node(p, "feature-ipv6-csum-offload"), "1") ||
        !xs_write(back_node(p, "feature-split-event-channels"), "1"))
        return pair_fail(p, "the store took no nodes");
    return true;
}

/* --- Connecting ------------------------------------------------------------------------------- */

struct frontend {
    uint64_t tx_ref, rx_ref, tx_port, rx_port, copy;
    bool split;
};

static bool read_frontend(struct pair *p, struct frontend *f)
{
    uint32_t t = xs_transaction();
    bool there;

    if (t == NO_TRANSACTION)
        return false;
    there = xs_read_number(t, front_node(p, "tx-ring-ref"), UINT32_MAX, &f->tx_ref) &&
            xs_read_number(t, front_node(p, "rx-ring-ref"), UINT32_MAX, &f->rx_ref) &&
            xs_read_number(t, front_node(p, "request-rx-copy"), 1, &f->copy) && f->copy == 1;
    f->split = there && xs_read_number(t, front_node(p, "event-channel-tx"), MAX_PORT,
                                       &f->tx_port);
    if (f->split)
        there = xs_read_number(t, front_node(p, "event-channel-rx"), MAX_PORT, &f->rx_port);
    else
        there = there && xs_read_number(t, front_node(p, "event-channel"), MAX_PORT, &f->tx_port);
    return xs_transaction_end(t) && there;
}

static bool map_rings(struct vif *v, const struct frontend *f)
{
    for (unsigned i = 0; i < 2; i++) {
        if (v->page[i] == NULL)
            v->page[i] = va_alloc(1);
        if (grant_map((uint64_t)v->page[i], GNTMAP_host_map, v->pair->domid,
                      (grant_ref_t)(i == 0 ? f->tx_ref : f->rx_ref), &v->handle[i]) == 0)
            continue;
        if (i == 1)
            grant_unmap((uint64_t)v->page[0], v->handle[0]);
        return false;
    }
    return true;
}

static void unmap_rings(struct vif *v)
{
    for (unsigned i = 0; i < 2; i++)
        grant_unmap((uint64_t)v->page[i], v->handle[i]);
}

static bool bind_ports(struct vif *v, const struct frontend *f)
{
    domid_t domid = v->pair->domid;

    v->split = f->split;
    v->tx_port = v->rx_port = event_bind_interdomain(domid, (port_t)f->tx_port, on_event, NULL);
    if (v->tx_port < 0 || !f->split)
        return v->tx_port >= 0;
    v->rx_port = event_bind_interdomain(domid, (port_t)f->rx_port, on_event, NULL);
    if (v->rx_port >= 0)
        return true;
    event_close(v->tx_port);
    return false;
}

static void close_ports(struct vif *v)
{
    event_close(v->tx_port);
    if (v->split)
        event_close(v->rx_port);
}

static void open_vif(struct vif *v)
{
    net_ring_attach(&v->ring, v->page[0], v->page[1], v->pair->domid);
    v->told = false;
    v->next = connected;
    connected = v;
    kprintf("driver: d%u: network device %u is %02x:%02x:%02x:%02x:%02x:%02x%s\n",
            v->pair->domid, (unsigned)v->pair->handle, v->mac[0], v->mac[1], v->mac[2], v->mac[3],
            v->mac[4], v->mac[5], v->strict ? ", no other" : "");
    if (v->ring.tx.rsp_prod_pvt != 0 || v->ring.rx.rsp_prod_pvt != 0) {
        event_send(v->tx_port);         /* who answered may have died before it could tell */
        event_send(v->rx_port);
    }
    thread_wake(server);
}

static bool vif_connect(struct pair *p)
{
    struct vif *v = p->device;
    struct frontend f = { 0 };

    if (!read_frontend(p, &f))
        return pair_fail(p, "its front end names no rings and ports, or wants no copies");
    if (!map_rings(v, &f))
        return pair_fail(p, "its rings cannot be mapped");
    if (!bind_ports(v, &f)) {
        unmap_rings(v);
        return pair_fail(p, "its event channels cannot be bound");
    }
    v->port = switch_add(v->mac, v->strict);
    if (v->port == NULL) {
        close_ports(v);
        unmap_rings(v);
        return pair_fail(p, "the switch has no port left");
    }
    open_vif(v);
    return true;
}

/* --- The end ---------------------------------------------------------------------------------- */

static void vif_disconnect(struct pair *p)
{
    struct vif *v = p->device, **at = &connected;

    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    kprintf("driver: d%u: network device %u ends: %lu packets sent, %lu received, %lu dropped, "
            "%lu refused\n", p->domid, (unsigned)p->handle, v->port->in,
            v->port->out - v->port->nr_queued, v->port->dropped, v->ring.refused);
    switch_remove(v->port);
    close_ports(v);
    unmap_rings(v);
    thread_wake(server);                /* there are packets again */
}

static void vif_end(struct pair *p)
{
    free(p->device);
    p->device = NULL;
}

const struct backend vif_backend = {
    .type = "vif",
    .begin = vif_begin,
    .connect = vif_connect,
    .disconnect = vif_disconnect,
    .end = vif_end,
};

/* --- Serving ---------------------------------------------------------------------------------- */

static bool take_packets(struct vif *v, uint64_t seconds)
{
    enum net_take taken = NET_PACKET;
    unsigned i;

    for (i = 0; i < BUDGET && taken != NET_NONE; i++) {
        struct packet *p = packet_new();

        if (p == NULL)                  /* they wait in the guest's ring */
            break;
        taken = net_ring_take(&v->ring, p);
        if (taken == NET_PACKET)
            switch_forward(v->port, p, seconds);
        else
            packet_put(p);
    }
    return i > 1 || (i == 1 && taken != NET_NONE);
}

static bool give_packets(struct vif *v)
{
    struct packet *p;
    bool moved = false;

    while ((p = port_first(v->port)) != NULL && net_ring_give(&v->ring, p)) {
        port_drop_first(v->port);
        moved = true;
    }
    return moved;
}

static bool serve(struct vif *v, uint64_t seconds)
{
    bool notify_tx = false, notify_rx = false;
    bool moved = take_packets(v, seconds);

    moved |= give_packets(v);
    net_ring_push(&v->ring, &notify_tx, &notify_rx);
    if (notify_tx || (notify_rx && !v->split))
        event_send(v->tx_port);
    if (notify_rx && v->split)
        event_send(v->rx_port);
    if (v->ring.stopped && !v->told) {
        v->told = true;
        kprintf("driver: d%u: network device %u: senseless rings: it is served no more\n",
                v->pair->domid, (unsigned)v->pair->handle);
    }
    /* Without a free packet there is nothing to be done until a card or a guest has taken some. */
    return moved ||
           (!net_ring_wait(&v->ring, port_first(v->port) != NULL) && packets_free() != 0);
}

bool vifs_serve(uint64_t seconds)
{
    bool moved = false;

    for (struct vif *v = connected; v != NULL; v = v->next)
        moved |= serve(v, seconds);
    return moved;
}
