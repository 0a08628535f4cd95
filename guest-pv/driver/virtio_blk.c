/* Disks that are virtio functions. A request's pages are mapped for the device alone
 * (GNTMAP_device_map): the data goes between disk and guest without a copy, and the guest's frames
 * cannot become anything else meanwhile. They are unmapped before the guest is answered, because it
 * may look whether its grants are still in use. Called through struct disk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "virtio_blk.h"

#define F_SEG_MAX (1ull << 2)
#define F_RO      (1ull << 5)
#define F_BLK_SIZE (1ull << 6)
#define F_FLUSH   (1ull << 9)
#define F_DISCARD (1ull << 13)
enum {
    CONFIG_CAPACITY = 0, CONFIG_SEG_MAX = 12, CONFIG_BLK_SIZE = 20, CONFIG_MAX_DISCARD = 36,
    CONFIG_DISCARD_ALIGNMENT = 44,
};
enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4, TYPE_DISCARD = 11 };
#define STATUS_OK 0u
#define STATUS_NONE 0xffu
#define REQUESTS 64u                    /* that the device has at a time */
#define MIN_SEGMENTS 11u                /* of a request without indirect segments */
#define MIN_DISCARD 2048u               /* sectors at once; a card that takes less gets none */
#define MAX_ALIGNMENT 32768u            /* sectors */
#define RESET_SECONDS 10u
#define MAX_RESETS 3u                   /* a device that fails more often is not used any more */

/* What a discard names (5.2.6). */
struct range {
    uint64_t sector;
    uint32_t nr_sectors, flags;
};

/* In memory that the device reads and writes: one page holds all. */
struct head {
    uint32_t type, reserved;
    uint64_t sector;
    struct range range;                 /* of a discard */
    uint8_t status, pad[7];
};
_Static_assert(REQUESTS * sizeof(struct head) <= 4096, "all in one page");

struct io {
    struct io *next;                    /* in the free list */
    struct disk_request *request;       /* NULL: none */
    struct head *head;
    struct grant grant[MAX_SEGMENTS];
};

struct virtio_blk {
    struct virtio device;
    struct vq queue;
    struct disk_request *first, *last;  /* that wait for room, in their order */
    struct io *free;
    uint32_t max_discard;               /* sectors of one request */
    /* To begin anew. */
    void *page[3];
    uint64_t address[3];
    unsigned vector, resets;
    bool resetting;                     /* it has not confirmed it yet: all requests wait */
    uint64_t reset_end;                 /* seconds */
    struct io io[REQUESTS];
    struct head head[REQUESTS] __attribute__((aligned(4096)));
};

/* --- Requests --------------------------------------------------------------------------------- */

static bool map_parts(const struct disk_request *r, struct io *io)
{
    for (unsigned i = 0; i < r->nr_parts; i++)
        io->grant[i] = (struct grant){ .ref = r->part[i].ref };
    return r->nr_parts == 0 ||
           driver_host->map(r->domid, io->grant, r->nr_parts, r->op == DISK_WRITE);
}

static unsigned make_chain(const struct disk_request *r, const struct io *io,
                           struct virtio_buffer *b)
{
    uint64_t head = driver_host->address(io->head);
    unsigned n = 0;

    b[n++] = (struct virtio_buffer){ head, offsetof(struct head, range), false };
    if (r->op == DISK_DISCARD)
        b[n++] = (struct virtio_buffer){ head + offsetof(struct head, range),
                                         sizeof(struct range), false };
    for (unsigned i = 0; i < r->nr_parts; i++)
        b[n++] = (struct virtio_buffer){ io->grant[i].address + r->part[i].offset,
                                         r->part[i].bytes, r->op == DISK_READ };
    b[n++] = (struct virtio_buffer){ head + offsetof(struct head, status), 1, true };
    return n;
}

/* How much of a discard the device gets at once. */
static uint32_t discard_now(const struct virtio_blk *v, const struct disk_request *r)
{
    return r->nr_sectors < v->max_discard ? (uint32_t)r->nr_sectors : v->max_discard;
}

