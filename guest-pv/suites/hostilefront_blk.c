/* A disk's front end that does everything wrong: requests and grants. Its ring, port and nodes are
 * in hostilefront_blk_ring.c. The disks: the first is written, the second is read-only and all
 * zeros, the third is lost at the end. */
#include <string.h>
#include "event.h"
#include "gnttab.h"
#include "hostilefront.h"
#include "mm.h"
#include "suite.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

struct blkfront hostile_disk;
static struct blkfront *const disk = &hostile_disk;

/* --- The disk as hostilefront.c sees it ------------------------------------------------------- */

static void offer(void)
{
    blk_offer_ring(disk);
}

static void withdraw(void)
{
    bool all = grant_revoke(disk->ring_ref);

    for (unsigned i = 0; i < BLK_PAGES; i++)
        all &= grant_revoke(disk->ref + i);
    EXPECT_MSG(all, "the back end keeps grants");
    event_close(disk->port);
    disk->port = -1;
}

static bool close_disk(void)
{
    return blk_close(disk);
}

bool hostile_reads(void)
{
    blkif_request_t q = blk_request(disk, BLKIF_OP_READ, 0, 1);

    return EXPECT_EQ(blk_do(disk, &q), BLKIF_RSP_OKAY);
}

static bool works(void)
{
    return blk_connect(disk) && hostile_reads() && blk_close(disk);
}

const struct hostile hostile_blk = {
    .x = &hostile_disk.x, .ready = XenbusStateInitialised, .offer = offer, .withdraw = withdraw,
    .close = close_disk, .works = works,
};

void hostile_connect(unsigned index)
{
    if (!blk_init(disk, index))
        SKIP("no disk of that number");
    ASSERT(blk_connect(disk));
}

/* --- Requests --------------------------------------------------------------------------------- */

static const struct row {
    const char *what;
    uint8_t op;
    unsigned n;
    uint64_t sector;                    /* from the end of the disk if `end` */
    bool end;
    uint8_t first, last;                /* of the last segment */
    int status;
} rows[] = {
    { "no segments", BLKIF_OP_READ, 0, 0, false, 0, 7, BLKIF_RSP_ERROR },
    { "no segments to write", BLKIF_OP_WRITE, 0, 0, false, 0, 7, BLKIF_RSP_ERROR },
    { "12 segments", BLKIF_OP_READ, 12, 0, false, 0, 7, BLKIF_RSP_ERROR },
    { "255 segments", BLKIF_OP_WRITE, 255, 0, false, 0, 7, BLKIF_RSP_ERROR },
    { "first behind last", BLKIF_OP_READ, 2, 0, false, 5, 4, BLKIF_RSP_ERROR },
    { "first behind the page", BLKIF_OP_READ, 1, 0, false, 8, 8, BLKIF_RSP_ERROR },
    { "last behind the page", BLKIF_OP_WRITE, 11, 0, false, 0, 8, BLKIF_RSP_ERROR },
    { "last far behind the page", BLKIF_OP_READ, 1, 0, false, 0, 255, BLKIF_RSP_ERROR },
    { "the last sectors", BLKIF_OP_READ, 1, -8ul, true, 0, 7, BLKIF_RSP_OKAY },
    { "one sector too far", BLKIF_OP_READ, 1, -7ul, true, 0, 7, BLKIF_RSP_ERROR },
    { "behind the disk", BLKIF_OP_READ, 1, 0, true, 0, 0, BLKIF_RSP_ERROR },
    { "a write behind the disk", BLKIF_OP_WRITE, 2, -8ul, true, 0, 7, BLKIF_RSP_ERROR },
    { "the last number", BLKIF_OP_READ, 1, ~0ul, false, 0, 0, BLKIF_RSP_ERROR },
    { "a sum beyond 64 bits", BLKIF_OP_WRITE, 2, -8ul, false, 0, 7, BLKIF_RSP_ERROR },
    { "bytes beyond 64 bits", BLKIF_OP_READ, 1, 1ul << 55, false, 0, 7, BLKIF_RSP_ERROR },
    { "a negative number", BLKIF_OP_WRITE, 1, 1ul << 63, false, 0, 7, BLKIF_RSP_ERROR },
    { "a barrier", BLKIF_OP_WRITE_BARRIER, 1, 0, false, 0, 7, BLKIF_RSP_EOPNOTSUPP },
    { "an unknown operation", 7, 1, 0, false, 0, 7, BLKIF_RSP_EOPNOTSUPP },
    { "the last operation", 255, 11, ~0ul, false, 0, 7, BLKIF_RSP_EOPNOTSUPP },
    { "a flush with data", BLKIF_OP_FLUSH_DISKCACHE, 1, 0, false, 0, 7, BLKIF_RSP_ERROR },
    { "a flush of no place", BLKIF_OP_FLUSH_DISKCACHE, 0, ~0ul, false, 0, 0, BLKIF_RSP_OKAY },
};

