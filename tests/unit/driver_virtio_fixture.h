/* A virtio device as plain memory: its registers hold what the test puts there, and the test takes
 * the chains of a queue and gives them back. Included by test_driver_virtio_blk.c and
 * test_driver_virtio_net.c. */
#ifndef DRIVER_VIRTIO_FIXTURE_H
#define DRIVER_VIRTIO_FIXTURE_H

#include <stdlib.h>
#include <string.h>
#include "guest-pv/driver/virtio.h"

#ifndef PAGE
#define PAGE 4096u
#endif
#define DEVICE_FEATURE 4u               /* in the common configuration */
#define QUEUE_SIZE 24u
#define VERSION_1 1u                    /* of the upper word; the fake has the same in both */

static uint8_t common[64] __attribute__((aligned(8))), config[64], notify[64];
static uint8_t queue_pages[6][PAGE] __attribute__((aligned(PAGE)));
static void *const queue_page[6] = { queue_pages[0], queue_pages[1], queue_pages[2],
                                     queue_pages[3], queue_pages[4], queue_pages[5] };

static inline void set32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof(value));
}

static inline struct virtio make_device(uint32_t features, uint16_t queue_size)
{
    memset(common, 0, sizeof(common));
    memset(config, 0, sizeof(config));
    memset(queue_pages, 0, sizeof(queue_pages));
    set32(common + DEVICE_FEATURE, features | VERSION_1);
    memcpy(common + QUEUE_SIZE, &queue_size, sizeof(queue_size));
    return (struct virtio){ .common = common, .config = config, .notify = notify,
                            .notify_bytes = sizeof(notify) };
}

static inline void queue_addresses(uint64_t address[6])
{
    for (unsigned i = 0; i < 6; i++)
        address[i] = (uintptr_t)queue_page[i];
}

/* The device's end of the queue whose pages begin at queue_page[first]. */
struct fake_queue {
    unsigned first, size;
    uint16_t seen, used;
};

struct fake_chain {
    uint16_t head;
    unsigned n;
    struct vq_desc part[64];
};

static inline bool fake_take(struct fake_queue *q, struct fake_chain *c)
{
    const struct vq_desc *desc = queue_page[q->first];
    const uint16_t *avail = queue_page[q->first + 1];
    unsigned at;

    if (avail[1] == q->seen)
        return false;
    at = c->head = avail[2 + q->seen++ % q->size];
    for (c->n = 0;; at = desc[at].next) {
        assert_true(at < q->size && c->n < 64);
        c->part[c->n++] = desc[at];
        if (!(desc[at].flags & 1))
            return true;
    }
}

static inline void fake_use(struct fake_queue *q, const struct fake_chain *c, uint32_t bytes)
{
    uint16_t *used = queue_page[q->first + 2];
    struct vq_used *entry = (struct vq_used *)(used + 2) + q->used++ % q->size;

    *entry = (struct vq_used){ c->head, bytes };
    used[1] = q->used;
}

#endif
