/* Virtio disks (virtio 1.1, 5.2) as disks of the driver domain: vd0, vd1, ... in bus order. */
#ifndef DRIVER_VIRTIO_BLK_H
#define DRIVER_VIRTIO_BLK_H

#include "disk.h"
#include "virtio.h"

/* v's registers are mapped; pages and addresses are for its queue. NULL, or why it is not used. */
const char *virtio_blk_init(struct disk *d, unsigned number, struct virtio *v,
                            void *const page[3], const uint64_t address[3], unsigned vector);
const char *virtio_blk_check(struct disk *d, uint64_t seconds, bool give_up);

#endif