static uint64_t place(const struct row *r)
{
    return r->end ? disk->nr_sectors + r->sector : r->sector;
}

static void do_row(const struct row *r)
{
    blkif_request_t q = blk_request(disk, r->op, place(r), r->n);
    int status;

    if (r->n >= 1 && r->n <= BLKIF_MAX_SEGMENTS_PER_REQUEST) {
        q.seg[r->n - 1].first_sect = r->first;
        q.seg[r->n - 1].last_sect = r->last;
    }
    status = blk_do(disk, &q);
    EXPECT_MSG(status == r->status, "%s: %d, not %d", r->what, status, r->status);
}

static void wrong_requests(void)
{
    hostile_connect(0);
    for (unsigned i = 0; i < NR(rows); i++)
        do_row(&rows[i]);
    EXPECT(hostile_reads());
    ASSERT(blk_close(disk));
}

/* The same by an indirect request, and what only that has. */
static void do_indirect(const struct row *r)
{
    blkif_request_indirect_t q = blk_indirect(disk, r->op, place(r), r->n);
    struct blkif_request_segment *list = (void *)disk->page[BLK_LIST];
    int status;

    if (r->n >= 1 && r->n <= BLK_LIST) {
        list[r->n - 1].first_sect = r->first;
        list[r->n - 1].last_sect = r->last;
    }
    status = blk_do_indirect(disk, &q);
    EXPECT_MSG(status == r->status, "%s: %d, not %d", r->what, status, r->status);
}

static void wrong_indirect_requests(void)
{
    static const struct row more[] = {
        { "33 segments", BLKIF_OP_READ, 33, 0, false, 0, 7, BLKIF_RSP_ERROR },
        { "65535 segments", BLKIF_OP_READ, 65535, 0, false, 0, 7, BLKIF_RSP_ERROR },
        { "a last segment behind the disk", BLKIF_OP_READ, 24, -184ul, true, 0, 7,
          BLKIF_RSP_ERROR },
        { "indirect in indirect", BLKIF_OP_INDIRECT, 1, 0, false, 0, 7, BLKIF_RSP_ERROR },
        { "an indirect flush", BLKIF_OP_FLUSH_DISKCACHE, 1, 0, false, 0, 7, BLKIF_RSP_ERROR },
        { "an indirect discard", BLKIF_OP_DISCARD, 1, 0, false, 0, 7, BLKIF_RSP_ERROR },
    };

    hostile_connect(0);
    for (unsigned i = 0; i < NR(rows); i++)
        if (rows[i].n != 12 && rows[i].n != 255 && rows[i].op <= BLKIF_OP_WRITE)
            do_indirect(&rows[i]);
    for (unsigned i = 0; i < NR(more); i++)
        do_indirect(&more[i]);
    EXPECT(hostile_reads());
    ASSERT(blk_close(disk));
}

static int discard(uint64_t sector, uint64_t nr)
{
    blkif_request_t slot = { 0 };
    blkif_request_discard_t q = {
        .operation = BLKIF_OP_DISCARD, .id = ++disk->next_id, .sector_number = sector,
        .nr_sectors = nr,
    };

    memcpy(&slot, &q, sizeof(q));
    return blk_do(disk, &slot);
}

static void wrong_discards(void)
{
    uint64_t size;

    hostile_connect(0);
    size = disk->nr_sectors;
    EXPECT_EQ(discard(0, 0), BLKIF_RSP_ERROR);
    EXPECT_EQ(discard(size, 1), BLKIF_RSP_ERROR);
    EXPECT_EQ(discard(size - 8, 9), BLKIF_RSP_ERROR);
    EXPECT_EQ(discard(8, ~0ul), BLKIF_RSP_ERROR);
    EXPECT_EQ(discard(~0ul, 2), BLKIF_RSP_ERROR);
    EXPECT_EQ(discard(~0ul - 7, 8), BLKIF_RSP_ERROR);
    EXPECT_EQ(discard(1ul << 55, 1), BLKIF_RSP_ERROR);
    EXPECT_EQ(discard(size - 8, 8), BLKIF_RSP_OKAY);
    EXPECT(hostile_reads());
    ASSERT(blk_close(disk));
    hostile_connect(1);
    EXPECT_MSG(discard(0, 8) != BLKIF_RSP_OKAY, "a disk for reading is discarded");
    ASSERT(blk_close(disk));
}

