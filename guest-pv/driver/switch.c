/* The switch. The addresses of the guests' devices are known from the store and never move; others
 * are learned, so many for each port and in all, and forgotten when they were not seen for some
 * minutes. A packet for an unknown address goes to the uplinks only, as all guests are known;
 * broadcast and multicast go to everybody else. Each port has a queue of its own: a guest that
 * takes none of its packets loses its own. Called by vif.c and virtio_net.c. */
#include <stddef.h>
#include <string.h>
#include "switch.h"

#define ADDRESSES 1024u                 /* a power of two */
#define PER_PORT 64u
#define TRIES 8u                        /* places where an address may be */
#define AGE_SECONDS 300u

struct address {
    uint8_t mac[MAC_BYTES];
    struct port *port;                  /* NULL: free */
    uint64_t seen;
};

static struct port ports[SWITCH_PORTS];
static unsigned nr_ports;               /* those above were never used */
static struct address addresses[ADDRESSES];

static bool is_multicast(const uint8_t *mac)
{
    return mac[0] & 1;
}

static bool is_same(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, MAC_BYTES) == 0;
}

/* --- Ports ------------------------------------------------------------------------------------ */

struct port *switch_add(const uint8_t *mac, bool strict)
{
    unsigned i = 0;

    while (i < nr_ports && ports[i].used)
        i++;
    if (i == SWITCH_PORTS)
        return NULL;
    if (i == nr_ports)
        nr_ports++;
    memset(&ports[i], 0, sizeof(ports[i]));
    ports[i].used = true;
    ports[i].uplink = mac == NULL;
    ports[i].strict = strict;
    if (mac != NULL)
        memcpy(ports[i].mac, mac, MAC_BYTES);
    return &ports[i];
}

void switch_remove(struct port *p)
{
    while (p->nr_queued != 0)
        port_drop_first(p);
    for (unsigned i = 0; i < ADDRESSES; i++)
        if (addresses[i].port == p)
            addresses[i].port = NULL;
    p->used = false;
}

struct packet *port_first(struct port *p)
{
    return p->nr_queued != 0 ? p->queue[p->first] : NULL;
}

void port_drop_first(struct port *p)
{
    p->nr_large -= p->queue[p->first]->large;
    packet_put(p->queue[p->first]);
    p->first = (p->first + 1) % PORT_QUEUE;
    p->nr_queued--;
}

static void enqueue(struct port *p, struct packet *packet)
{
    if (p->nr_queued == PORT_QUEUE || (packet->large && p->nr_large == PORT_LARGE)) {
        p->dropped++;
        return;
    }
    packet_get(packet);
    p->queue[(p->first + p->nr_queued++) % PORT_QUEUE] = packet;
    p->nr_large += packet->large;
    p->out++;
}

/* --- Addresses -------------------------------------------------------------------------------- */

static struct port *static_port(const uint8_t *mac)
{
    for (unsigned i = 0; i < nr_ports; i++)
        if (ports[i].used && !ports[i].uplink && is_same(ports[i].mac, mac))
            return &ports[i];
    return NULL;
}

static unsigned hash(const uint8_t *mac)
{
    unsigned h = 0;

    for (unsigned i = 0; i < MAC_BYTES; i++)
        h = h * 31 + mac[i];
    return h;
}

static struct address *find(const uint8_t *mac)
{
    for (unsigned i = 0; i < TRIES; i++) {
        struct address *a = &addresses[(hash(mac) + i) % ADDRESSES];

        if (a->port != NULL && is_same(a->mac, mac))
            return a;
    }
    return NULL;
}

static void forget(struct address *a)
{
    a->port->learned--;
    a->port = NULL;
}

/* A free place, or that of an address that is old. */
static struct address *find_place(const uint8_t *mac, uint64_t seconds)
{
    for (unsigned i = 0; i < TRIES; i++) {
        struct address *a = &addresses[(hash(mac) + i) % ADDRESSES];

        if (a->port != NULL && a->seen + AGE_SECONDS < seconds)
            forget(a);
        if (a->port == NULL)
            return a;
    }
    return NULL;
}

static void learn(struct port *from, const uint8_t *mac, uint64_t seconds)
{
    struct address *a = find(mac);

    if (a != NULL && a->port->uplink && !from->uplink && a->seen + AGE_SECONDS >= seconds)
        return;                         /* what is behind a card does not move to a guest */
    if (a != NULL && a->port != from) {
        forget(a);                      /* it has moved */
        a = NULL;
    }
    if (a == NULL) {
        if (from->learned == PER_PORT)
            return;
        a = find_place(mac, seconds);
        if (a == NULL)
            return;
        memcpy(a->mac, mac, MAC_BYTES);
        a->port = from;
        from->learned++;
    }
    a->seen = seconds;
}

static struct port *lookup(const uint8_t *mac, uint64_t seconds)
{
    struct port *p = static_port(mac);
    struct address *a = p == NULL ? find(mac) : NULL;

    return a != NULL && a->seen + AGE_SECONDS >= seconds ? a->port : p;
}

/* --- Packets ---------------------------------------------------------------------------------- */

/* The sender's address is one that it may have. */
static bool is_acceptable(struct port *from, const uint8_t *source, uint64_t seconds)
{
    struct port *owner = static_port(source);

    if (is_multicast(source))
        return false;
    if (owner != NULL)
        return owner == from;           /* nobody takes the address of another guest's device */
    if (from->strict)
        return false;
    learn(from, source, seconds);
    return true;
}

static void flood(struct port *from, struct packet *p, bool uplinks_only)
{
    for (unsigned i = 0; i < nr_ports; i++)
        if (ports[i].used && &ports[i] != from && (ports[i].uplink || !uplinks_only))
            enqueue(&ports[i], p);
}

void switch_forward(struct port *from, struct packet *p, uint64_t seconds)
{
    const uint8_t *destination = p->bytes;
    struct port *to;

    from->in++;
    if (!is_acceptable(from, p->bytes + MAC_BYTES, seconds)) {
        from->dropped++;
    } else if (is_multicast(destination)) {
        flood(from, p, false);
    } else {
        to = lookup(destination, seconds);
        if (to == NULL)
            flood(from, p, true);
        else if (to != from)
            enqueue(to, p);
    }
    packet_put(p);
}
