/* Setting up virtio devices, and their split queues. The device reads and writes the three pages of
 * a queue at any time: descriptors and the available ring are ours to write, the used ring is
 * copied before it is judged. Called by virtio_blk.c and virtio_net.c. */
#include <string.h>
#include "virtio.h"

/* The common configuration (4.1.4.3). */
enum {
    DEVICE_FEATURE_SELECT = 0, DEVICE_FEATURE = 4, DRIVER_FEATURE_SELECT = 8, DRIVER_FEATURE = 12,
    MSIX_CONFIG = 16, DEVICE_STATUS = 20, CONFIG_GENERATION = 21, QUEUE_SELECT = 22,
    QUEUE_SIZE = 24, QUEUE_MSIX_VECTOR = 26, QUEUE_ENABLE = 28, QUEUE_NOTIFY_OFF = 30,
    QUEUE_DESC = 32, QUEUE_DRIVER = 40, QUEUE_DEVICE = 48,
};
enum {
    ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64, FAILED = 128,
};
#define DESC_NEXT 1u
#define DESC_WRITE 2u
#define NO_NOTIFY 1u                    /* the used ring's flag, without EVENT_IDX */
#define RESET_TRIES 1000000u

static uint16_t get16(const struct virtio *v, unsigned at)
{
    return *(volatile uint16_t *)(v->common + at);
}

static void set16(struct virtio *v, unsigned at, uint16_t value)
{
    *(volatile uint16_t *)(v->common + at) = value;
}

static uint32_t get32(const struct virtio *v, unsigned at)
{
    return *(volatile uint32_t *)(v->common + at);
}

static void set32(struct virtio *v, unsigned at, uint32_t value)
{
    *(volatile uint32_t *)(v->common + at) = value;
}

static void set64(struct virtio *v, unsigned at, uint64_t value)
{
    set32(v, at, (uint32_t)value);
    set32(v, at + 4, (uint32_t)(value >> 32));
}

static void full_fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* --- The device ------------------------------------------------------------------------------- */

static void add_status(struct virtio *v, uint8_t bit)
{
    v->common[DEVICE_STATUS] = v->common[DEVICE_STATUS] | bit;
}

void virtio_start_reset(struct virtio *v)
{
    v->common[DEVICE_STATUS] = 0;
}

bool virtio_is_reset(const struct virtio *v)
{
    return v->common[DEVICE_STATUS] == 0;
}

bool virtio_begin(struct virtio *v, uint64_t wanted)
{
    uint64_t offered;

    virtio_start_reset(v);
    for (unsigned i = 0; i < RESET_TRIES && !virtio_is_reset(v); i++)
        ;
    if (!virtio_is_reset(v))
        return false;
    add_status(v, ACKNOWLEDGE);
    add_status(v, DRIVER);
    set32(v, DEVICE_FEATURE_SELECT, 0);
    offered = get32(v, DEVICE_FEATURE);
    set32(v, DEVICE_FEATURE_SELECT, 1);
    offered |= (uint64_t)get32(v, DEVICE_FEATURE) << 32;
    v->features = offered & (wanted | VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM);
    set32(v, DRIVER_FEATURE_SELECT, 0);
    set32(v, DRIVER_FEATURE, (uint32_t)v->features);
    set32(v, DRIVER_FEATURE_SELECT, 1);
    set32(v, DRIVER_FEATURE, (uint32_t)(v->features >> 32));
    add_status(v, FEATURES_OK);
    if (!v->by_line)
        set16(v, MSIX_CONFIG, NO_VECTOR);
    if ((v->features & VIRTIO_F_VERSION_1) && (v->common[DEVICE_STATUS] & FEATURES_OK))
        return true;
    add_status(v, FAILED);
    return false;
}

void virtio_ready(struct virtio *v)
{
    add_status(v, DRIVER_OK);
}

bool virtio_failed(const struct virtio *v)
{
    return v->common[DEVICE_STATUS] & NEEDS_RESET;
}

/* Again, if the device changed it meanwhile. */
uint64_t virtio_config(const struct virtio *v, unsigned offset, unsigned bytes)
{
    uint64_t value;
    uint8_t generation;

    do {
        generation = v->common[CONFIG_GENERATION];
        value = 0;
        for (unsigned i = bytes; i-- > 0;)
            value = value << 8 | v->config[offset + i];
    } while (generation != v->common[CONFIG_GENERATION]);
    return value;
}

/* --- A queue ---------------------------------------------------------------------------------- */

static void free_all(struct vq *q)
{
    for (unsigned i = 0; i < q->size; i++)
        q->next[i] = (uint16_t)(i + 1);
    q->nr_free = q->size;
}

