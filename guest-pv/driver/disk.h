/* What a disk is to the rest of the driver domain, and what is asked of it. A disk is a RAM disk
 * (ramdisk.c) or a function of virtio. Requests come from blk_ring.c, which has judged them: they
 * lie within the disk, and are no writes to a disk that is read-only. */
#ifndef DRIVER_DISK_H
#define DRIVER_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/grant_table.h>

#define SECTOR_BYTES 512u
/* Of an indirect request; what the node feature-max-indirect-segments says. */
#define MAX_SEGMENTS 32u

enum disk_op { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD };

/* A part of one page that the guest has granted. */
struct disk_part {
    grant_ref_t ref;
    uint16_t offset, bytes;             /* multiples of SECTOR_BYTES, not 0, within the page */
};

struct disk_request {
    domid_t domid;                      /* whose grants they are */
    enum disk_op op;
    uint64_t sector;
    uint64_t nr_sectors;                /* of a discard: not 0 */
    unsigned nr_parts;                  /* 0: a flush or a discard */
    struct disk_part part[MAX_SEGMENTS];
    /* Called once, perhaps before start() returns. */
    void (*done)(struct disk_request *r, bool good);
    struct disk_request *next;          /* the disk's */
};

struct disk {
    char name[16];                      /* as in the word disk=: ram0 */
    uint64_t nr_sectors;
    bool readonly;
    bool can_flush;                     /* it has a cache that DISK_FLUSH writes back */
    bool can_discard;
    uint32_t discard_granularity;       /* bytes, as the front end is told */
    unsigned max_parts;                 /* of a request */
    void (*start)(struct disk *d, struct disk_request *r);
    /* Goes on with requests that were started. True: it has more to do, without an event. */
    bool (*serve)(struct disk *d);
    /* After the rings were served. Tells the device of what was started, and asks for an event when
     * it has done something. False: it has already, or there is more to do without an event. */
    bool (*wait)(struct disk *d);
    /* Called once a second while requests are under way, and with give_up when their guest no
     * longer waits for them: whether the device has failed. Then they are answered with an error as
     * soon as it has confirmed a reset, and it begins anew; if it never does it is dead. NULL, or a
     * line to print. May be NULL. */
    const char *(*check)(struct disk *d, uint64_t seconds, bool give_up);
    bool dead;                          /* what it has may never be answered */
    /* Of a RAM disk. */
    void *bytes;
    struct disk_request *discards;      /* not done yet, the last one first */
    void *device;                       /* of a virtio disk */
};

/* A granted page that a device may use. */
struct grant {
    grant_ref_t ref;
    grant_handle_t handle;
    uint64_t address;                   /* machine address */
};

/* What the plain part of the driver needs of the domain that it runs in; the tests have their
 * own. */
struct driver_host {
    /* GNTTABOP_copy: sets the status of each. */
    void (*copy)(struct gnttab_copy *ops, unsigned n);
    xen_pfn_t (*frame)(const void *address);        /* machine frame of our own memory */
    uint64_t (*address)(const void *address);       /* its machine address */
    /* GNTMAP_device_map of n pages of a guest. False: none is mapped. */
    bool (*map)(domid_t domid, struct grant *g, unsigned n, bool readonly);
    void (*unmap)(const struct grant *g, unsigned n);
    void *(*alloc)(size_t bytes);                   /* zeroed, whole pages */
};
extern const struct driver_host *driver_host;

#endif
