/* What stands in the store about a network device (vif_nodes.c). */
#ifndef DRIVER_VIF_NODES_H
#define DRIVER_VIF_NODES_H

#include "packet.h"
#include "pair.h"
#include "switch.h"

/* What the front end has written. */
struct vif_front {
    uint64_t tx_ref, rx_ref, tx_port, rx_port, copy;
    bool split;                         /* two ports, else tx_port is for both rings */
    uint64_t gso[GSO_TCPV6 + 1];        /* such packets it takes as they are */
};

/* Of the back end's own directory, to which the guest cannot write. */
bool vif_read_address(const struct pair *p, uint8_t mac[MAC_BYTES], bool *strict);
bool vif_write_features(const struct pair *p, bool large_packets);
/* False: something is missing, or it wants no copies. */
bool vif_read_front(const struct pair *p, struct vif_front *f);

#endif
