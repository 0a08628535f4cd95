/* The driver domain: the kernel of the test guest with the back ends of disks and network devices
 * instead of tests. It is an ordinary domain: what it may do to a guest is what that guest grants.
 * Two threads: this one follows the store, the other serves the rings, so that a store that is slow
 * or gone holds up no request. Its devices are RAM disks in the module behind its kernel
 * (ramdisk.c) and the virtio functions that the hypervisor has given it. The hypervisor ends it
 * when no other guest is left. */
#include <stdio.h>
#include <string.h>
#include "clock.h"
#include "console.h"
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "packet.h"
#include "pairs.h"
#include "pci.h"
#include "ramdisk.h"
#include "serve.h"
#include "start.h"
#include "thread.h"
#include "trap.h"
#include "vbd.h"
#include "vif.h"
#include "virtio_blk.h"
#include "virtio_net.h"
#include "xs.h"

#define MAX_DISKS 128u
#define DRAIN_SLEEP (10 * NS_PER_MS)
#define FLUSH_NS (4 * NS_PER_S)         /* less than the hypervisor waits for our end */

#define SPARE_PAGES 256u
#define MAX_CARDS 4u
#define PACKETS 384u                    /* of each card, besides those of each guest's device */

static struct disk disks[MAX_DISKS];
static struct virtio_net *cards[MAX_CARDS];
static unsigned nr_cards;
static unsigned nr_disks, nr_virtio_disks, disks_to_flush;
static struct thread *data_thread;
static volatile bool wanted[NR_PARTS] = { true, true };

static void copy(struct gnttab_copy *ops, unsigned n)
{
    if (xen_grant_table_op(GNTTABOP_copy, ops, n) != 0)
        kprintf("driver: GNTTABOP_copy of %u failed\n", n);
}

static xen_pfn_t frame(const void *address)
{
    return v2mfn(address);
}

static uint64_t address(const void *where)
{
    return v2maddr(where);
}

#define GRANTS 32u                      /* mapped by one call */

static void unmap(const struct grant *g, unsigned n)
{
    struct gnttab_unmap_grant_ref op[GRANTS];

    for (unsigned i = 0; i < n; i++)
        op[i] = (struct gnttab_unmap_grant_ref){ .dev_bus_addr = g[i].address,
                                                 .handle = g[i].handle };
    if (xen_grant_table_op(GNTTABOP_unmap_grant_ref, op, n) != 0)
        panic("grants cannot be unmapped");
    for (unsigned i = 0; i < n; i++)
        grants_mapped -= op[i].status == GNTST_okay;
}

static bool map(domid_t domid, struct grant *g, unsigned n, bool readonly)
{
    struct gnttab_map_grant_ref op[GRANTS];
    struct grant good[GRANTS];
    unsigned nr_good = 0;

    for (unsigned i = 0; i < n; i++)
        op[i] = (struct gnttab_map_grant_ref){
            .flags = GNTMAP_device_map | (readonly ? GNTMAP_readonly : 0),
            .ref = g[i].ref, .dom = domid, .status = GNTST_general_error,
        };
    if (xen_grant_table_op(GNTTABOP_map_grant_ref, op, n) != 0)
        panic("grants cannot be mapped");
    for (unsigned i = 0; i < n; i++) {
        g[i].handle = op[i].handle;
        g[i].address = op[i].dev_bus_addr;
        if (op[i].status == GNTST_okay)
            good[nr_good++] = g[i];
    }
    grants_mapped += nr_good;
    if (nr_good != n && nr_good != 0)
        unmap(good, nr_good);
    return nr_good == n;
}

/* Some pages stay for page tables, without which the domain ends. */
static void *alloc(size_t bytes)
{
    size_t n = (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
    void *p;

    if (frames_in_a_row() < n + SPARE_PAGES)
        return NULL;
    p = p2v(frames_reserve(n));
    memset(p, 0, n * PAGE_SIZE);
    return p;
}

static const struct driver_host host = {
    .copy = copy, .frame = frame, .address = address, .map = map, .unmap = unmap, .alloc = alloc,
};
const struct driver_host *driver_host = &host;

void serve_soon(enum part part)
{
    wanted[part] = true;
    thread_wake(data_thread);
}

static bool serve_network(void)
{
    uint64_t seconds = clock_ns() / NS_PER_S;
    bool more = vifs_serve(seconds);

    for (unsigned i = 0; i < nr_cards; i++)
        more |= virtio_net_serve(cards[i], seconds);
    return more;
}

/* Returns whether there is more to do at once. An event meanwhile asks for one more time. */
static bool serve(enum part part, bool (*fn)(void))
{
    if (!wanted[part])
        return false;
    wanted[part] = false;
    if (fn())
        wanted[part] = true;
    return wanted[part];
}

static void data(void *arg)
{
    (void)arg;
    vbd_init(disks, nr_disks);
    for (;;) {
        bool more = serve(DISKS, vbds_serve);

        more |= serve(NETWORK, serve_network);
        if (more)
            thread_yield();
        else
            thread_block();
    }
}

static void on_disk(port_t port, void *arg)
{
    (void)port;
    (void)arg;
    serve_soon(DISKS);
}

static void on_card(port_t port, void *arg)
{
    (void)port;
    (void)arg;
    serve_soon(NETWORK);
}

/* Pages for queues. */
static void get_pages(void **page, uint64_t *at, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        page[i] = p2v(frame_alloc());
        at[i] = v2maddr(page[i]);
    }
}

