/* A disk's front end that does everything wrong: the ring and its indices, the port, the nodes. The
 * requests are in hostilefront_blk.c. */
#include "clock.h"
#include "event.h"
#include "gnttab.h"
#include "hostilefront.h"
#include "hypercall.h"
#include "mm.h"
#include "suite.h"
#include "thread.h"
#include "worker.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))
#define FLOOD 20000u

static struct blkfront *const disk = &hostile_disk;

/* --- The ring --------------------------------------------------------------------------------- */

/* The disk's zeros go over the ring: its indices are senseless then. */
static void a_read_over_the_ring(void)
{
    blkif_request_t q;

    hostile_connect(1);
    ASSERT(hostile_reads() && hostile_reads());
    q = blk_request(disk, BLKIF_OP_READ, 0, 1);
    q.seg[0].gref = disk->ring_ref;
    blk_put(disk, &q);
    blk_push(disk);
    EXPECT(hostile_given_up(&hostile_blk));
    ASSERT(blk_close(disk));
    EXPECT(hostile_blk.works());
}

static void senseless_indices(void)
{
    static const uint32_t ahead[] = { 33, 34, 1000, 0x7fffffff, 0x80000000, -1u, -2u, -32u };

    hostile_connect(0);
    for (unsigned i = 0; i < NR(ahead); i++) {
        ASSERT(hostile_reads() && hostile_reads());
        disk->shared->req_prod += ahead[i];
        event_send(disk->port);
        ASSERT_MSG(hostile_given_up(&hostile_blk), "req_prod + %#x is served", ahead[i]);
        disk->shared->req_prod -= ahead[i];      /* too late */
        event_send(disk->port);
        ASSERT(blk_close(disk) && blk_connect(disk));
    }
    ASSERT(blk_close(disk));
}

/* The indices of responses are the back end's own: what is written there has no effect on it. */
static void indices_of_responses(void)
{
    uint32_t x = 0x12345678;

    hostile_connect(0);
    for (unsigned i = 0; i < 200; i++) {
        blkif_request_t q = blk_request(disk, BLKIF_OP_READ, 0, 1);

        blk_put(disk, &q);
        blk_push(disk);
        for (unsigned j = 0; j < 20; j++) {
            x = x * 1103515245 + 12345;
            disk->shared->rsp_prod = x;
            disk->shared->rsp_event = x >> 3;
            disk->shared->req_event = x >> 5;
        }
        event_send(disk->port);
        if (i % RING_SIZE(&disk->ring) == RING_SIZE(&disk->ring) - 1)
            thread_sleep(2 * NS_PER_MS);
    }
    ASSERT(blk_close(disk));
    EXPECT(hostile_blk.works());
}

/* A ring that is not new when the back end maps it. */
static void connect_with(RING_IDX req_prod, RING_IDX rsp_prod)
{
    ASSERT(front_begin(&disk->x));
    blk_offer_ring(disk);
    disk->shared->req_prod = req_prod;
    disk->shared->rsp_prod = rsp_prod;
    FRONT_RING_ATTACH(&disk->ring, disk->shared, req_prod, PAGE_SIZE);
    front_set_state(&disk->x, XenbusStateInitialised);
    ASSERT(front_wait(&disk->x, STATE(Connected) | STATE(Closing)));
}

static void rings_that_are_not_new(void)
{
    static const RING_IDX senseless[][2] = {
        { 33, 0 }, { 0, 1 }, { 0, 0xffff }, { 0x80000000, 0 }, { 20, 0xfffffff0 },
    };

    if (!blk_init(disk, 0))
        SKIP("no disk");
    for (unsigned i = 0; i < NR(senseless); i++) {
        connect_with(senseless[i][0], senseless[i][1]);
        event_send(disk->port);
        ASSERT_MSG(hostile_given_up(&hostile_blk), "req_prod %#x and rsp_prod %#x are served",
                   senseless[i][0], senseless[i][1]);
        ASSERT(blk_close(disk));
    }
    connect_with(0xfffffff0, 0xfffffff0);
    for (unsigned i = 0; i < 40; i++)
        ASSERT(hostile_reads());
    ASSERT(blk_close(disk));
}

