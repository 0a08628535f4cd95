/* The driver domain is killed at any point while it answers block requests: its successor answers
 * each of them that has no answer, exactly once, and carries out no other request than the guest
 * made. */
#include "cmocka_main.h"
#include "driver_blk_fixture.h"
#include "driver_killed_fixture.h"

#define REQUESTS 6u
#define FIRST_ID 0x1122334455667700ul
#define FIRST_INDEX (BLK_SLOTS - 3)     /* the slots wrap around */

static unsigned carried_out[REQUESTS];
static struct disk_request *waiting[REQUESTS];
static unsigned nr_waiting;
static bool disk_waits;

/* Request i reads or writes so much from sector 8 * i. */
static void start(struct disk *d, struct disk_request *r)
{
    unsigned i = (unsigned)r->sector / 8;

    (void)d;
    assert_true(i < REQUESTS && r->sector == 8 * i);
    assert_int_equal(r->op, i % 2 ? DISK_WRITE : DISK_READ);
    assert_int_equal(r->nr_parts, i + 1);
    for (unsigned k = 0; k < r->nr_parts; k++)
        assert_int_equal(r->part[k].ref, 8 + i + k);
    carried_out[i]++;
    if (disk_waits)
        waiting[nr_waiting++] = r;
    else
        r->done(r, i % 3 != 2);
}

static struct disk slow = { .nr_sectors = 1000, .start = start, .max_parts = MAX_SEGMENTS };

static void put_request(unsigned i)
{
    blkif_request_t q = { .operation = i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ,
                          .nr_segments = (uint8_t)(i + 1), .handle = 0x1234, .id = FIRST_ID + i,
                          .sector_number = 8 * i };

    for (unsigned k = 0; k <= i; k++)
        q.seg[k] = (struct blkif_request_segment){ .gref = 8 + i + k, .last_sect = 7 };
    push(&q, sizeof(q));
}

static void attach_again(void)
{
    blk_ring_attach(&ring, ring_page, GUEST, &slow, false, true);
}

static void serve_once(void)
{
    bool notify = false;

    blk_ring_serve(&ring, &notify);
}

/* All requests are made and begun; the disk has done them, and the ring has not been looked at
 * since. */
static void make_ready(void)
{
    blkif_sring_t *shared = (blkif_sring_t *)ring_page;

    attach(false);
    FRONT_RING_ATTACH(&front, shared, FIRST_INDEX, PAGE);
    shared->req_prod = shared->rsp_prod = FIRST_INDEX;
    blk_ring_attach(&ring, ring_page, GUEST, &slow, false, false);
    memset(carried_out, 0, sizeof(carried_out));
    nr_waiting = 0;
    for (unsigned i = 0; i < REQUESTS; i++)
        put_request(i);
    shared->req_prod = front.req_prod_pvt;
    disk_waits = true;
    serve_once();
    assert_int_equal(nr_waiting, REQUESTS);
    disk_waits = false;
    for (unsigned i = 0; i < REQUESTS; i++)
        waiting[i]->done(waiting[i], i % 3 != 2);
}

static void check_answers(void)
{
    front.rsp_cons = FIRST_INDEX;
    assert_int_equal(front.sring->rsp_prod, FIRST_INDEX + REQUESTS);
    for (unsigned i = 0; i < REQUESTS; i++) {
        blkif_response_t a = next_answer();

        assert_true(a.id == FIRST_ID + i);
        assert_int_equal(a.operation, i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ);
        assert_int_equal(a.status, i % 3 != 2 ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
    }
}

static void succeed_from(const uint8_t *page)
{
    memcpy(ring_page, page, PAGE);
    attach_again();
    serve_once();
    check_answers();
}

static void killed_while_it_answers(void **state)
{
    static struct states states;

    (void)state;
    make_ready();
    run_in_steps(&states, ring_page, serve_once);
    check_answers();
    printf("# killed at %u points\n", states.n);
    assert_true(states.n > REQUESTS * 10);
    for (unsigned i = 0; i < states.n; i++)
        succeed_from(states.page[i]);
}

static void attach_and_serve(void)
{
    attach_again();
    serve_once();
}

/* And so is the one that came after it, wherever that was. */
static void killed_twice(void **state)
{
    static struct states first, second;

    (void)state;
    make_ready();
    run_in_steps(&first, ring_page, serve_once);
    for (unsigned i = 0; i < first.n; i += 23) {
        memcpy(ring_page, first.page[i], PAGE);
        run_in_steps(&second, ring_page, attach_and_serve);
        for (unsigned k = 0; k < second.n; k++)
            succeed_from(second.page[k]);
    }
}

/* What stands in the page of a front end that connects is nothing to finish. */
static void a_new_ring_has_no_record(void **state)
{
    (void)state;
    make_ready();
    memset(((blkif_sring_t *)ring_page)->__pad, 0, 44);
    *(uint32_t *)ring_record(((blkif_sring_t *)ring_page)->__pad) = FIRST_INDEX + 1;
    blk_ring_attach(&ring, ring_page, GUEST, &slow, false, false);
    assert_int_equal(front.sring->rsp_prod, FIRST_INDEX);
    succeed_from(ring_page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_while_it_answers),
        cmocka_unit_test(killed_twice),
        cmocka_unit_test(a_new_ring_has_no_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
