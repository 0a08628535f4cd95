/* The driver domain's block back end and RAM disks: random requests, with an oracle of their
 * answers and of what the disk and the guest's pages hold then. */
#include "cmocka_main.h"
#include "driver_blk_fixture.h"

struct expected {
    uint64_t id;
    uint8_t op;
    int16_t status;
};

static uint8_t model[DISK_SECTORS * SECTOR_BYTES], model_pages[PAGES][PAGE];

static void random_segments(struct blkif_request_segment *seg, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        /* each page once in a request, or the order of copies would count */
        seg[i].gref = (i + 5 + one_of(200) / 199 * 100) % 150;
        if (one_of(12) == 0)
            seg[i].gref = one_of(PAGES + 4);
        if (seg[i].gref / 4 == SEGMENT_PAGES / 4)
            seg[i].gref = 20;
        seg[i].first_sect = (uint8_t)one_of(8);
        seg[i].last_sect = (uint8_t)(seg[i].first_sect + one_of(8u - seg[i].first_sect));
        if (one_of(60) == 0)
            seg[i].last_sect = (uint8_t)one_of(256);
    }
}

/* What must happen, said in another way than blk_ring.c does it: sector by sector. */
static int16_t expect(uint8_t op, uint64_t sector, const struct blkif_request_segment *seg,
                      unsigned n, bool readonly)
{
    bool good = true, write = op == BLKIF_OP_WRITE;
    uint64_t at = sector;

    if (n == 0 || (write && readonly))
        return BLKIF_RSP_ERROR;
    for (unsigned i = 0; i < n; i++) {
        if (seg[i].last_sect > 7 || seg[i].first_sect > seg[i].last_sect)
            return BLKIF_RSP_ERROR;
        at += seg[i].last_sect - seg[i].first_sect + 1u;
    }
    if (at < sector || at > DISK_SECTORS)
        return BLKIF_RSP_ERROR;
    at = sector;
    for (unsigned i = 0; i < n; i++)
        for (unsigned s = seg[i].first_sect; s <= seg[i].last_sect; s++, at++) {
            bool there = seg[i].gref < PAGES && (write || seg[i].gref >= READ_ONLY_PAGES);
            uint8_t *theirs = model_pages[seg[i].gref % PAGES] + s * SECTOR_BYTES;
            uint8_t *ours = model + at * SECTOR_BYTES;

            good &= there;
            if (there)
                memcpy(write ? ours : theirs, write ? theirs : ours, SECTOR_BYTES);
        }
    return good ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
}

static uint64_t random_sector(void)
{
    return one_of(40) == 0 ? ~0ull - one_of(300) : one_of(DISK_SECTORS + 8);
}

static struct expected random_discard(bool readonly)
{
    blkif_request_discard_t q;
    struct expected e = { .op = BLKIF_OP_DISCARD, .status = BLKIF_RSP_ERROR };

    memset(&q, 0xee, sizeof(q));
    q.operation = BLKIF_OP_DISCARD;
    q.id = e.id = (uint64_t)rand() << 32 | (unsigned)rand();
    q.sector_number = random_sector();
    q.nr_sectors = one_of(20) == 0 ? ~0ull - one_of(3) : one_of(20);
    for (uint64_t i = 0; i < DISK_SECTORS && !readonly; i++)
        if (q.nr_sectors == i && i != 0 && q.sector_number <= DISK_SECTORS - i) {
            e.status = BLKIF_RSP_OKAY;
            memset(model + q.sector_number * SECTOR_BYTES, 0, i * SECTOR_BYTES);
        }
    push(&q, sizeof(q));
    return e;
}

static struct expected random_plain(bool readonly)
{
    static const uint8_t ops[] = { BLKIF_OP_READ, BLKIF_OP_WRITE, BLKIF_OP_READ, BLKIF_OP_WRITE,
                                   BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_WRITE_BARRIER,
                                   BLKIF_OP_RESERVED_1, 7, 255 };
    blkif_request_t q;
    struct expected e;

