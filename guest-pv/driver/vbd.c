/* The back end of block devices: what is read and written in the store to connect a guest's disk,
 * its ring's page and event channel. Requests are blk_ring.c's, states pair.c's. The control thread
 * connects and disconnects, the data thread serves; as threads give way to each other only where
 * they say so, a ring is never taken away while it is served. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <public/io/protocols.h>
#include "blk_ring.h"
#include "clock.h"
#include "console.h"
#include "event.h"
#include "gnttab.h"
#include "pair.h"
#include "serve.h"
#include "thread.h"
#include "vbd.h"

#define DRAIN_NS (10 * NS_PER_S)        /* for a device that does not answer */
#define MIB_SECTORS (1048576u / SECTOR_BYTES)

struct vbd {
    struct vbd *next;                   /* of those that are connected */
    struct pair *pair;
    struct disk *disk;
    bool readonly;
    char name[16];                      /* what the guest calls it: xvda1 */
    void *page;                         /* address space for the ring, kept while the guest lives */
    grant_handle_t handle;
    int port;
    uint64_t drain_end;
    bool told;                          /* that the ring was stopped */
    struct blk_ring ring;
};

static struct disk *disks;
static unsigned nr_disks;
static struct vbd *connected;

void vbd_init(struct disk *found, unsigned n)
{
    disks = found;
    nr_disks = n;
}

static void on_event(port_t port, void *arg)
{
    (void)port;
    (void)arg;
    serve_soon(DISKS);
}

/* --- Before the front end connects ------------------------------------------------------------ */

static struct disk *find_disk(const char *name)
{
    for (unsigned i = 0; i < nr_disks; i++)
        if (strcmp(disks[i].name, name) == 0)
            return &disks[i];
    return NULL;
}

static bool make(struct pair *p)
{
    char name[sizeof(((struct disk *)0)->name)], mode[4];
    struct vbd *v = p->device;

    if (v == NULL)
        v = p->device = calloc(1, sizeof(*v));
    if (v == NULL)
        return pair_fail(p, "no memory");
    v->pair = p;
    if (!xs_read(NO_TRANSACTION, back_node(p, "params"), name, sizeof(name)) ||
        !xs_read(NO_TRANSACTION, back_node(p, "mode"), mode, sizeof(mode)) ||
        !xs_read(NO_TRANSACTION, back_node(p, "dev"), v->name, sizeof(v->name)))
        return pair_fail(p, "its nodes are not complete");
    v->disk = find_disk(name);
    if (v->disk == NULL)
        return pair_fail(p, "there is no disk of that name");
    v->readonly = strcmp(mode, "w") != 0 || v->disk->readonly;
    return true;
}

static bool write_discard(const struct vbd *v)
{
    const struct pair *p = v->pair;

    if (!v->disk->can_discard || v->readonly)
        return true;
    return xs_write_number(back_node(p, "discard-granularity"), v->disk->discard_granularity) &&
           xs_write_number(back_node(p, "discard-alignment"), 0) &&
           xs_write_number(back_node(p, "feature-discard"), 1);
}

static bool vbd_begin(struct pair *p)
{
    struct vbd *v;
    uint64_t info;

    if (!make(p))
        return false;
    v = p->device;
    info = v->readonly ? VDISK_READONLY : 0;
    if (!xs_write_number(back_node(p, "feature-max-indirect-segments"), v->disk->max_parts) ||
        !xs_write_number(back_node(p, "feature-flush-cache"),
                         v->disk->can_flush && !v->readonly) ||
        !write_discard(v) || !xs_write_number(back_node(p, "sectors"), v->disk->nr_sectors) ||
        !xs_write_number(back_node(p, "sector-size"), SECTOR_BYTES) ||
        !xs_write_number(back_node(p, "physical-sector-size"), SECTOR_BYTES) ||
        !xs_write_number(back_node(p, "info"), info))
        return pair_fail(p, "the store took no nodes");
    return true;
}

/* --- Connecting ------------------------------------------------------------------------------- */

struct frontend {
    uint64_t ring_ref, port;
    char protocol[32];
};

static bool read_frontend(const struct pair *p, uint32_t t, void *front)
{
    struct frontend *f = front;
    bool there;

    there = xs_read_number(t, front_node(p, "ring-ref"), UINT32_MAX, &f->ring_ref) &&
            xs_read_number(t, front_node(p, "event-channel"), MAX_PORT, &f->port);
    if (!xs_read(t, front_node(p, "protocol"), f->protocol, sizeof(f->protocol)))
        strcpy(f->protocol, XEN_IO_PROTO_ABI_X86_64);
    return there;
}

static void open_vbd(struct vbd *v)
{
    unsigned unanswered = blk_ring_unanswered(&v->ring);

    v->told = false;
    v->next = connected;
    connected = v;
    pair_print(v->pair, "%s is %s, %lu MiB%s", v->name, v->disk->name,
               v->disk->nr_sectors / MIB_SECTORS, v->readonly ? ", read-only" : "");
    if (v->ring.shared.rsp_prod_pvt != 0) {
        pair_print(v->pair, "%s goes on, %u requests are repeated", v->name, unanswered);
        event_send(v->port);            /* who answered may have died before it could tell */
    }
    serve_soon(DISKS);                  /* requests may be there */
}