static void writes_to_a_disk_for_reading(void)
{
    blkif_request_indirect_t indirect;
    blkif_request_t q;

    hostile_connect(1);
    q = blk_request(disk, BLKIF_OP_WRITE, 0, 1);
    EXPECT_EQ(blk_do(disk, &q), BLKIF_RSP_ERROR);
    indirect = blk_indirect(disk, BLKIF_OP_WRITE, 0, 16);
    EXPECT_EQ(blk_do_indirect(disk, &indirect), BLKIF_RSP_ERROR);
    q = blk_request(disk, BLKIF_OP_FLUSH_DISKCACHE, 0, 0);
    EXPECT_EQ(blk_do(disk, &q), BLKIF_RSP_ERROR);
    memset(disk->page[0], 0x11, PAGE_SIZE);
    EXPECT(hostile_reads());
    EXPECT_EQ(disk->page[0][0], 0);
    ASSERT(blk_close(disk));
}

/* --- Grants ----------------------------------------------------------------------------------- */

static int with_ref(uint8_t op, grant_ref_t ref)
{
    blkif_request_t q = blk_request(disk, op, 0, 3);

    q.seg[1].gref = ref;
    return blk_do(disk, &q);
}

/* One request of three pages, of which the second is granted wrongly; and the same page as that of
 * an indirect request's segments. */
static void refuses_ref(const char *what, uint8_t op, grant_ref_t ref)
{
    blkif_request_indirect_t q = blk_indirect(disk, BLKIF_OP_READ, 0, 12);
    int status = with_ref(op, ref);

    EXPECT_MSG(status == BLKIF_RSP_ERROR, "%s: %d", what, status);
    if (op == BLKIF_OP_READ)
        return;
    q.indirect_grefs[0] = ref;
    status = blk_do_indirect(disk, &q);
    EXPECT_MSG(status == BLKIF_RSP_ERROR, "segments in %s: %d", what, status);
}

static void wrong_grants(void)
{
    static const grant_ref_t none[] = { 511, 512, 1u << 20, 0x7fffffff, 0xffffffff };
    grant_ref_t ref = front_refs(1);
    mfn_t mfn;

    hostile_connect(0);
    mfn = v2mfn(disk->page[1]);
    for (unsigned i = 0; i < NR(none); i++)
        refuses_ref("no grant", BLKIF_OP_WRITE, none[i]);
    grant_offer(ref, disk->x.driver, mfn, GTF_readonly);
    refuses_ref("a grant for reading", BLKIF_OP_READ, ref);
    EXPECT_EQ(with_ref(BLKIF_OP_WRITE, ref), BLKIF_RSP_OKAY);
    grant_offer(ref, 0x7123, mfn, 0);
    refuses_ref("another domain's grant", BLKIF_OP_WRITE, ref);
    grant_offer(ref, disk->x.driver, 0, 0);
    refuses_ref("a frame of nobody's", BLKIF_OP_WRITE, ref);
    grant_offer(ref, disk->x.driver, 0xfffffffful, 0);
    refuses_ref("no frame", BLKIF_OP_WRITE, ref);
    grant_offer(ref, disk->x.driver, pfn_to_mfn(kernel_root()), 0);
    refuses_ref("a page table", BLKIF_OP_READ, ref);
    gnttab()[ref].flags = GTF_accept_transfer;
    refuses_ref("a transfer", BLKIF_OP_WRITE, ref);
    gnttab()[ref].flags = 0;
    refuses_ref("a revoked grant", BLKIF_OP_WRITE, ref);
    EXPECT_EQ(with_ref(BLKIF_OP_WRITE, disk->ring_ref), BLKIF_RSP_OKAY);
    EXPECT_EQ(with_ref(BLKIF_OP_READ, disk->ref), BLKIF_RSP_OKAY);      /* one page three times */
    EXPECT(hostile_reads());
    ASSERT(blk_close(disk));
}

SUITE(hostilefront, 92, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(wrong_requests),
      TEST(wrong_indirect_requests), TEST(wrong_discards), TEST(writes_to_a_disk_for_reading),
      TEST(wrong_grants));
