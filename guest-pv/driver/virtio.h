/* Virtio devices on PCI, and their queues (virtio 1.1, parts 2.6 and 4.1): plain C, which sees the
 * device as memory. Nothing that the device writes is believed further than it must be: it may not
 * be the one that we think. */
#ifndef DRIVER_VIRTIO_H
#define DRIVER_VIRTIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTIO_F_EVENT_IDX  (1ull << 29)
#define VIRTIO_F_VERSION_1  (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33)
#define QUEUE_MAX 256u                  /* entries: each of the three parts fits into a page */
#define NO_VECTOR 0xffffu

/* One function's registers; all are mapped. */
struct virtio {
    volatile uint8_t *common, *isr, *config, *notify;
    uint32_t notify_multiplier, notify_bytes;
    uint64_t features;                  /* that were agreed */
    bool by_line;                       /* it interrupts by its pin, and has no vectors */
};

/* What a queue's buffer is: machine address and length. */
struct virtio_buffer {
    uint64_t address;
    uint32_t bytes;
    bool written;                       /* by the device */
};

struct vq_desc {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};

struct vq_used {
    uint32_t id, bytes;
};

/* Invariants
 *   Q1  each descriptor is in the free list or in one chain that the device has; in_use[head] is
 *       the number of its descriptors, 0 for all others
 *   Q2  avail_idx - used_idx is the number of chains that the device has */
struct vq {
    struct vq_desc *desc;
    volatile uint16_t *avail, *used;    /* flags, index, ring ... */
    volatile uint16_t *doorbell;
    uint16_t number, size;
    uint16_t free_head, nr_free, avail_idx, used_idx, told_idx;
    bool event_idx, broken;             /* broken: the device has named a chain that it has not */
    uint16_t next[QUEUE_MAX], in_use[QUEUE_MAX];
    uint32_t written[QUEUE_MAX];        /* bytes that the device may write, by chain */
    void *token[QUEUE_MAX];
};

/* Resets, and agrees on those of `wanted` that the device offers; VERSION_1 is one of them always.
 * False: it refuses, or is no modern device. */
bool virtio_begin(struct virtio *v, uint64_t wanted);
void virtio_start_reset(struct virtio *v);
bool virtio_is_reset(const struct virtio *v);   /* it has stopped to read and write memory */
void virtio_ready(struct virtio *v);    /* all queues are set up */
bool virtio_failed(const struct virtio *v);     /* it asks for a reset */
uint64_t virtio_config(const struct virtio *v, unsigned offset, unsigned bytes);

/* Three pages, zeroed, with their machine addresses; the vector is an entry of the MSI-X table
 * or NO_VECTOR. False: there is no such queue, its doorbell is not among the device's registers,
 * or the device refuses the vector. */
bool vq_init(struct virtio *v, struct vq *q, unsigned number, void *const page[3],
             const uint64_t address[3], unsigned vector);
/* Gives the device a chain. False: not enough descriptors are free. */
bool vq_add(struct vq *q, const struct virtio_buffer *b, unsigned n, void *token);
/* Tells the device of chains that were added, if it wants to be told. */
void vq_kick(struct vq *q);
/* The token of a chain that the device has done with, and how much it wrote; NULL: none. */
void *vq_take(struct vq *q, uint32_t *bytes);
/* Asks for an interrupt at the next one. False: there is one already. */
bool vq_wait(struct vq *q);

#endif
