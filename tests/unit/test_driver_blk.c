/* The driver domain's block back end and RAM disks, against a guest whose granted pages are an
 * array here: random requests with an oracle of their answers, and what a hostile front end
 * writes. */
#include "cmocka_main.h"
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

static void attach(bool readonly)
{
    memset(ring_page, 0, sizeof(ring_page));
    SHARED_RING_INIT((blkif_sring_t *)ring_page);
    FRONT_RING_INIT(&front, (blkif_sring_t *)ring_page, PAGE);
    assert_int_equal(ramdisk_find(&disk, 1, memory + ODD, DISK_SECTORS * SECTOR_BYTES + 17), 1);
    assert_int_equal(disk.nr_sectors, DISK_SECTORS);
    assert_string_equal(disk.name, "ram0");
    blk_ring_attach(&ring, ring_page, GUEST, &disk, readonly);
    meanwhile = NULL;
}

static void push(const void *request, size_t bytes)
{
    memcpy(RING_GET_REQUEST(&front, front.req_prod_pvt), request, bytes);
    front.req_prod_pvt++;
}

static unsigned serve(void)
{
    int notify_them;
    bool notify = false;
    unsigned turns = 0;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front, notify_them);
    (void)notify_them;
    while (blk_ring_serve(&ring, &notify))
        assert_true(++turns < 5);
    return notify;
}

static blkif_response_t next_answer(void)
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

/* --- Random requests -------------------------------------------------------------------------- */

struct expected {
    uint64_t id;
    uint8_t op;
    int16_t status;
};

static uint8_t model[DISK_SECTORS * SECTOR_BYTES], model_pages[PAGES][PAGE];

static unsigned one_of(unsigned n)
{
    return (unsigned)rand() % n;
}

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

static struct expected random_plain(bool readonly)
{
    static const uint8_t ops[] = { BLKIF_OP_READ, BLKIF_OP_WRITE, BLKIF_OP_READ, BLKIF_OP_WRITE,
                                   BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_WRITE_BARRIER,
                                   BLKIF_OP_DISCARD, BLKIF_OP_RESERVED_1, 7, 255 };
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
    unsigned n = 1 + one_of(BLK_SLOTS), indirect = 0;

    for (unsigned i = 0; i < n; i++)
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
        for (unsigned i = 0; i < 300; i++)
            random_batch(readonly);
        refused = ring.errors;
        assert_true(refused > 1000 && refused < ring.requests - 500);
        assert_int_equal(blk_ring_busy(&ring), 0);
    }
}

/* --- Single cases ----------------------------------------------------------------------------- */

static blkif_request_t request(uint8_t op, uint64_t sector)
{
    return (blkif_request_t){ .operation = op, .nr_segments = 1, .id = 5, .sector_number = sector,
                              .seg = { { .gref = 8, .last_sect = 7 } } };
}

/* The slot is read once: a guest that changes it later changes nothing. */
static void change_the_slot(void)
{
    memset((uint8_t *)ring_page + 64, 0xff, PAGE - 64);
}

static void a_slot_is_read_once(void **state)
{
    blkif_request_t q = request(BLKIF_OP_READ, 3);
    blkif_response_t a;

    (void)state;
    attach(true);
    memory[ODD + 3 * SECTOR_BYTES] = 0x5a;
    meanwhile = change_the_slot;
    push(&q, sizeof(q));
    serve();
    a = next_answer();
    assert_int_equal(a.id, 5);
    assert_int_equal(a.operation, BLKIF_OP_READ);
    assert_int_equal(a.status, BLKIF_RSP_OKAY);
    assert_int_equal(pages[8][0], 0x5a);
}

static void senseless_indices_stop_the_ring(void **state)
{
    static const unsigned wrong[] = { BLK_SLOTS + 1, 1000, ~0u, 1u << 31 };
    bool notify = false;

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        attach(false);
        front.sring->req_prod = wrong[i];
        assert_false(blk_ring_serve(&ring, &notify));
        assert_true(ring.stopped);
        front.sring->req_prod = 1;
        assert_false(blk_ring_serve(&ring, &notify));
        assert_int_equal(ring.requests, 0);
        assert_false(notify);
    }
}

/* An event for the next request is asked for before the last look. */
static void events_are_asked_for(void **state)
{
    blkif_request_t q = request(BLKIF_OP_READ, 0);

    (void)state;
    attach(false);
    serve();
    assert_int_equal(front.sring->req_event, 1);
    push(&q, sizeof(q));
    front.sring->rsp_event = 1;
    assert_true(serve());
    assert_int_equal(front.sring->req_event, 2);
    push(&q, sizeof(q));
    front.sring->rsp_event = 1;                 /* passed: it looks by itself */
    assert_false(serve());
}

/* --- A disk that answers late ----------------------------------------------------------------- */

static struct disk_request *late[BLK_SLOTS];
static unsigned nr_late;

static void start_late(struct disk *d, struct disk_request *r)
{
    (void)d;
    late[nr_late++] = r;
}

