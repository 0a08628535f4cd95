/* The devices of guests: the hypervisor's lines name them before it introduces the guest, and here
 * they become the nodes that a Xen toolstack writes for its front end and for the back end in the
 * driver domain, with the same permissions. Called by domains.c and main.c; the states of the two
 * ends are device_states.c's, and how they go on is guest-pv/driver's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "console.h"
#include "devices.h"
#include "ring.h"
#include "store.h"

struct device *devices;

/* --- Lines ------------------------------------------------------------------------------------ */

/* The number that Linux and the ABI give a disk (xen-vbd-interface(7)): xvda1 is 51713. 0: no such
 * name. */
static uint32_t disk_number(const char *name)
{
    unsigned disk = 0, partition = 0, letters = 0;
    char *end;

    if (strncmp(name, "xvd", 3) != 0)
        return 0;
    for (name += 3; *name >= 'a' && *name <= 'z' && letters < 3; name++, letters++)
        disk = disk * 26 + (*name - 'a' + 1);
    if (letters == 0)
        return 0;
    disk--;
    if (*name != '\0') {
        partition = strtoul(name, &end, 10);
        if (*name < '1' || *name > '9' || *end != '\0' || partition > 255)
            return 0;
    }
    if (disk < 16 && partition < 16)
        return 202u << 8 | disk << 4 | partition;
    return 1u << 28 | disk << 8 | partition;
}

/* NULL, or what is wrong with the word's value. */
static const char *parse_disk(struct device *d, const char *value)
{
    d->type = "vbd";
    if (sscanf(value, "%15[^,],%15[^,],%c", d->spec, d->name, &d->mode) != 3)
        return "not SPEC,NAME,MODE";
    d->handle = disk_number(d->name);
    return d->handle != 0 ? NULL : "not the name of a disk (xvda, xvdb1, ...)";
}

static unsigned nr_of_type(uint16_t domid, const char *type)
{
    unsigned n = 0;

    for (const struct device *d = devices; d; d = d->next)
        n += d->domid == domid && !strcmp(d->type, type);
    return n;
}

/* Without an address it gets one in Xen's range, which says whose it is. */
static const char *parse_vif(struct device *d, const char *value)
{
    d->type = "vif";
    d->handle = nr_of_type(d->domid, "vif");
    d->strict = strstr(value, "strict");
    if (sscanf(value, "%17[0-9a-fA-F:]", d->mac) != 1)
        snprintf(d->mac, sizeof(d->mac), "00:16:3e:%02x:%02x:%02x", d->domid >> 8,
                 d->domid & 0xff, (unsigned)d->handle & 0xff);
    return NULL;
}

/* Two file systems of one disk, each with its own view of it, destroy it if one writes. */
static bool is_taken(const struct device *d)
{
    for (const struct device *o = devices; o; o = o->next) {
        if (strcmp(o->type, d->type))
            continue;
        if (o->domid == d->domid && o->handle == d->handle)
            return true;
        if (o->driver == d->driver && !strcmp(d->type, "vbd") && !strcmp(o->spec, d->spec) &&
            (o->mode == 'w' || d->mode == 'w'))
            return true;
    }
    return false;
}

static void set_paths(struct device *d)
{
    snprintf(d->front, sizeof(d->front), "/local/domain/%u/device/%s/%lu", d->domid, d->type,
             (unsigned long)d->handle);
    snprintf(d->back, sizeof(d->back), "/local/domain/%u/backend/%s/%u/%lu", d->driver, d->type,
             d->domid, (unsigned long)d->handle);
    snprintf(d->front_state, sizeof(d->front_state), "%s/state", d->front);
    snprintf(d->back_state, sizeof(d->back_state), "%s/state", d->back);
}

