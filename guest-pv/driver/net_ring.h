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
 *       slot where it stood
 *   N3  answers are written over requests, and are pushed later. Whenever a slot has an answer that
 *       is not pushed, it lies before the record's `end`, and the id is in the slot or the record.
 *       So a successor answers all up to there, and what they were for is lost: of the transmit
 *       ring always whole packets */
struct tx_record {                      /* in the ring's __pad */
    uint32_t end;                       /* what rsp_prod will be */
    uint32_t extras[NET_SLOTS / 32];    /* bit per slot: it is answered as an extra */
};
struct rx_record {
    uint32_t end;
    uint32_t extra_end;                 /* behind the one slot with an extra; 0: none */
    uint32_t extra_id;                  /* of the request in it */
};

struct net_ring {
    netif_tx_back_ring_t tx;
    netif_rx_back_ring_t rx;
    domid_t domid;
    bool gso[GSO_TCPV6 + 1];            /* the guest takes such packets as they are */
    bool stopped;                       /* senseless indices: neither ring is served any more */
    RING_IDX tx_told, rx_told;          /* answers that the guest was perhaps sent an event for */
    unsigned nr_given;                  /* frames of the packet that is being given */
    unsigned room_needed;               /* slots, for the packet that found no room */
    uint64_t refused;                   /* packets of the guest that are none */
};

/* again: another instance served these rings before and died, perhaps at any point. */
void net_ring_attach(struct net_ring *r, void *tx_page, void *rx_page, domid_t domid, bool again);
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

/* net_again.c: answers what the instance before had begun to answer, or clears the records. */
void net_ring_finish(struct net_ring *r, bool again);
struct tx_record *tx_record(const struct net_ring *r);
struct rx_record *rx_record(const struct net_ring *r);

/* Requests that wait; senseless indices stop the rings. */
unsigned net_tx_waiting(struct net_ring *r);
unsigned net_rx_waiting(struct net_ring *r);

#endif
