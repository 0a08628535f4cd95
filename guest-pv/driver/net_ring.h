/* The two rings of a guest's network device, as the back end sees them (public/io/netif.h). */
#ifndef DRIVER_NET_RING_H
#define DRIVER_NET_RING_H

#include <stdbool.h>
#include <stdint.h>
#include "io_ring.h"
#include <public/io/netif.h>
#include "disk.h"
#include "packet.h"

#define NET_SLOTS 256u                  /* of a ring of one page */

/*   N1  what stands in a slot is copied out once, and the copy is judged
 *   N2  each request of the transmit ring is answered once, in order; of the receive ring in the
 *       slot where it stood */
struct net_ring {
    netif_tx_back_ring_t tx;
    netif_rx_back_ring_t rx;
    domid_t domid;
    bool stopped;                       /* senseless indices: neither ring is served any more */
    uint64_t refused;                   /* packets of the guest that are none */
};

void net_ring_attach(struct net_ring *r, void *tx_page, void *rx_page, domid_t domid);
enum net_take { NET_NONE, NET_REFUSED, NET_PACKET };
/* The next packet that the guest sends, copied into *p. NET_REFUSED: it was none that we take, and
 * was answered so. */
enum net_take net_ring_take(struct net_ring *r, struct packet *p);
/* Copies the packet to the guest. False: it has given no room. */
bool net_ring_give(struct net_ring *r, const struct packet *p);
/* Shows the guest what was answered; which of its ports is to be sent an event. */
void net_ring_push(struct net_ring *r, bool *notify_tx, bool *notify_rx);
/* Asks for an event at the next packet. False: there is one. With room_wanted also at the next room
 * for a packet. */
bool net_ring_wait(struct net_ring *r, bool room_wanted);

#endif