static void fill_head(const struct virtio_blk *v, const struct disk_request *r, struct head *h)
{
    static const uint32_t types[] = {
        [DISK_READ] = TYPE_IN, [DISK_WRITE] = TYPE_OUT, [DISK_FLUSH] = TYPE_FLUSH,
        [DISK_DISCARD] = TYPE_DISCARD,
    };

    *h = (struct head){ .type = types[r->op], .sector = r->sector, .status = STATUS_NONE };
    if (r->op != DISK_DISCARD)
        return;
    h->sector = 0;
    h->range.sector = r->sector;
    h->range.nr_sectors = discard_now(v, r);
}

/* False: it has to wait for room. */
static bool begin(struct virtio_blk *v, struct disk_request *r)
{
    struct virtio_buffer b[MAX_SEGMENTS + 2];
    struct io *io = v->free;

    if (io == NULL || r->nr_parts + 2 + (r->op == DISK_DISCARD) > v->queue.nr_free)
        return false;
    if (!map_parts(r, io)) {
        r->done(r, false);
        return true;
    }
    v->free = io->next;
    io->request = r;
    fill_head(v, r, io->head);
    vq_add(&v->queue, b, make_chain(r, io, b), io);
    return true;
}

/* Puts it behind those that wait. */
static void wait(struct virtio_blk *v, struct disk_request *r)
{
    r->next = NULL;
    *(v->first != NULL ? &v->last->next : &v->first) = r;
    v->last = r;
}

static void virtio_blk_start(struct disk *d, struct disk_request *r)
{
    struct virtio_blk *v = d->device;

    if (d->dead) {
        r->done(r, false);
        return;
    }
    if (v->first != NULL || v->resetting || v->queue.broken || !begin(v, r))
        wait(v, r);
}

/* A discard of more than the device takes at once goes on with the rest. */
static bool has_rest(const struct virtio_blk *v, struct disk_request *r)
{
    uint32_t n = discard_now(v, r);

    if (r->op != DISK_DISCARD)
        return false;
    r->sector += n;
    r->nr_sectors -= n;
    return r->nr_sectors != 0;
}

static void end(struct virtio_blk *v, struct io *io, bool good)
{
    struct disk_request *r = io->request;

    io->request = NULL;
    if (r->nr_parts != 0)
        driver_host->unmap(io->grant, r->nr_parts);
    io->next = v->free;
    v->free = io;
    if (good && has_rest(v, r))
        wait(v, r);
    else
        r->done(r, good);
}

static void begin_waiting(struct virtio_blk *v)
{
    while (v->first != NULL) {
        struct disk_request *r = v->first, *next = r->next;

        if (!begin(v, r))
            break;
        v->first = next;
    }
}

static void fail_waiting(struct virtio_blk *v)
{
    while (v->first != NULL) {
        struct disk_request *r = v->first;

        v->first = r->next;
        r->done(r, false);
    }
}

static bool virtio_blk_serve(struct disk *d)
{
    struct virtio_blk *v = d->device;
    uint32_t bytes;
    struct io *io;

    if (v->resetting)
        return false;
    while ((io = vq_take(&v->queue, &bytes)) != NULL)
        end(v, io, io->head->status == STATUS_OK);
    if (d->dead)
        fail_waiting(v);
    else if (!v->queue.broken)          /* else virtio_blk_check() resets it */
        begin_waiting(v);
    return false;
}

static bool virtio_blk_wait(struct disk *d)
{
    struct virtio_blk *v = d->device;

    if (v->resetting || d->dead)
        return true;
    vq_kick(&v->queue);
    return vq_wait(&v->queue);
}

/* --- A device that fails ---------------------------------------------------------------------- */

/* Its features were agreed before; the guests know what they gave. */
static bool start_device(struct virtio_blk *v)
{
    uint64_t features = v->device.features;

    for (unsigned i = 0; i < 3; i++)
        memset(v->page[i], 0, 4096);
    if (!virtio_begin(&v->device, features) || v->device.features != features ||
        !vq_init(&v->device, &v->queue, 0, v->page, v->address, v->vector))
        return false;
    virtio_ready(&v->device);
    vq_wait(&v->queue);
    return true;
}

/* It has confirmed the reset, so it writes to no page any more. */
static const char *begin_anew(struct disk *d)
{
    struct virtio_blk *v = d->device;

    v->resetting = false;
    d->dead = v->resets++ == MAX_RESETS || !start_device(v);
    for (unsigned i = 0; i < REQUESTS; i++)
        if (v->io[i].request != NULL)
            end(v, &v->io[i], false);
    return d->dead ? "has failed, and is used no more: what it had to do ends with an error"
                   : "has failed and was reset: what it had to do ends with an error";
}

