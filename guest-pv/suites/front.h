/* Front ends of a disk and of a network device, as Linux has them but smaller, for the suites
 * "frontend", which uses them as they are meant, and "hostilefront", which does not: front.c has
 * the nodes in xenstore, front_blk.c and front_net.c the rings. A guest finds its devices by the
 * order of their names. What takes longer than FRONT_PATIENCE fails the test. */
#ifndef GUEST_FRONT_H
#define GUEST_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <public/xen.h>
#include <public/grant_table.h>
#include <public/io/xenbus.h>

#define xen_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_rmb() __asm__ volatile("" ::: "memory")
#define xen_wmb() __asm__ volatile("" ::: "memory")
#include <public/io/blkif.h>
#include <public/io/netif.h>

#define FRONT_PATIENCE 20000000000ul    /* ns */
#define FRONT_SOON     100000000ul      /* for an answer that must not come */

/* --- front.c: nodes --------------------------------------------------------------------------- */
struct front {
    char dir[64], back[64];             /* directories: device/vbd/51712; the back end's */
    domid_t driver;
    unsigned handle;
};
/* The index-th device of that type; false: there are not so many. */
bool front_find(struct front *f, const char *type, unsigned index);
/* Ends the test if the store does not take it. */
void front_set(const struct front *f, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void front_remove(const struct front *f, const char *name);    /* if it is there */
void front_set_state(const struct front *f, XenbusState state);
/* The back end's node, in a buffer of xenstore.c's; "": it cannot be read. */
const char *front_back(const struct front *f, const char *name);
int front_back_state(const struct front *f);    /* -1: it cannot be read */
/* Waits until the back end's state is one of these (bits). False: it is not, and the test has
 * failed. */
bool front_wait(const struct front *f, unsigned states);
#define STATE(s) (1u << XenbusState##s)
/* From any state to that in which both ends wait for the front end to connect. */
bool front_begin(const struct front *f);
/* Closes as Linux does. */
bool front_end(const struct front *f);
/* n entries of the grant table that follow each other, for ever; returns the first. */
grant_ref_t front_refs(unsigned n);
/* Sleeps until an event, for a millisecond at most. */
void front_sleep(int port);

/* --- front_blk.c: a disk ---------------------------------------------------------------------- */
#define BLK_PAGES 32u                   /* granted to the back end: page[i] by ref + i */
#define BLK_NO_ANSWER 1                 /* no status */

struct blkfront {
    struct front x;
    blkif_front_ring_t ring;
    blkif_sring_t *shared;
    grant_ref_t ring_ref, ref;
    int port;
    uint64_t nr_sectors;
    uint8_t *page[BLK_PAGES];
    uint64_t next_id;
};
/* Memory and grants for the index-th disk, those that it has already if it was another one before.
 * False: there is none. */
bool blk_init(struct blkfront *b, unsigned index);
/* New ring and port, told to the back end, which connects. False: it does not. */
bool blk_connect(struct blkfront *b);
void blk_offer_ring(struct blkfront *b);        /* of that, what comes before state 3 */
bool blk_close(struct blkfront *b);             /* and everything is revoked */
/* Puts a request (a union of those in blkif.h) into the ring; blk_push() shows all of them to the
 * back end. */
void blk_put(struct blkfront *b, const void *request);
void blk_push(struct blkfront *b);
bool blk_receive(struct blkfront *b, blkif_response_t *answer, uint64_t ns);
/* One request: the status of its answer, or BLK_NO_ANSWER. */
int blk_do(struct blkfront *b, const blkif_request_t *q);
/* A request to read or write n whole pages, page[0] to page[n - 1]; n > 11: the segments are in
 * the page `segments`. */
blkif_request_t blk_request(struct blkfront *b, uint8_t op, uint64_t sector, unsigned n);
blkif_request_indirect_t blk_indirect(struct blkfront *b, uint8_t op, uint64_t sector, unsigned n);
int blk_do_indirect(struct blkfront *b, const blkif_request_indirect_t *q);
#define BLK_LIST (BLK_PAGES - 1)        /* the page with the segments of blk_indirect() */

/* --- front_net.c: a network device ------------------------------------------------------------ */
#define NET_BUFFERS 64u
#define NET_PARTS   32u                 /* pages to send from: tx_page[i] by tx_ref + i */
#define NET_NO_ANSWER 2                 /* no status */

struct netfront {
    struct front x;
    netif_tx_front_ring_t tx;
    netif_rx_front_ring_t rx;
    netif_tx_sring_t *tx_shared;
    netif_rx_sring_t *rx_shared;
    grant_ref_t rings, tx_ref, rx_ref;
    int port;
    uint8_t mac[6];
    uint8_t *tx_page[NET_PARTS], *rx_page[NET_BUFFERS];
};
bool net_init(struct netfront *n, unsigned index);
bool net_connect(struct netfront *n);
void net_offer_rings(struct netfront *n);
bool net_close(struct netfront *n);
/* Room for so many packets more; the ids are the numbers of buffers, from `first`. */
void net_give(struct netfront *n, unsigned first, unsigned count);
void net_put(struct netfront *n, const void *slot);     /* a request or an extra */
void net_push(struct netfront *n);
/* The next answer's status, or NET_NO_ANSWER. */
int net_status(struct netfront *n, uint64_t ns);
/* Sends tx_page[0] with this length; its status. */
int net_send(struct netfront *n, unsigned len);
/* A frame in tx_page[0]. */
void net_frame(struct netfront *n, const uint8_t *to, const uint8_t *from, unsigned len,
               uint8_t seed);
bool net_receive(struct netfront *n, netif_rx_response_t *answer, uint64_t ns);

#endif
