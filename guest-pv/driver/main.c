/* The driver domain: the kernel of the test guest with the back ends of disks instead of tests. It
 * is an ordinary domain: what it may do to a guest is what that guest grants. Two threads: this one
 * follows the store, the other serves the rings, so that a store that is slow or gone holds up no
 * request. Disks: the module behind its kernel (ramdisk.c). The hypervisor ends it when no other
 * guest is left. */
#include <stdio.h>
#include <string.h>
#include "clock.h"
#include "console.h"
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "pair.h"
#include "ramdisk.h"
#include "start.h"
#include "thread.h"
#include "trap.h"
#include "vbd.h"

#define MAX_DISKS 16u

static struct disk disks[MAX_DISKS];

static void copy(struct gnttab_copy *ops, unsigned n)
{
    if (xen_grant_table_op(GNTTABOP_copy, ops, n) != 0)
        kprintf("driver: GNTTABOP_copy of %u failed\n", n);
}

static xen_pfn_t frame(const void *address)
{
    return v2mfn(address);
}

static const struct driver_host host = { .copy = copy, .frame = frame };
const struct driver_host *driver_host = &host;

static void data(void *arg)
{
    vbd_init(disks, *(unsigned *)arg);
    for (;;)
        if (vbds_serve())
            thread_yield();
        else
            thread_block();
}

static unsigned find_disks(void)
{
    unsigned n = 0;

    if (start_info->mod_len != 0)
        n = ramdisk_find(disks, MAX_DISKS, (void *)start_info->mod_start, start_info->mod_len);
    for (unsigned i = 0; i < n; i++)
        kprintf("driver: %s: %lu KiB\n", disks[i].name, disks[i].nr_sectors / 2);
    if (n == 0)
        kprintf("driver: no disks: the module behind it is an image, or a newc archive of some\n");
    return n;
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

int guest_main(void)
{
    unsigned n = find_disks();

    if (start_info->store_mfn == 0)
        panic("no xenstore: the driver domain needs the service domain");
    thread_create("data", data, &n);
    thread_yield();
    xs_init(on_event);
    pairs_init();
    xs_watch("control/shutdown", "s");
    for (;;) {
        xs_events();
        if (pairs_serve())
            continue;
        if (is_to_end())
            return 0;
        thread_block();
    }
}
