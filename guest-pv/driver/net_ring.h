/* The two rings of a guest's network device, as the back end sees them (public/io/netif.h): what
 * the guest sends is net_tx.c's, what it receives net_rx.c's. */
#ifndef DRIVER_NET_RING_H
#define DRIVER_NET_RING_H

#include <stdbool.h>
#include <stdint.h>
#include "io_ring.h"
#include <public/io/netif.h>
#include "disk.h"
#include "packet.h"

#define NET_SLOTS 256u                  /* of a ring of one page */

/*   N1  what stands in a slot is copied out, and the copy is judged
 *   N2  each request of the transmit ring is answered once, in order; of the receive ring in the
 *       slot where it stood */
struct net_ring {
    netif_tx_back_ring_t tx;
    netif_rx_back_ring_t rx;
    domid_t domid;
    bool gso[GSO_TCPV6 + 1];            /* the guest takes such packets as they are */
    bool stopped;                       /* senseless indices: neither ring is served any more */
    unsigned nr_given;                  /* frames of the packet that is being given */
    unsigned room_needed;               /* slots, for the packet that found no room */
    uint64_t refused;                   /* packets of the guest that are none */
};

void net_ring_attach(struct net_ring *r, void *tx_page, void *rx_page, domid_t domid);
/* NET_NO_MEMORY: there is one, and no free packet for it. NET_REFUSED: it was none that we take,
 * and was answered so. */
enum net_got { NET_NONE, NET_NO_MEMORY, NET_REFUSED, NET_PACKET };
/* The next packet that the guest sends, copied into *p: the caller's, with one reference. */
enum net_got net_ring_get(struct net_ring *r, struct packet **p);
/* Copies the packet to the guest, if it does not take it as it is, in frames. False: the guest has
 * given no room; the rest of it goes on from there. */
bool net_ring_give(struct net_ring *r, const struct packet *p);
/* Shows the guest what was answered; which of its ports is to be sent an event. */
void net_ring_push(struct net_ring *r, bool *notify_tx, bool *notify_rx);
/* Asks for an event at the guest's next packet, if one is wanted, and when there is room for the
 * packet that found none, if that is. False: what is wanted is there. */
bool net_ring_wait(struct net_ring *r, bool packet_wanted, bool room_wanted);

/* Requests that wait; senseless indices stop the rings. */
unsigned net_tx_waiting(struct net_ring *r);
unsigned net_rx_waiting(struct net_ring *r);

#endif
