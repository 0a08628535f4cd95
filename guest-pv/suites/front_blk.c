/* The front end of a disk: ring, grants, requests. Nodes and states: front.c. */
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "event.h"
#include "front.h"
#include "gnttab.h"
#include "mm.h"
#include "suite.h"

bool blk_init(struct blkfront *b, unsigned index)
{
    b->port = -1;
    if (!front_find(&b->x, "vbd", index))
        return false;
    if (b->shared != NULL)
        return true;
    b->shared = p2v(frame_alloc());
    b->ring_ref = front_refs(1);
    b->ref = front_refs(BLK_PAGES);
    for (unsigned i = 0; i < BLK_PAGES; i++)
        b->page[i] = p2v(frame_alloc());
    return true;
}

void blk_offer_ring(struct blkfront *b)
{
    memset(b->shared, 0, PAGE_SIZE);
    SHARED_RING_INIT(b->shared);
    FRONT_RING_INIT(&b->ring, b->shared, PAGE_SIZE);
    grant_offer(b->ring_ref, b->x.driver, v2mfn(b->shared), 0);
    for (unsigned i = 0; i < BLK_PAGES; i++)
        grant_offer(b->ref + i, b->x.driver, v2mfn(b->page[i]), 0);
    b->port = event_alloc_unbound(b->x.driver, NULL, NULL);
    ASSERT(b->port > 0);
    front_set(&b->x, "ring-ref", "%u", b->ring_ref);
    front_set(&b->x, "event-channel", "%d", b->port);
    front_set(&b->x, "protocol", "x86_64-abi");
}

bool blk_connect(struct blkfront *b)
{
    if (!front_begin(&b->x))
        return false;
    blk_offer_ring(b);
    front_set_state(&b->x, XenbusStateInitialised);
    if (!front_wait(&b->x, STATE(Connected)))
        return false;
    b->nr_sectors = strtoul(front_back(&b->x, "sectors"), NULL, 10);
    front_set_state(&b->x, XenbusStateConnected);
    return true;
}

/* The back end has no mapping of ours any more: it has closed. */
static bool revoke(const struct blkfront *b)
{
    bool all = grant_revoke(b->ring_ref);

    for (unsigned i = 0; i < BLK_PAGES; i++)
        all &= grant_revoke(b->ref + i);
    return EXPECT_MSG(all, "%s: the back end has closed and keeps grants", b->x.dir);
}

bool blk_close(struct blkfront *b)
{
    bool good = front_end(&b->x);

    if (b->port > 0)
        event_close(b->port);
    b->port = -1;
    return good && revoke(b);
}

/* --- Requests --------------------------------------------------------------------------------- */

void blk_put(struct blkfront *b, const void *request)
{
    memcpy(RING_GET_REQUEST(&b->ring, b->ring.req_prod_pvt), request, sizeof(blkif_request_t));
    b->ring.req_prod_pvt++;
}

void blk_push(struct blkfront *b)
{
    int notify;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&b->ring, notify);
    if (notify)
        event_send(b->port);
}

bool blk_receive(struct blkfront *b, blkif_response_t *answer, uint64_t ns)
{
    uint64_t end = clock_ns() + ns;

    while (b->ring.rsp_cons == *(volatile RING_IDX *)&b->shared->rsp_prod) {
        if (clock_ns() > end)
            return false;
        b->shared->rsp_event = b->ring.rsp_cons + 1;
        front_sleep(b->port);
    }
    xen_rmb();
    memcpy(answer, RING_GET_RESPONSE(&b->ring, b->ring.rsp_cons), sizeof(*answer));
    b->ring.rsp_cons++;
    return true;
}

static int ask(struct blkfront *b, const void *request, uint64_t id, uint8_t op)
{
    blkif_response_t answer;

    blk_put(b, request);
    blk_push(b);
    if (!blk_receive(b, &answer, FRONT_PATIENCE))
        return BLK_NO_ANSWER;
    EXPECT_EQ(answer.id, id);
    EXPECT_EQ(answer.operation, op);
    return answer.status;
}

int blk_do(struct blkfront *b, const blkif_request_t *q)
{
    return ask(b, q, q->id, q->operation);
}

int blk_do_indirect(struct blkfront *b, const blkif_request_indirect_t *q)
{
    blkif_request_t slot = { 0 };

    memcpy(&slot, q, sizeof(*q));
    return ask(b, &slot, q->id, q->indirect_op);
}

blkif_request_t blk_request(struct blkfront *b, uint8_t op, uint64_t sector, unsigned n)
{
    blkif_request_t q = {
        .operation = op, .nr_segments = (uint8_t)n, .handle = (blkif_vdev_t)b->x.handle,
        .id = ++b->next_id, .sector_number = sector,
    };

    for (unsigned i = 0; i < n && i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
        q.seg[i] = (struct blkif_request_segment){ .gref = b->ref + i, .last_sect = 7 };
    return q;
}

blkif_request_indirect_t blk_indirect(struct blkfront *b, uint8_t op, uint64_t sector, unsigned n)
{
    struct blkif_request_segment *list = (void *)b->page[BLK_LIST];
    blkif_request_indirect_t q = {
        .operation = BLKIF_OP_INDIRECT, .indirect_op = op, .nr_segments = (uint16_t)n,
        .id = ++b->next_id, .sector_number = sector, .handle = (blkif_vdev_t)b->x.handle,
        .indirect_grefs = { b->ref + BLK_LIST },
    };

    for (unsigned i = 0; i < n && i < BLK_LIST; i++)
        list[i] = (struct blkif_request_segment){ .gref = b->ref + i, .last_sect = 7 };
    return q;
}