    memset(&q, 0xee, sizeof(q));
    q.operation = ops[one_of(sizeof(ops))];
    q.id = e.id = (uint64_t)rand() << 32 | (unsigned)rand();
    q.sector_number = random_sector();
    q.nr_segments = (uint8_t)(one_of(50) == 0 ? one_of(256) : one_of(12));
    random_segments(q.seg, BLKIF_MAX_SEGMENTS_PER_REQUEST);
    e.op = q.operation;
    if (q.operation == BLKIF_OP_READ || q.operation == BLKIF_OP_WRITE)
        e.status = q.nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST
                       ? BLKIF_RSP_ERROR
                       : expect(q.operation, q.sector_number, q.seg, q.nr_segments, readonly);
    else if (q.operation == BLKIF_OP_FLUSH_DISKCACHE)
        e.status = q.nr_segments != 0 || readonly ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY;
    else
        e.status = BLKIF_RSP_EOPNOTSUPP;
    push(&q, sizeof(q));
    return e;
}

/* Each request of a batch has another page for its segments. */
static struct expected random_indirect(bool readonly, unsigned number)
{
    unsigned page = SEGMENT_PAGES + number, n = one_of(MAX_SEGMENTS + 1);
    struct blkif_request_segment *seg = (void *)pages[page];
    blkif_request_indirect_t q;
    struct expected e;
    bool there = one_of(30) != 0;

    memset(&q, 0xee, sizeof(q));
    random_segments(seg, MAX_SEGMENTS);
    memcpy(model_pages[page], pages[page], PAGE);
    q.operation = BLKIF_OP_INDIRECT;
    q.indirect_op = e.op = (uint8_t[]){ 0, 1, 0, 1, 3, 6 }[one_of(6)];
    q.id = e.id = (uint64_t)rand() << 32 | (unsigned)rand();
    q.sector_number = random_sector();
    q.nr_segments = (uint16_t)(one_of(30) == 0 ? MAX_SEGMENTS + one_of(65000) + 1 : n);
    q.indirect_grefs[0] = there ? page : PAGES + 3;
    e.status = BLKIF_RSP_ERROR;
    if (there && e.op <= BLKIF_OP_WRITE && q.nr_segments <= MAX_SEGMENTS)
        e.status = expect(e.op, q.sector_number, seg, n, readonly);
    push(&q, sizeof(q));
    return e;
}

static void random_batch(bool readonly)
{
    struct expected expected[BLK_SLOTS];
    /* A discard is alone: it may be done later than what comes behind it. */
    bool discard = one_of(4) == 0;
    unsigned n = discard ? 1 : 1 + one_of(BLK_SLOTS), indirect = 0;

    if (discard)
        expected[0] = random_discard(readonly);
    for (unsigned i = discard; i < n; i++)
        expected[i] = indirect < 4 && one_of(4) == 0 ? random_indirect(readonly, indirect++)
                                                     : random_plain(readonly);
    serve();
    for (unsigned i = 0; i < n; i++) {
        blkif_response_t a = next_answer();

        assert_int_equal(a.id, expected[i].id);
        assert_int_equal(a.operation, expected[i].op);
        assert_int_equal(a.status, expected[i].status);
    }
    assert_true(front.rsp_cons == front.sring->rsp_prod);
    assert_memory_equal(model, memory + ODD, sizeof(model));
    assert_memory_equal(model_pages, pages, sizeof(pages));
}

static void random_requests(void **state)
{
    (void)state;
    srand(11);
    for (unsigned round = 0; round < 12; round++) {
        bool readonly = round % 3 == 2;
        uint64_t refused;

        attach(readonly);
        for (unsigned i = 0; i < sizeof(memory); i++)
            memory[i] = (uint8_t)rand();
        for (unsigned i = 0; i < sizeof(pages); i++)
            ((uint8_t *)pages)[i] = (uint8_t)rand();
        memcpy(model, memory + ODD, sizeof(model));
        memcpy(model_pages, pages, sizeof(pages));
        for (unsigned i = 0; i < 400; i++)
            random_batch(readonly);
        refused = ring.errors;
        assert_true(refused > 1000 && refused < ring.requests - 500);
        assert_int_equal(blk_ring_busy(&ring), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