static bool vbd_connect(struct pair *p)
{
    struct vbd *v = p->device;
    struct frontend f;

    if (!pair_read_front(p, read_frontend, &f))
        return pair_fail(p, "its front end names no ring and port");
    if (strcmp(f.protocol, XEN_IO_PROTO_ABI_X86_64) != 0)
        return pair_fail(p, "its front end speaks another protocol than x86_64-abi");
    if (v->page == NULL)
        v->page = va_alloc(1);
    if (grant_map((uint64_t)v->page, GNTMAP_host_map, p->domid, (grant_ref_t)f.ring_ref,
                  &v->handle) != 0)
        return pair_fail(p, "its ring cannot be mapped");
    v->port = event_bind_interdomain(p->domid, (port_t)f.port, on_event, NULL);
    if (v->port < 0) {
        grant_unmap((uint64_t)v->page, v->handle);
        return pair_fail(p, "its event channel cannot be bound");
    }
    blk_ring_attach(&v->ring, v->page, p->domid, v->disk, v->readonly, p->again);
    open_vbd(v);
    return true;
}

/* --- The end ---------------------------------------------------------------------------------- */

static void check_disk(struct disk *d, bool give_up)
{
    const char *line = d->check != NULL ? d->check(d, clock_ns() / NS_PER_S, give_up) : NULL;

    if (line == NULL)
        return;
    kprintf("driver: %s %s\n", d->name, line);
    serve_soon(DISKS);
}

static void stop_serving(struct vbd *v)
{
    struct vbd **at = &connected;

    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    v->drain_end = clock_ns() + DRAIN_NS;
}

/* Requests of a disk that is dead never end: what they lie in is lost. */
static bool has_drained(struct vbd *v)
{
    if (blk_ring_busy(&v->ring) != 0 && clock_ns() >= v->drain_end)
        check_disk(v->disk, true);
    return blk_ring_busy(&v->ring) == 0 || v->disk->dead;
}

static bool vbd_disconnect(struct pair *p)
{
    struct vbd *v = p->device;
    const struct blk_ring *r = &v->ring;

    if (!p->draining)
        stop_serving(v);
    if (!has_drained(v))
        return false;
    event_close(v->port);
    grant_unmap((uint64_t)v->page, v->handle);
    pair_print(p, "%s ends: %lu requests, %lu KiB read, %lu KiB written, %lu KiB discarded, "
               "%lu errors", v->name, r->requests, r->sectors_read / 2, r->sectors_written / 2,
               r->sectors_discarded / 2, r->errors);
    if (blk_ring_busy(r) != 0)
        p->device = NULL;
    return true;
}

/* The page of address space is lost: one for each device of a guest. */
static void vbd_end(struct pair *p)
{
    free(p->device);
    p->device = NULL;
}

const struct backend vbd_backend = {
    .type = "vbd",
    .begin = vbd_begin,
    .connect = vbd_connect,
    .disconnect = vbd_disconnect,
    .end = vbd_end,
};

/* --- Serving ---------------------------------------------------------------------------------- */

static bool serve(struct vbd *v)
{
    bool notify = false, more = blk_ring_serve(&v->ring, &notify);

    if (notify)
        event_send(v->port);
    if (v->ring.stopped && !v->told) {
        v->told = true;
        pair_stop(v->pair, "senseless ring indices: it is served no more");
    }
    return more;
}

static struct timer second;
static bool second_is_over;

static void on_second(void *arg)
{
    (void)arg;
    second_is_over = true;
    serve_soon(DISKS);
}

/* The timer runs only while requests are under way, and is not set again for each. */
static void check_disks(void)
{
    bool busy = false;

    if (second_is_over)
        for (unsigned i = 0; i < nr_disks; i++)
            check_disk(&disks[i], false);
    second_is_over = false;
    for (const struct vbd *v = connected; v != NULL && !busy; v = v->next)
        busy = v->ring.shared.rsp_prod_pvt != v->ring.shared.req_cons;
    if (busy && !second.queued)
        timer_start(&second, clock_ns() + NS_PER_S, on_second, NULL);
}

/* What a disk has done is answered, and what is asked is begun, before it is told and waited for:
 * so all is done in one turn. */
bool vbds_serve(void)
{
    bool more = false;

    check_disks();
    for (unsigned i = 0; i < nr_disks; i++)
        more |= disks[i].serve(&disks[i]);
    for (struct vbd *v = connected; v != NULL; v = v->next)
        more |= serve(v);
    for (unsigned i = 0; i < nr_disks; i++)
        more |= !disks[i].wait(&disks[i]);
    return more;
}

uint64_t vbds_done(void)
{
    uint64_t requests = 0;

    for (const struct vbd *v = connected; v != NULL; v = v->next)
        requests += v->ring.requests;
    return requests;
}
