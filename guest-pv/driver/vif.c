/* The back end of network devices: connecting a guest's device, its rings' pages and event
 * channels. Nodes in the store are vif_nodes.c's, packets net_tx.c's, net_rx.c's and switch.c's,
 * states pair.c's; the threads are as in vbd.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "event.h"
#include "gnttab.h"
#include "net_ring.h"
#include "pair.h"
#include "serve.h"
#include "switch.h"
#include "thread.h"
#include "vif.h"
#include "vif_nodes.h"

#define BUDGET 64u                      /* packets of one turn */
#define BUDGET_BYTES 262144u            /* and not much more than so many bytes */

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
    bool has_packets, has_large;        /* the pool has a share for this device */
    struct net_ring ring;
};

static struct vif *connected;
/* Shares of the pool, small and large packets, of devices that are no more. */
static unsigned spare, spare_large;

static void on_event(port_t port, void *arg)
{
    (void)port;
    (void)arg;
    serve_soon(NETWORK);
}

/* --- Before the front end connects ------------------------------------------------------------ */

/* The pool never shrinks, so a share that somebody left is as good as a new one. */
static bool get_share(unsigned *left, bool (*grow)(unsigned n), unsigned n)
{
    if (*left == 0)
        return grow(n);
    (*left)--;
    return true;
}

static bool make(struct pair *p)
{
    struct vif *v = p->device;

    if (v == NULL)
        v = p->device = calloc(1, sizeof(*v));
    if (v == NULL)
        return pair_fail(p, "no memory");
    v->pair = p;
    if (!v->has_packets && !get_share(&spare, packets_init, PORT_QUEUE))
        return pair_fail(p, "no memory for its packets (mem= of the driver domain)");
    v->has_packets = true;
    if (!v->has_large) {
        v->has_large = get_share(&spare_large, packets_init_large, PORT_LARGE);
        if (!v->has_large)
            pair_print(p, "vif/%u: no memory for large packets (mem= of the driver domain): TCP "
                       "goes in frames", (unsigned)p->handle);
    }
    return vif_read_address(p, v->mac, &v->strict) || pair_fail(p, "it has no address");
}

static bool vif_begin(struct pair *p)
{
    if (!make(p))
        return false;
    return vif_write_features(p, ((const struct vif *)p->device)->has_large) ||
           pair_fail(p, "the store took no nodes");
}

/* --- Connecting ------------------------------------------------------------------------------- */

static bool map_rings(struct vif *v, const struct vif_front *f)
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

static bool bind_ports(struct vif *v, const struct vif_front *f)
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

static void open_vif(struct vif *v, const struct vif_front *f)
{
    net_ring_attach(&v->ring, v->page[0], v->page[1], v->pair->domid,
                    v->pair->again);
    for (unsigned i = GSO_TCPV4; i <= GSO_TCPV6; i++)
        v->ring.gso[i] = f->gso[i];
    v->told = false;
    v->next = connected;
    connected = v;
    pair_print(v->pair, "network device %u is %02x:%02x:%02x:%02x:%02x:%02x%s",
               (unsigned)v->pair->handle, v->mac[0], v->mac[1], v->mac[2], v->mac[3], v->mac[4],
               v->mac[5], v->strict ? ", no other" : "");
    if (v->ring.tx.rsp_prod_pvt != 0 || v->ring.rx.rsp_prod_pvt != 0) {
        event_send(v->tx_port);         /* who answered may have died before it could tell */
        event_send(v->rx_port);
    }
    serve_soon(NETWORK);
}

static bool vif_connect(struct pair *p)
{
    struct vif *v = p->device;
    struct vif_front f = { 0 };

    if (!vif_read_front(p, &f))
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
    open_vif(v, &f);
    return true;
}

/* --- The end ---------------------------------------------------------------------------------- */

static bool vif_disconnect(struct pair *p)
{
    struct vif *v = p->device, **at = &connected;

    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    pair_print(p, "network device %u ends: %lu packets sent, %lu received, %lu dropped, "
               "%lu refused", (unsigned)p->handle, v->port->in,
               v->port->out - v->port->nr_queued, v->port->dropped, v->ring.refused);
    switch_remove(v->port);
    close_ports(v);
    unmap_rings(v);
    serve_soon(NETWORK);                /* there are packets again */
    return true;
}

static void vif_end(struct pair *p)
{
    const struct vif *v = p->device;

    spare += v != NULL && v->has_packets;
    spare_large += v != NULL && v->has_large;
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

/* *waits: the next one waits for memory, and until some is free there is nothing to do. */
static bool get_packets(struct vif *v, uint64_t seconds, bool *waits)
{
    enum net_got got = NET_PACKET;
    unsigned i, bytes = 0;

    for (i = 0; i < BUDGET && bytes < BUDGET_BYTES; i++) {
        struct packet *p;

        got = net_ring_get(&v->ring, &p);
        if (got == NET_NONE || got == NET_NO_MEMORY)
            break;
        if (got == NET_REFUSED)
            continue;
        bytes += p->len;
        switch_forward(v->port, p, seconds);
    }
    *waits = got == NET_NO_MEMORY;
    return i != 0;
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
    bool notify_tx = false, notify_rx = false, waits;
    bool moved = get_packets(v, seconds, &waits);

    moved |= give_packets(v);
    net_ring_push(&v->ring, &notify_tx, &notify_rx);
    if (notify_tx || (notify_rx && !v->split))
        event_send(v->tx_port);
    if (notify_rx && v->split)
        event_send(v->rx_port);
    if (v->ring.stopped && !v->told) {
        v->told = true;
        pair_stop(v->pair, "senseless rings: it is served no more");
    }
    return moved || !net_ring_wait(&v->ring, !waits, port_first(v->port) != NULL);
}

bool vifs_serve(uint64_t seconds)
{
    bool moved = false;

    for (struct vif *v = connected; v != NULL; v = v->next)
        moved |= serve(v, seconds);
    return moved;
}