bool vq_init(struct virtio *v, struct vq *q, unsigned number, void *const page[3],
             const uint64_t address[3], unsigned vector)
{
    uint64_t doorbell;
    uint16_t size;

    set16(v, QUEUE_SELECT, (uint16_t)number);
    size = get16(v, QUEUE_SIZE);
    doorbell = (uint64_t)get16(v, QUEUE_NOTIFY_OFF) * v->notify_multiplier;
    if (size == 0 || (size & (size - 1)) != 0 || doorbell + sizeof(*q->doorbell) > v->notify_bytes)
        return false;
    memset(q, 0, sizeof(*q));
    q->size = size < QUEUE_MAX ? size : QUEUE_MAX;
    set16(v, QUEUE_SIZE, q->size);
    q->number = (uint16_t)number;
    q->desc = page[0];
    q->avail = page[1];
    q->used = page[2];
    q->event_idx = v->features & VIRTIO_F_EVENT_IDX;
    q->doorbell = (volatile uint16_t *)(v->notify + doorbell);
    free_all(q);
    if (!v->by_line) {
        set16(v, QUEUE_MSIX_VECTOR, (uint16_t)vector);
        if (get16(v, QUEUE_MSIX_VECTOR) != vector)
            return false;
    }
    set64(v, QUEUE_DESC, address[0]);
    set64(v, QUEUE_DRIVER, address[1]);
    set64(v, QUEUE_DEVICE, address[2]);
    set16(v, QUEUE_ENABLE, 1);
    return true;
}

bool vq_add(struct vq *q, const struct virtio_buffer *b, unsigned n, void *token)
{
    uint16_t head = q->free_head, at = head, last = head;

    if (n == 0 || n > q->nr_free || q->broken)
        return false;
    q->written[head] = 0;
    for (unsigned i = 0; i < n; i++, at = q->next[at]) {
        q->desc[at] = (struct vq_desc){
            .address = b[i].address,
            .bytes = b[i].bytes,
            .flags = (uint16_t)((i + 1 < n ? DESC_NEXT : 0) | (b[i].written ? DESC_WRITE : 0)),
            .next = q->next[at],
        };
        q->written[head] += b[i].written ? b[i].bytes : 0;
        last = at;
    }
    q->free_head = q->next[last];
    q->nr_free -= (uint16_t)n;
    q->in_use[head] = (uint16_t)n;
    q->token[head] = token;
    q->avail[2 + q->avail_idx % q->size] = head;
    q->avail_idx++;
    return true;
}

/* The index is stored after the chains, and before the device's wish is read. */
void vq_kick(struct vq *q)
{
    uint16_t before = q->told_idx, event;
    bool wanted;

    if (q->avail_idx == before)
        return;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    q->avail[1] = q->avail_idx;
    q->told_idx = q->avail_idx;
    full_fence();
    event = q->used[2 + 4 * q->size];           /* avail_event, behind the ring */
    wanted = q->event_idx
                 ? (uint16_t)(q->avail_idx - event - 1) < (uint16_t)(q->avail_idx - before)
                 : !(q->used[0] & NO_NOTIFY);
    if (wanted)
        *q->doorbell = q->number;
}

static void free_chain(struct vq *q, uint16_t head)
{
    uint16_t last = head;

    for (unsigned i = 1; i < q->in_use[head]; i++)
        last = q->next[last];
    q->next[last] = q->free_head;
    q->free_head = head;
    q->nr_free += q->in_use[head];
    q->in_use[head] = 0;
}

static uint16_t device_index(const struct vq *q)
{
    uint16_t index = q->used[1];

    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return index;
}

void *vq_take(struct vq *q, uint32_t *bytes)
{
    const volatile struct vq_used *entry;
    uint32_t id;

    if (q->broken || device_index(q) == q->used_idx)
        return NULL;
    entry = (const volatile struct vq_used *)(q->used + 2) + q->used_idx % q->size;
    id = entry->id;
    *bytes = entry->bytes;
    if (id >= q->size || q->in_use[id] == 0) {
        q->broken = true;
        return NULL;
    }
    if (*bytes > q->written[id])
        *bytes = q->written[id];
    q->used_idx++;
    free_chain(q, (uint16_t)id);
    return q->token[id];
}

bool vq_wait(struct vq *q)
{
    if (q->event_idx)
        q->avail[2 + q->size] = q->used_idx;    /* used_event, behind the ring */
    full_fence();
    return q->broken || device_index(q) == q->used_idx;
}
