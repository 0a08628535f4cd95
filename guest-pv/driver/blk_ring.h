/* One frontend's ring of block requests, as the backend sees it (public/io/blkif.h). */
#ifndef DRIVER_BLK_RING_H
#define DRIVER_BLK_RING_H

#include <stdbool.h>
#include <stdint.h>
#include "io_ring.h"
#include <public/io/blkif.h>
#include "disk.h"

#define BLK_SLOTS 32u                   /* of a ring of one page */

struct blk_ring;
struct blk_slot {
    struct disk_request request;
    struct blk_ring *ring;
    blkif_response_t answer;
    bool done;
};

/* Responses have the order of the requests: so every request that is not answered can still be read
 * in the ring, also by another instance of the driver that takes its place. One that is being
 * answered cannot, for its answer is written over it; that answer is in the page's struct
 * blk_record.
 *   B1  rsp_prod_pvt is the number of requests answered, and req_cons - rsp_prod_pvt <= BLK_SLOTS
 *       those begun; slot[n % BLK_SLOTS] is the nth
 *   B2  a request is copied out of the page once; nothing is read there a second time
 *   B3  whenever a slot has no whole request and its answer is not pushed, the record has its
 *       answer and the number that rsp_prod gets by it. So a successor pushes it if that is the
 *       next one */
struct blk_record {                     /* in the ring's __pad */
    uint32_t rsp_prod;
    blkif_response_t answer;
};

struct blk_ring {
    blkif_back_ring_t shared;
    domid_t domid;
    struct disk *disk;
    bool readonly;                      /* the word disk= says so, or the disk is */
    bool stopped;                       /* senseless indices: it is served no more */
    /* Requests answered, of them refused or failed; sectors. */
    uint64_t requests, errors, sectors_read, sectors_written, sectors_discarded;
    struct blk_slot slot[BLK_SLOTS];
};

/* again: another instance served this ring before and died, perhaps at any point. */
void blk_ring_attach(struct blk_ring *r, void *page, domid_t domid, struct disk *d, bool readonly,
                     bool again);
/* Begins what is there, at most a ring of requests, answers what is done, and asks for an event at
 * the next request. Returns whether that is there already; sets *notify if the guest wants an
 * event. */
bool blk_ring_serve(struct blk_ring *r, bool *notify);
/* Requests that the guest has made and that are not answered. */
unsigned blk_ring_unanswered(const struct blk_ring *r);
/* Requests begun and not done yet: the ring must stay until there are none. */
unsigned blk_ring_busy(const struct blk_ring *r);

#endif
