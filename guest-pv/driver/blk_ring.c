/* Reads a guest's block requests out of its ring, judges each as a copy, passes it to the disk, and
 * answers in the order of the ring. The page is the guest's memory: indices are read once and
 * compared with ours; wrong ones stop this ring and nothing else. What connects and disconnects a
 * ring is vbd.c; what a disk does is ramdisk.c's. */
#include <string.h>
#include "blk_ring.h"

#define PAGE 4096u
#define SEGMENTS_IN_PAGE (PAGE / sizeof(struct blkif_request_segment))
#define ALL_SECTORS (PAGE / SECTOR_BYTES)

/* As the guest wrote it: the same place, seen as each kind of request. */
union request {
    blkif_request_t plain;
    blkif_request_indirect_t indirect;
    blkif_request_discard_t discard;
};

static struct blk_record *record(const struct blk_ring *r)
{
    return ring_record(r->shared.sring->__pad);
}

/* Answers the oldest request. If the driver dies between two of these stores, the record is not the
 * next answer's, or it is and is whole, or the answer has been pushed (B3). */
static void push_answer(struct blk_ring *r, const blkif_response_t *a)
{
    blkif_back_ring_t *shared = &r->shared;
    struct blk_record *rec = record(r);

    memcpy(&rec->answer, a, sizeof(*a));
    ring_store(&rec->rsp_prod, shared->rsp_prod_pvt + 1);
    memcpy(RING_GET_RESPONSE(shared, shared->rsp_prod_pvt), a, sizeof(*a));
    ring_store(&shared->sring->rsp_prod, ++shared->rsp_prod_pvt);
}

/* Finishes what an instance before us had begun to answer. */
static void finish_answer(struct blk_ring *r)
{
    blkif_response_t a;

    if (record(r)->rsp_prod != r->shared.rsp_prod_pvt + 1 || blk_ring_unanswered(r) == 0)
        return;
    memcpy(&a, &record(r)->answer, sizeof(a));
    push_answer(r, &a);
    r->shared.req_cons++;
}

void blk_ring_attach(struct blk_ring *r, void *page, domid_t domid, struct disk *d, bool readonly,
                     bool again)
{
    blkif_sring_t *shared = page;
    RING_IDX answered = *(volatile RING_IDX *)&shared->rsp_prod;

    memset(r, 0, sizeof(*r));
    BACK_RING_ATTACH(&r->shared, shared, answered, PAGE);
    if (again)
        finish_answer(r);
    else
        memset(record(r), 0, sizeof(struct blk_record));
    r->domid = domid;
    r->disk = d;
    r->readonly = readonly || d->readonly;
    for (unsigned i = 0; i < BLK_SLOTS; i++)
        r->slot[i].ring = r;
}

/* --- Judging ---------------------------------------------------------------------------------- */

/* The segments of an indirect request, from the first page that it names: MAX_SEGMENTS fit into
 * one. */
static bool fetch_segments(domid_t domid, grant_ref_t ref, struct blkif_request_segment *to,
                           unsigned n)
{
    static struct blkif_request_segment page[SEGMENTS_IN_PAGE] __attribute__((aligned(PAGE)));
    struct gnttab_copy op = {
        .source = { .u.ref = ref, .domid = domid },
        .dest = { .u.gmfn = driver_host->frame(page), .domid = DOMID_SELF },
        .len = n * sizeof(page[0]),
        .flags = GNTCOPY_source_gref,
        .status = GNTST_general_error,
    };

    driver_host->copy(&op, 1);
    memcpy(to, page, n * sizeof(page[0]));
    return op.status == GNTST_okay;
}