/* It may still write to the pages that it has: those stay mapped, and their requests are not
 * answered, until the domain ends. Then the hypervisor asks again for a reset. */
static const char *bury(struct disk *d)
{
    struct virtio_blk *v = d->device;

    v->resetting = false;
    d->dead = true;
    return "has failed and cannot be reset: it is used no more";
}

const char *virtio_blk_check(struct disk *d, uint64_t seconds, bool give_up)
{
    struct virtio_blk *v = d->device;

    if (d->dead)
        return NULL;
    if (!v->resetting) {
        if (!give_up && !v->queue.broken && !virtio_failed(&v->device))
            return NULL;
        virtio_start_reset(&v->device);
        v->resetting = true;
        v->reset_end = seconds + RESET_SECONDS;
        return NULL;                    /* it has until the next time, at least */
    }
    if (virtio_is_reset(&v->device))
        return begin_anew(d);
    return seconds >= v->reset_end ? bury(d) : NULL;
}

/* --- Setting up ------------------------------------------------------------------------------- */

static const char *read_config(struct disk *d, struct virtio *v)
{
    d->nr_sectors = virtio_config(v, CONFIG_CAPACITY, 8);
    d->readonly = v->features & F_RO;
    d->max_parts = MAX_SEGMENTS;
    if ((v->features & F_BLK_SIZE) && virtio_config(v, CONFIG_BLK_SIZE, 4) != SECTOR_BYTES)
        return "its sectors have not 512 bytes";
    if (v->features & F_SEG_MAX) {
        uint64_t most = virtio_config(v, CONFIG_SEG_MAX, 4);

        if (most < MIN_SEGMENTS)
            return "it takes too few segments";
        if (most < d->max_parts)
            d->max_parts = (unsigned)most;
    }
    return NULL;
}

/* The device's numbers are for the front end to use or not; wrong ones do no harm. */
static void read_discard(struct disk *d, struct virtio_blk *v)
{
    uint64_t alignment;

    if (!(v->device.features & F_DISCARD))
        return;
    v->max_discard = (uint32_t)virtio_config(&v->device, CONFIG_MAX_DISCARD, 4);
    alignment = virtio_config(&v->device, CONFIG_DISCARD_ALIGNMENT, 4);
    if (alignment == 0 || alignment > MAX_ALIGNMENT || (alignment & (alignment - 1)) != 0)
        alignment = 1;
    d->can_discard = v->max_discard >= MIN_DISCARD;
    d->discard_granularity = (uint32_t)alignment * SECTOR_BYTES;
}

const char *virtio_blk_init(struct disk *d, unsigned number, struct virtio *device,
                            void *const page[3], const uint64_t address[3], unsigned vector)
{
    struct virtio_blk *v = driver_host->alloc(sizeof(*v));
    const char *problem;

    if (v == NULL)
        return "no memory";
    memset(d, 0, sizeof(*d));
    snprintf(d->name, sizeof(d->name), "vd%u", number);
    v->device = *device;
    v->vector = vector;
    memcpy(v->page, page, sizeof(v->page));
    memcpy(v->address, address, sizeof(v->address));
    if (!virtio_begin(&v->device, F_SEG_MAX | F_RO | F_BLK_SIZE | F_FLUSH | F_DISCARD |
                                  VIRTIO_F_EVENT_IDX))
        return "it does not agree on features";
    problem = read_config(d, &v->device);
    if (problem != NULL)
        return problem;
    if (!vq_init(&v->device, &v->queue, 0, page, address, vector))
        return "its queue cannot be set up";
    if (v->queue.size < d->max_parts + 2)
        d->max_parts = v->queue.size - 2u;
    if (d->max_parts < MIN_SEGMENTS)
        return "its queue is too short";
    for (unsigned i = 0; i < REQUESTS; i++) {
        v->io[i].head = &v->head[i];
        v->io[i].next = v->free;
        v->free = &v->io[i];
    }
    d->can_flush = v->device.features & F_FLUSH;
    read_discard(d, v);
    d->start = virtio_blk_start;
    d->serve = virtio_blk_serve;
    d->check = virtio_blk_check;
    d->wait = virtio_blk_wait;
    d->device = v;
    virtio_ready(&v->device);
    vq_wait(&v->queue);
    return NULL;
}