static const char *add_card(struct pci_device *p)
{
    static const unsigned vectors[] = { 0, 1 };
    const char *problem = NULL;
    void *page[6];
    uint64_t at[6];

    if (nr_cards == MAX_CARDS)
        return "there is room for no more network cards";
    if (!pci_interrupt(p, 0, on_card, NULL) || !pci_interrupt(p, 1, on_card, NULL))
        return "it cannot interrupt";
    get_pages(page, at, 6);
    if (!packets_init(PACKETS))
        return "no memory for its packets";
    cards[nr_cards] = virtio_net_new(&p->virtio, page, at, vectors, &problem);
    if (cards[nr_cards] == NULL)
        return problem;
    nr_cards++;
    return NULL;
}

static const char *add_disk(struct pci_device *p)
{
    const char *problem;
    void *page[3];
    uint64_t at[3];

    if (nr_disks == MAX_DISKS)
        return "there is room for no more disks";
    if (!pci_interrupt(p, 0, on_disk, NULL))
        return "it cannot interrupt";
    get_pages(page, at, 3);
    problem = virtio_blk_init(&disks[nr_disks], nr_virtio_disks, &p->virtio, page, at, 0);
    if (problem != NULL)
        return problem;
    nr_disks++;
    nr_virtio_disks++;
    return NULL;
}

static void found_function(struct pci_device *p)
{
    const char *problem;

    pci_may_master(p);
    problem = p->type == VIRTIO_BLK ? add_disk(p) : add_card(p);
    if (problem != NULL)
        kprintf("driver: PCI %02x:%02x.%u is not used: %s\n", p->address >> 8,
                p->address >> 3 & 31, p->address & 7, problem);
}

static void find_devices(void)
{
    if (start_info->mod_len != 0)
        nr_disks = ramdisk_find(disks, MAX_DISKS, (void *)start_info->mod_start,
                                start_info->mod_len);
    pci_each(found_function);
    for (unsigned i = 0; i < nr_disks; i++)
        kprintf("driver: %s: %lu KiB%s\n", disks[i].name, disks[i].nr_sectors / 2,
                disks[i].readonly ? ", read-only" : "");
    for (unsigned i = 0; i < nr_cards; i++)
        kprintf("driver: network card %u\n", i);
    if (nr_disks + nr_cards == 0)
        kprintf("driver: no devices: no virtio function, no image or archive behind it\n");
}

static bool asked_to_end;

/* Of the store. No request can be made here. */
static void on_event(const char *path, const char *token)
{
    if (token[0] == 's')
        asked_to_end = true;
    else
        pairs_event(path, token);
}

/* The first event of a watch says nothing: then the node is empty. */
static bool is_to_end(void)
{
    char how[16];

    if (!asked_to_end)
        return false;
    asked_to_end = false;
    return xs_read(NO_TRANSACTION, "control/shutdown", how, sizeof(how)) && how[0] != '\0';
}

static void watch_store(void)
{
    pairs_watch();
    xs_watch("control/shutdown", "s");
}

static void on_flushed(struct disk_request *r, bool good)
{
    (void)r;
    (void)good;
    disks_to_flush--;
}

/* What guests have written is in the disks, and not in a cache, before the machine is switched off.
 * Returns how many have confirmed it. */
static unsigned flush_disks(void)
{
    static struct disk_request requests[MAX_DISKS];
    uint64_t end_ns = clock_ns() + FLUSH_NS;
    unsigned n = 0;

    for (unsigned i = 0; i < nr_disks; i++) {
        if (!disks[i].can_flush)
            continue;
        requests[i] = (struct disk_request){ .op = DISK_FLUSH, .done = on_flushed };
        disks_to_flush++;
        n++;
        disks[i].start(&disks[i], &requests[i]);
    }
    serve_soon(DISKS);
    while (disks_to_flush != 0 && clock_ns() < end_ns)
        thread_sleep(NS_PER_MS);
    if (disks_to_flush != 0)
        kprintf("driver: %u disks do not confirm that all is written\n", disks_to_flush);
    return n - disks_to_flush;
}

/* Without a store we are not told when to end. So it is done every second, unless the disks did
 * nothing. */
static void flush_without_store(void)
{
    static uint64_t flushed = ~0ul;
    uint64_t done = vbds_done();

    if (flushed == ~0ul)
        kprintf("driver: there is no store any more: what is written is flushed every second\n");
    if (done != flushed && disks_to_flush == 0) {
        flush_disks();
        flushed = done;
    }
    thread_sleep(NS_PER_S);
}

int guest_main(void)
{
    if (start_info->store_mfn == 0)
        panic("no xenstore: the driver domain needs the service domain");
    data_thread = current;              /* until it is there */
    find_devices();
    data_thread = thread_create("data", data, NULL);
    thread_yield();
    xs_init(on_event);
    for (;;) {
        if (xs_store_is_new())
            watch_store();
        xs_events();
        if (pairs_serve())
            continue;
        if (is_to_end()) {
            unsigned flushed = flush_disks();

            xs_write("control/shutdown", "");
            /* Before the store answers once more, it has printed what is left in it. */
            xs_write("control/shutdown", "");
            kprintf("driver: ends: %u devices, %u grants, %u packets are left, %u disks are "
                    "flushed\n", pairs_count(), grants_mapped, packets_used(), flushed);
            return 0;
        }
        if (pairs_drain())
            thread_sleep(DRAIN_SLEEP);
        else if (xs_store_is_gone())
            flush_without_store();
        else
            thread_block();
    }
}
