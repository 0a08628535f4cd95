/* A block ring with a RAM disk behind it and a guest whose granted pages are an array. Included by
 * test_driver_blk.c and test_driver_blk_ring.c. */
#ifndef DRIVER_BLK_FIXTURE_H
#define DRIVER_BLK_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "guest-pv/driver/blk_ring.h"
#include "guest-pv/driver/ramdisk.h"

#define PAGE 4096u
#define PAGES 40u                       /* granted: their numbers are the references */
#define READ_ONLY_PAGES 4u              /* the first ones */
#define DISK_SECTORS 200u
#define ODD 12u                         /* the disk lies so many bytes from a page's start */
#define SEGMENT_PAGES 36u               /* these four hold segments, no data */
#define GUEST 7u

static uint8_t pages[PAGES][PAGE] __attribute__((aligned(PAGE)));
static uint8_t memory[DISK_SECTORS * SECTOR_BYTES + PAGE] __attribute__((aligned(PAGE)));
static uint8_t ring_page[PAGE] __attribute__((aligned(PAGE)));
static struct disk disk;
static struct blk_ring ring;
static blkif_front_ring_t front;
/* Called at each copy: a guest that changes its ring meanwhile. */
static void (*meanwhile)(void);

static inline unsigned one_of(unsigned n)
{
    return (unsigned)rand() % n;
}

/* --- GNTTABOP_copy ---------------------------------------------------------------------------- */

static uint8_t *own_memory(xen_pfn_t frame, unsigned offset, unsigned len)
{
    uint8_t *at = (uint8_t *)(frame * PAGE);

    assert_true(offset + len <= PAGE);
    return at + offset;
}

static uint8_t *granted(const struct gnttab_copy_ptr *p, unsigned len, bool written)
{
    assert_int_equal(p->domid, GUEST);
    assert_true(p->offset + len <= PAGE);
    if (p->u.ref >= PAGES || (written && p->u.ref < READ_ONLY_PAGES))
        return NULL;
    return pages[p->u.ref] + p->offset;
}

static void copy(struct gnttab_copy *ops, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        bool to_guest = ops[i].flags == GNTCOPY_dest_gref;
        struct gnttab_copy_ptr *ours = to_guest ? &ops[i].source : &ops[i].dest;
        uint8_t *own = own_memory(ours->u.gmfn, ours->offset, ops[i].len);
        uint8_t *theirs = granted(to_guest ? &ops[i].dest : &ops[i].source, ops[i].len, to_guest);

        assert_true(to_guest || ops[i].flags == GNTCOPY_source_gref);
        assert_int_equal(ours->domid, DOMID_SELF);
        if (theirs != NULL)
            memcpy(to_guest ? theirs : own, to_guest ? own : theirs, ops[i].len);
        ops[i].status = theirs != NULL ? GNTST_okay : GNTST_bad_gntref;
    }
    if (meanwhile != NULL)
        meanwhile();
}

static xen_pfn_t frame(const void *address)
{
    return (uintptr_t)address / PAGE;
}

static const struct driver_host host = { .copy = copy, .frame = frame };
const struct driver_host *driver_host = &host;

static inline void attach(bool readonly)
{
    memset(ring_page, 0, sizeof(ring_page));
    SHARED_RING_INIT((blkif_sring_t *)ring_page);
    FRONT_RING_INIT(&front, (blkif_sring_t *)ring_page, PAGE);
    assert_int_equal(ramdisk_find(&disk, 1, memory + ODD, DISK_SECTORS * SECTOR_BYTES + 17), 1);
    assert_int_equal(disk.nr_sectors, DISK_SECTORS);
    assert_string_equal(disk.name, "ram0");
    blk_ring_attach(&ring, ring_page, GUEST, &disk, readonly, false);
    meanwhile = NULL;
}

static inline void push(const void *request, size_t bytes)
{
    memcpy(RING_GET_REQUEST(&front, front.req_prod_pvt), request, bytes);
    front.req_prod_pvt++;
}

static inline unsigned serve(void)
{
    int notify_them;
    bool notify = false;
    unsigned turns = 0;
    bool more;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front, notify_them);
    (void)notify_them;
    do {                                /* once more for what the disk has done last */
        more = ring.disk->serve != NULL && ring.disk->serve(ring.disk);
        more |= blk_ring_serve(&ring, &notify) || blk_ring_busy(&ring) != 0;
        assert_true(++turns < 5 + BLK_SLOTS);
    } while (more && ring.disk->serve != NULL);
    return notify;
}

static inline blkif_response_t next_answer(void)
{
    static const uint8_t zero[sizeof(blkif_response_t)];
    blkif_response_t a;

    assert_true(front.rsp_cons != front.sring->rsp_prod);
    memcpy(&a, RING_GET_RESPONSE(&front, front.rsp_cons), sizeof(a));
    front.rsp_cons++;
    /* nothing of ours in the padding */
    assert_memory_equal((uint8_t *)&a + 12, zero, 4);
    assert_int_equal(((uint8_t *)&a)[9], 0);
    return a;
}

#endif
