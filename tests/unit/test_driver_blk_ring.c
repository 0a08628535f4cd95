/* The driver domain's block back end: a guest that writes to its ring meanwhile, indices, events,
 * and disks that answer late. */
#include "cmocka_main.h"
#include "driver_blk_fixture.h"

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
    blk_ring_attach(&ring, ring_page, GUEST, &disk, false, true);
    serve();
    assert_int_equal(next_answer().id, 101);
    assert_int_equal(next_answer().id, 102);
    assert_int_equal(ring.requests, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_is_read_once),
        cmocka_unit_test(senseless_indices_stop_the_ring),
        cmocka_unit_test(events_are_asked_for),
        cmocka_unit_test(answers_keep_the_order),
        cmocka_unit_test(slots_in_use_are_not_taken_again),
        cmocka_unit_test(a_successor_repeats_what_is_not_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