/* The parts and their length in sectors; 0: a segment is wrong. */
static uint64_t add_parts(struct disk_request *d, const struct blkif_request_segment *seg,
                          unsigned n)
{
    uint64_t sectors = 0;

    for (unsigned i = 0; i < n; i++) {
        if (seg[i].first_sect > seg[i].last_sect || seg[i].last_sect >= ALL_SECTORS)
            return 0;
        d->part[i] = (struct disk_part){
            .ref = seg[i].gref,
            .offset = seg[i].first_sect * SECTOR_BYTES,
            .bytes = (seg[i].last_sect - seg[i].first_sect + 1) * SECTOR_BYTES,
        };
        sectors += seg[i].last_sect - seg[i].first_sect + 1u;
    }
    d->nr_parts = n;
    return sectors;
}

static int16_t judge_transfer(struct blk_ring *r, uint8_t op, uint64_t sector,
                              const struct blkif_request_segment *seg, unsigned n,
                              struct disk_request *d)
{
    uint64_t sectors = n == 0 ? 0 : add_parts(d, seg, n), size = r->disk->nr_sectors;

    if (sectors == 0 || sector > size || sectors > size - sector)
        return BLKIF_RSP_ERROR;
    if (op == BLKIF_OP_WRITE && r->readonly)
        return BLKIF_RSP_ERROR;
    d->op = op == BLKIF_OP_WRITE ? DISK_WRITE : DISK_READ;
    d->sector = sector;
    *(d->op == DISK_WRITE ? &r->sectors_written : &r->sectors_read) += sectors;
    return BLKIF_RSP_OKAY;
}

