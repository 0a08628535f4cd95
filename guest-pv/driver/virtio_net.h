/* Virtio network cards (virtio 1.1, 5.1) as uplinks of the switch. */
#ifndef DRIVER_VIRTIO_NET_H
#define DRIVER_VIRTIO_NET_H

#include <stdint.h>
#include "virtio.h"

struct virtio_net;

/* The pages and addresses of the receive queue, then those of the transmit queue. NULL: *problem
 * says why it is not used. */
struct virtio_net *virtio_net_new(const struct virtio *v, void *const page[6],
                                  const uint64_t address[6], const unsigned vector[2],
                                  const char **problem);
/* False: nothing to do, and an interrupt will come. */
bool virtio_net_serve(struct virtio_net *n, uint64_t seconds);
/* Packets received and sent, and those that were dropped. */
void virtio_net_counts(const struct virtio_net *n, uint64_t counts[3]);

#endif