void device_add(uint16_t domid, uint16_t driver, const char *word)
{
    struct device *d = calloc(1, sizeof(*d));
    const char *problem = "no memory";

    if (d) {
        d->domid = domid;
        d->driver = driver;
        problem = !strncmp(word, "disk=", 5)  ? parse_disk(d, word + 5)
                  : !strncmp(word, "vif=", 4) ? parse_vif(d, word + 4)
                                              : "not a kind of device";
    }
    if (!problem && is_taken(d))
        problem = "another device has that name, or writes to that disk";
    if (problem) {
        kprintf("store: domain %u: %s: %s\n", domid, word, problem);
        free(d);
        return;
    }
    set_paths(d);
    accounts[driver].is_driver = true;  /* it is charged for nodes, perhaps before it is there */
    d->next = devices;
    devices = d;
}

void devices_forget(uint16_t domid)
{
    struct device **at = &devices, *d;

    while ((d = *at)) {
        if (d->domid != domid && d->driver != domid) {
            at = &d->next;
            continue;
        }
        *at = d->next;
        free(d);
    }
}

/* --- Nodes ------------------------------------------------------------------------------------ */

/* The directories on the way: the guest's are ours, which it may read; the driver domain's are its
 * own. */
static void make_parents(const struct device *d)
{
    char path[NODE_PATH];

    snprintf(path, sizeof(path), "/local/domain/%u/device", d->domid);
    node_make(path, 0, d->domid);
    snprintf(path, sizeof(path), "/local/domain/%u/device/%s", d->domid, d->type);
    node_make(path, 0, d->domid);
    snprintf(path, sizeof(path), "/local/domain/%u/backend", d->driver);
    node_make(path, d->driver, d->driver);
    snprintf(path, sizeof(path), "/local/domain/%u/backend/%s", d->driver, d->type);
    node_make(path, d->driver, d->driver);
    snprintf(path, sizeof(path), "/local/domain/%u/backend/%s/%u", d->driver, d->type, d->domid);
    node_make(path, d->driver, d->domid);
}

static void write_disk(const struct device *d)
{
    const char *front = d->front, *back = d->back;

    node_set(front, "virtual-device", "%lu", (unsigned long)d->handle);
    node_set(front, "device-type", "disk");
    node_set(back, "removable", "0");
    node_set(back, "bootable", "1");
    node_set(back, "dev", "%s", d->name);
    node_set(back, "mode", "%c", d->mode);
    node_set(back, "device-type", "disk");
    node_set(back, "type", "phy");
    node_set(back, "params", "%s", d->spec);
}

static void write_vif(const struct device *d)
{
    const char *front = d->front, *back = d->back;

    node_set(front, "handle", "%lu", (unsigned long)d->handle);
    node_set(front, "mac", "%s", d->mac);
    node_set(back, "handle", "%lu", (unsigned long)d->handle);
    node_set(back, "mac", "%s", d->mac);
    node_set(back, "type", "vif");
    if (d->strict)
        node_set(back, "strict", "1");
}

/* The states come last: with them each end knows that the rest is there. If a store before us
 * served the guest, its device may be connected and in use, which the driver domain knows. */
static void write_device(const struct device *d)
{
    const char *front = d->front, *back = d->back;

    make_parents(d);
    node_make(front, d->domid, d->driver);
    node_make(back, d->driver, d->domid);
    node_set(front, "backend", "%s", back);
    node_set(front, "backend-id", "%u", d->driver);
    node_set(front, "trusted", "1");
    node_set(back, "frontend", "%s", front);
    node_set(back, "frontend-id", "%u", d->domid);
    node_set(back, "online", "1");
    if (!strcmp(d->type, "vbd"))
        write_disk(d);
    else
        write_vif(d);
    if (d->unsettled)
        return;
    node_set(front, "state", "%d", XenbusStateInitialising);
    node_set(back, "state", "%d", XenbusStateInitialising);
}

bool devices_write(uint16_t domid, bool again)
{
    bool any = false;

    for (struct device *d = devices; d; d = d->next)
        if (d->domid == domid) {
            d->unsettled = again;
            write_device(d);
            any = true;
        }
    return any;
}

/* Their driver domain is gone for good, and its part of the last step is done here. */
void devices_close(uint16_t driver)
{
    for (const struct device *d = devices; d; d = d->next)
        if (d->driver == driver)
            node_set(d->back, "state", "%d", XenbusStateClosed);
}
