/* Where a virtio device has its registers. */
#ifndef DRIVER_VIRTIO_PARTS_H
#define DRIVER_VIRTIO_PARTS_H

#include <stdint.h>

#define PCI_BARS 6u

/* The types of virtio's capabilities (virtio 1.1, 4.1.4). */
enum { VIRTIO_COMMON = 1, VIRTIO_NOTIFY = 2, VIRTIO_ISR = 3, VIRTIO_CONFIG = 4, VIRTIO_PARTS };

struct bar {
    uint64_t address, bytes;            /* 0: no memory BAR */
};

struct virtio_parts {
    struct bar part[VIRTIO_PARTS];      /* by type; machine addresses */
    uint32_t notify_multiplier;
};

/* read: the 4 bytes at reg in the function's configuration space. Returns NULL, or what is wrong
 * with the device. */
const char *virtio_find_parts(uint32_t (*read)(uint16_t function, unsigned reg), uint16_t function,
                              const struct bar bar[PCI_BARS], struct virtio_parts *parts);

#endif