/* n requests, numbered from 100, to a disk that has not answered yet. */
static void begin_late(unsigned n)
{
    static struct disk slow = { .nr_sectors = 100, .start = start_late };
    blkif_request_t q = request(BLKIF_OP_READ, 0);

    attach(false);
    ring.disk = &slow;
    nr_late = 0;
    for (unsigned i = 0; i < n; i++) {
        q.id = 100 + i;
        push(&q, sizeof(q));
    }
    serve();
}

static void answers_keep_the_order(void **state)
{
    (void)state;
    begin_late(5);
    assert_int_equal(nr_late, 5);
    assert_int_equal(blk_ring_busy(&ring), 5);
    late[1]->done(late[1], true);
    late[4]->done(late[4], true);
    serve();
    assert_int_equal(front.sring->rsp_prod, 0);
    late[0]->done(late[0], false);
    serve();
    assert_int_equal(front.sring->rsp_prod, 2);
    assert_int_equal(next_answer().status, BLKIF_RSP_ERROR);
    assert_int_equal(next_answer().id, 101);
    late[3]->done(late[3], true);
    late[2]->done(late[2], true);
    assert_int_equal(blk_ring_busy(&ring), 0);
    serve();
    for (unsigned i = 2; i < 5; i++)
        assert_int_equal(next_answer().id, 100 + i);
}

/* More requests than there are slots beside those that wait for their answer. */
static void slots_in_use_are_not_taken_again(void **state)
{
    (void)state;
    begin_late(5);
    front.req_prod_pvt += BLK_SLOTS - 4;
    serve();
    assert_true(ring.stopped);
    assert_int_equal(nr_late, 5);
    assert_int_equal(blk_ring_busy(&ring), 5);
}

/* Another instance takes over: it begins again with what was not answered. */
static void a_successor_repeats_what_is_not_answered(void **state)
{
    (void)state;
    begin_late(3);
    late[0]->done(late[0], true);
    late[2]->done(late[2], true);
    serve();
    assert_int_equal(next_answer().id, 100);
    blk_ring_attach(&ring, ring_page, GUEST, &disk, false);
    serve();
    assert_int_equal(next_answer().id, 101);
    assert_int_equal(next_answer().id, 102);
    assert_int_equal(ring.requests, 2);
}

/* --- Archives --------------------------------------------------------------------------------- */

static size_t put_file(char *archive, size_t at, const char *name, char fill, size_t bytes)
{
    at += (size_t)sprintf(archive + at,
                          "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x%s", 1, 0,
                          0, 0, 1, 0, bytes, 0, 0, 0, 0, strlen(name) + 1, 0, name) + 1;
    at = (at + 3) & ~3ul;
    memset(archive + at, fill, bytes);
    return (at + bytes + 3) & ~3ul;
}

static size_t make_archive(char *archive)
{
    size_t at = put_file(archive, 0, "directory", 0, 0);

    at = put_file(archive, at, "one", 'a', 1024);
    at = put_file(archive, at, "small", 'b', 511);
    at = put_file(archive, at, "two.img", 'c', 1600);
    return put_file(archive, at, "TRAILER!!!", 0, 0);
}

static void archives_hold_disks(void **state)
{
    static char archive[8192];
    size_t len = make_archive(archive);
    struct disk found[4];

    (void)state;
    assert_int_equal(ramdisk_find(found, 4, archive, len), 2);
    assert_string_equal(found[0].name, "ram0");
    assert_int_equal(found[0].nr_sectors, 2);
    assert_int_equal(*(char *)found[0].bytes, 'a');
    assert_string_equal(found[1].name, "ram1");
    assert_int_equal(found[1].nr_sectors, 3);
    assert_int_equal(*(char *)found[1].bytes, 'c');
    assert_int_equal(ramdisk_find(found, 1, archive, len), 1);
    assert_int_equal(ramdisk_find(found, 4, archive, 511), 0);
}

/* Whatever the archive says, a disk lies within the module. */
static void damaged_archives_are_survived(void **state)
{
    struct disk found[4];

    (void)state;
    srand(3);
    for (unsigned round = 0; round < 20000; round++) {
        char *archive = calloc(1, 8192);
        size_t len = make_archive(archive), cut = one_of(3) ? len : one_of((unsigned)len);
        unsigned n;

        for (unsigned i = one_of(6); i != 0; i--)
            archive[6 + one_of((unsigned)len - 6)] =
                one_of(2) ? "0123456789abcdefF"[one_of(17)] : (char)rand();
        archive = realloc(archive, cut != 0 ? cut : 1);
        n = ramdisk_find(found, 4, archive, cut);
        for (unsigned i = 0; i < n; i++) {
            char *at = found[i].bytes;

            assert_true(at >= archive && found[i].nr_sectors != 0 &&
                        found[i].nr_sectors * SECTOR_BYTES <= (size_t)(archive + cut - at));
        }
        free(archive);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_requests),
        cmocka_unit_test(a_slot_is_read_once),
        cmocka_unit_test(senseless_indices_stop_the_ring),
        cmocka_unit_test(events_are_asked_for),
        cmocka_unit_test(answers_keep_the_order),
        cmocka_unit_test(slots_in_use_are_not_taken_again),
        cmocka_unit_test(a_successor_repeats_what_is_not_answered),
        cmocka_unit_test(archives_hold_disks),
        cmocka_unit_test(damaged_archives_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