/* Requests change after they were shown to the back end: each is answered once, as one thing or as
 * the other. With several vCPUs, others change them all the time. */
static volatile bool flip;

static void flip_slots(struct worker *w)
{
    while (flip)
        for (unsigned i = 0; i < 32; i++) {
            volatile blkif_request_t *q = &disk->shared->ring[i].req;

            q->sector_number ^= ~0ul;
            q->nr_segments ^= 0xf0;
            q->seg[0].last_sect ^= 0xf8;
            q->operation ^= w->id;
            w->count++;
        }
}

static void requests_that_change(void)
{
    bool others = workers_nr() != 0;
    blkif_response_t answer;

    hostile_connect(1);
    flip = true;
    ASSERT(!others || workers_start(flip_slots, NULL));
    for (unsigned turn = 0; turn < (others ? 200u : 5u); turn++) {
        for (unsigned i = 0; i < 32; i++) {
            blkif_request_t q = blk_request(disk, BLKIF_OP_READ, i * 8, 1);

            blk_put(disk, &q);
        }
        blk_push(disk);
        for (unsigned i = 0; i < 32; i++) {
            disk->shared->ring[i].req.sector_number = ~0ul;
            disk->shared->ring[i].req.seg[0].gref = 511;
        }
        for (unsigned i = 0; i < 32; i++) {
            ASSERT_MSG(blk_receive(disk, &answer, FRONT_PATIENCE), "%u of 32 are answered", i);
            EXPECT(answer.status >= BLKIF_RSP_EOPNOTSUPP && answer.status <= BLKIF_RSP_OKAY);
        }
        EXPECT(!blk_receive(disk, &answer, 0));
    }
    flip = false;
    ASSERT(!others || workers_join());
    ASSERT(blk_close(disk));
    EXPECT(hostile_blk.works());
}

/* --- Rings and ports that go ------------------------------------------------------------------ */

/* The entry is gone, but the back end has the page still: its mapping keeps the frame. */
static void a_ring_taken_back(void)
{
    hostile_connect(0);
    gnttab()[disk->ring_ref].flags = 0;
    EXPECT(hostile_reads());
    gnttab()[disk->ring_ref].domid = 0x7123;
    EXPECT(hostile_reads());
    ASSERT(front_end(&disk->x));
    hostile_blk.withdraw();
    EXPECT(hostile_blk.works());
}

static void a_ring_given_away(void)
{
    xen_pfn_t frame;
    struct xen_memory_reservation give = { .nr_extents = 1, .domid = DOMID_SELF };
    pfn_t pfn;
    void *page;

    hostile_connect(0);
    page = disk->shared;
    pfn = v2p(page);
    frame = pfn_to_mfn(pfn);
    set_xen_guest_handle(give.extent_start, &frame);
    ASSERT_EQ(unmap_page(page), 0);
    ASSERT_EQ(xen_memory_op(XENMEM_decrease_reservation, &give), 1);
    event_send(disk->port);
    thread_sleep(5 * NS_PER_MS);
    ASSERT(front_end(&disk->x));
    hostile_blk.withdraw();
    frame = pfn;
    ASSERT_EQ(xen_memory_op(XENMEM_populate_physmap, &give), 1);
    p2m_set(pfn, frame);
    ASSERT_EQ(map_page(page, make_pte(frame, PTE_KERNEL | PTE_NX)), 0);
    EXPECT(hostile_blk.works());
}

/* Closed with a ring full of requests. */
static void an_end_in_the_middle(void)
{
    if (!blk_init(disk, 0))
        SKIP("no disk");
    for (unsigned turn = 0; turn < 10; turn++) {
        ASSERT(blk_connect(disk));
        for (unsigned i = 0; i < 32; i++) {
            blkif_request_t q = blk_request(disk, BLKIF_OP_WRITE, i * 8, 8);

            blk_put(disk, &q);
        }
        blk_push(disk);
        if (turn % 2 != 0)
            front_set_state(&disk->x, XenbusStateClosed);
        ASSERT(blk_close(disk));
    }
}

static void floods_of_events(void)
{
    hostile_connect(0);
    for (unsigned i = 0; i < FLOOD; i++)
        event_send(disk->port);
    EXPECT(hostile_reads());
    ASSERT(blk_close(disk));
}