static int16_t judge_plain(struct blk_ring *r, const union request *q, struct disk_request *d)
{
    if (q->plain.nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        return BLKIF_RSP_ERROR;
    return judge_transfer(r, q->plain.operation, q->plain.sector_number, q->plain.seg,
                          q->plain.nr_segments, d);
}

static int16_t judge_indirect(struct blk_ring *r, const union request *q, struct disk_request *d)
{
    struct blkif_request_segment seg[MAX_SEGMENTS];
    uint8_t op = q->indirect.indirect_op;
    unsigned n = q->indirect.nr_segments;

    if ((op != BLKIF_OP_READ && op != BLKIF_OP_WRITE) || n > r->disk->max_parts ||
        !fetch_segments(r->domid, q->indirect.indirect_grefs[0], seg, n))
        return BLKIF_RSP_ERROR;
    return judge_transfer(r, op, q->indirect.sector_number, seg, n, d);
}

/* Linux sends it with no segments and any sector number; data with a flush is not offered. */
static int16_t judge_flush(struct blk_ring *r, const union request *q, struct disk_request *d)
{
    if (!r->disk->can_flush)
        return BLKIF_RSP_EOPNOTSUPP;
    if (q->plain.nr_segments != 0 || r->readonly)
        return BLKIF_RSP_ERROR;
    d->op = DISK_FLUSH;
    return BLKIF_RSP_OKAY;
}

/* Its flag asks for a secure discard, and says nothing as long as that is not offered. */
static int16_t judge_discard(struct blk_ring *r, const union request *q, struct disk_request *d)
{
    uint64_t sector = q->discard.sector_number, n = q->discard.nr_sectors;
    uint64_t size = r->disk->nr_sectors;

    if (!r->disk->can_discard)
        return BLKIF_RSP_EOPNOTSUPP;
    if (n == 0 || sector > size || n > size - sector || r->readonly)
        return BLKIF_RSP_ERROR;
    d->op = DISK_DISCARD;
    d->sector = sector;
    d->nr_sectors = n;
    r->sectors_discarded += n;
    return BLKIF_RSP_OKAY;
}

static int16_t judge(struct blk_ring *r, const union request *q, struct disk_request *d)
{
    static int16_t (*const judges[])(struct blk_ring *, const union request *,
                                     struct disk_request *) = {
        [BLKIF_OP_READ] = judge_plain,
        [BLKIF_OP_WRITE] = judge_plain,
        [BLKIF_OP_FLUSH_DISKCACHE] = judge_flush,
        [BLKIF_OP_INDIRECT] = judge_indirect,
        [BLKIF_OP_DISCARD] = judge_discard,
    };
    uint8_t op = q->plain.operation;

    d->domid = r->domid;
    d->nr_parts = 0;
    if (op >= sizeof(judges) / sizeof(judges[0]) || judges[op] == NULL)
        return BLKIF_RSP_EOPNOTSUPP;
    return judges[op](r, q, d);
}

/* --- The ring --------------------------------------------------------------------------------- */

static void finish(struct blk_slot *s, int16_t status)
{
    s->answer.status = status;
    s->done = true;
    s->ring->requests++;
    s->ring->errors += status != BLKIF_RSP_OKAY;
}

static void on_done(struct disk_request *d, bool good)
{
    finish((struct blk_slot *)d, good ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
}

static void begin(struct blk_ring *r)
{
    struct blk_slot *s = &r->slot[r->shared.req_cons % BLK_SLOTS];
    union request q;
    int16_t status;

    memcpy(&q, RING_GET_REQUEST(&r->shared, r->shared.req_cons), sizeof(q));
    __asm__ volatile("" ::: "memory");          /* B2: from here on the copy */
    r->shared.req_cons++;
    s->done = false;
    memset(&s->answer, 0, sizeof(s->answer));   /* the padding goes to the guest, too */
    s->answer.operation = q.plain.operation;
    s->answer.id = q.plain.id;
    if (q.plain.operation == BLKIF_OP_INDIRECT) {
        s->answer.operation = q.indirect.indirect_op;
        s->answer.id = q.indirect.id;
    }
    s->request.done = on_done;
    status = judge(r, &q, &s->request);
    if (status != BLKIF_RSP_OKAY)
        finish(s, status);
    else
        r->disk->start(r->disk, &s->request);
}

unsigned blk_ring_unanswered(const struct blk_ring *r)
{
    RING_IDX n = *(volatile RING_IDX *)&r->shared.sring->req_prod - r->shared.rsp_prod_pvt;

    return n <= BLK_SLOTS ? n : 0;
}

unsigned blk_ring_busy(const struct blk_ring *r)
{
    unsigned n = 0;

    for (RING_IDX i = r->shared.rsp_prod_pvt; i != r->shared.req_cons; i++)
        n += !r->slot[i % BLK_SLOTS].done;
    return n;
}

/* Answers from the oldest on, as far as they are done. */
static void answer(struct blk_ring *r, bool *notify)
{
    blkif_back_ring_t *shared = &r->shared;
    RING_IDX before = shared->rsp_prod_pvt;

    while (shared->rsp_prod_pvt != shared->req_cons &&
           r->slot[shared->rsp_prod_pvt % BLK_SLOTS].done)
        push_answer(r, &r->slot[shared->rsp_prod_pvt % BLK_SLOTS].answer);
    if (shared->rsp_prod_pvt != before)
        *notify |= ring_wants_event(&shared->sring->rsp_event, before, shared->rsp_prod_pvt);
}

/* How many requests wait, of a guest that may have written anything. */
static unsigned waiting(struct blk_ring *r)
{
    RING_IDX there = *(volatile RING_IDX *)&r->shared.sring->req_prod;

    xen_rmb();
    if (there - r->shared.rsp_prod_pvt > BLK_SLOTS || there - r->shared.req_cons > BLK_SLOTS)
        r->stopped = true;
    return r->stopped ? 0 : there - r->shared.req_cons;
}

bool blk_ring_serve(struct blk_ring *r, bool *notify)
{
    unsigned n = r->stopped ? 0 : waiting(r);

    for (unsigned i = 0; i < n; i++)
        begin(r);
    answer(r, notify);
    if (r->stopped)
        return false;
    /* Asks for an event at the next request, and looks again: it may have come just before. */
    r->shared.sring->req_event = r->shared.req_cons + 1;
    xen_mb();
    return waiting(r) != 0;
}
