/* A learning switch between the guests' network devices and the machine's network cards. */
#ifndef DRIVER_SWITCH_H
#define DRIVER_SWITCH_H

#include <stdbool.h>
#include <stdint.h>
#include "packet.h"

#define SWITCH_PORTS 256u
#define PORT_QUEUE 128u                 /* packets that wait for a port */
#define PORT_LARGE 16u                  /* of them large ones */
#define MAC_BYTES 6u

struct port {
    bool used;
    bool uplink;                        /* a network card: unknown addresses are behind it */
    bool strict;                        /* only packets from its own address are passed */
    uint8_t mac[MAC_BYTES];             /* of a guest's device: static */
    unsigned learned;                   /* addresses in the table */
    struct packet *queue[PORT_QUEUE];
    unsigned first, nr_queued, nr_large;
    uint64_t in, out, dropped;          /* packets */
};

/* NULL: there are too many. mac NULL: an uplink. */
struct port *switch_add(const uint8_t *mac, bool strict);
void switch_remove(struct port *p);     /* its packets are dropped, its addresses forgotten */
/* A packet came in at this port, at this time in seconds: it is queued where it belongs. Takes over
 * the reference. */
void switch_forward(struct port *from, struct packet *p, uint64_t seconds);
struct packet *port_first(struct port *p);      /* NULL: none waits */
void port_drop_first(struct port *p);   /* it was sent, or cannot be */

#endif