static void a_port_that_is_closed(void)
{
    blkif_request_t q;

    hostile_connect(0);
    ASSERT(hostile_reads());
    event_close(disk->port);
    q = blk_request(disk, BLKIF_OP_READ, 0, 1);
    blk_put(disk, &q);
    RING_PUSH_REQUESTS(&disk->ring);
    thread_sleep(5 * NS_PER_MS);
    disk->port = -1;
    ASSERT(blk_close(disk));
    EXPECT(hostile_blk.works());
}

/* --- Nodes ------------------------------------------------------------------------------------ */

static void wrong_values(void)
{
    static const struct hostile_value values[] = {
        { "ring-ref", NULL }, { "ring-ref", "" }, { "ring-ref", "abc" }, { "ring-ref", "-1" },
        { "ring-ref", "5x" }, { "ring-ref", " 5" }, { "ring-ref", "0x10" }, { "ring-ref", "511" },
        { "ring-ref", "4294967295" }, { "ring-ref", "4294967296" },
        { "ring-ref", "99999999999999999999" }, { "ring-ref", huge_value },
        { "event-channel", NULL }, { "event-channel", "" }, { "event-channel", "0" },
        { "event-channel", "1" }, { "event-channel", "1000" }, { "event-channel", "131072" },
        { "event-channel", "4294967297" }, { "event-channel", "-3" },
        { "event-channel", huge_value },
        { "protocol", "x86_32-abi" }, { "protocol", "" },
    };

    if (!blk_init(disk, 0))
        SKIP("no disk");
    hostile_values(&hostile_blk, values, NR(values));
}

static void ring_for_reading(void)
{
    grant_offer(disk->ring_ref, disk->x.driver, v2mfn(disk->shared), GTF_readonly);
}

static void ring_of_tables(void)
{
    grant_offer(disk->ring_ref, disk->x.driver, pfn_to_mfn(kernel_root()), 0);
}

static void ring_for_another(void)
{
    grant_offer(disk->ring_ref, 0x7123, v2mfn(disk->shared), 0);
}

static void port_for_another(void)
{
    event_close(disk->port);
    disk->port = event_alloc_unbound(0, NULL, NULL);
    front_set(&disk->x, "event-channel", "%d", disk->port);
}

static void rings_that_are_none(void)
{
    if (!blk_init(disk, 0))
        SKIP("no disk");
    hostile_refused(&hostile_blk, "a ring for reading", ring_for_reading);
    hostile_refused(&hostile_blk, "a ring that is a page table", ring_of_tables);
    hostile_refused(&hostile_blk, "a ring for another domain", ring_for_another);
    hostile_refused(&hostile_blk, "a port for another domain", port_for_another);
    EXPECT(hostile_blk.works());
}

static void values_that_change(void)
{
    hostile_connect(0);
    hostile_changes(&hostile_blk);
    EXPECT(hostile_reads());
    ASSERT(blk_close(disk));
}

static void states_in_any_order(void)
{
    if (!blk_init(disk, 0))
        SKIP("no disk");
    hostile_states(&hostile_blk, 14);
}

static void the_disk_is_given_up(void)
{
    hostile_connect(2);
    hostile_hidden(&hostile_blk, true);             /* it may see this, or not */
    front_set_state(&disk->x, XenbusStateClosed);
    thread_sleep(20 * NS_PER_MS);
    front_set_state(&disk->x, XenbusStateConnected);
    hostile_hidden(&hostile_blk, false);
    hostile_removed(&hostile_blk);
}

SUITE_PART(hostilefront, 92, 1, TEST(a_read_over_the_ring), TEST(senseless_indices),
           TEST(indices_of_responses), TEST(rings_that_are_not_new), TEST(requests_that_change),
           TEST(a_ring_taken_back), TEST(a_ring_given_away), TEST(an_end_in_the_middle),
           TEST(floods_of_events), TEST(a_port_that_is_closed), TEST(wrong_values),
           TEST(rings_that_are_none), TEST(values_that_change), TEST(states_in_any_order),
           TEST(the_disk_is_given_up));
