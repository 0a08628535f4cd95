/* Suite "frontend" (only by name): the guest's devices as they are meant to be used. Its first disk
 * is written and read back; its first two network devices send to each other. With seconds= it goes
 * on for so long, beside guests that do harm to the driver domain: what it has written must not
 * change. */
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "front.h"
#include "mm.h"
#include "start.h"
#include "suite.h"
#include "thread.h"

#define PAGE_SECTORS 8u

static struct blkfront disk;
static struct netfront net[2];
static bool has_disk, has_net;

/* What stands in a page of the disk, as 64-bit words. */
static uint64_t word_at(uint64_t sector, unsigned i, uint64_t round)
{
    return (sector * 512 + i + round * 0x100000001b3) * 0x9e3779b97f4a7c15;
}

static void fill(unsigned page, uint64_t sector, uint64_t round)
{
    uint64_t *p = (uint64_t *)disk.page[page];

    for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
        p[i] = word_at(sector, i, round);
}

static bool is_filled(unsigned page, uint64_t sector, uint64_t round)
{
    const uint64_t *p = (const uint64_t *)disk.page[page];

    for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
        if (p[i] != word_at(sector, i, round))
            return EXPECT_MSG(false, "sector %lu, word %u: %#lx, not %#lx", sector, i, p[i],
                              word_at(sector, i, round));
    return true;
}

/* n pages from the sector on; more than 11 by an indirect request. */
static int transfer(uint8_t op, uint64_t sector, unsigned n)
{
    blkif_request_indirect_t indirect;
    blkif_request_t plain;

    if (n <= BLKIF_MAX_SEGMENTS_PER_REQUEST) {
        plain = blk_request(&disk, op, sector, n);
        return blk_do(&disk, &plain);
    }
    indirect = blk_indirect(&disk, op, sector, n);
    return blk_do_indirect(&disk, &indirect);
}

static bool write_disk(unsigned step, uint64_t round)
{
    for (uint64_t s = 0; s + step * PAGE_SECTORS <= disk.nr_sectors; s += step * PAGE_SECTORS) {
        for (unsigned i = 0; i < step; i++)
            fill(i, s + i * PAGE_SECTORS, round);
        if (!EXPECT_EQ(transfer(BLKIF_OP_WRITE, s, step), BLKIF_RSP_OKAY))
            return false;
    }
    return true;
}

/* Of what steps of `step` pages have written. */
static bool check_disk(unsigned step, uint64_t round)
{
    for (uint64_t s = 0; s + step * PAGE_SECTORS <= disk.nr_sectors; s += step * PAGE_SECTORS) {
        for (unsigned i = 0; i < step; i++)
            memset(disk.page[i], 0xee, PAGE_SIZE);
        if (!EXPECT_EQ(transfer(BLKIF_OP_READ, s, step), BLKIF_RSP_OKAY))
            return false;
        for (unsigned i = 0; i < step; i++)
            if (!is_filled(i, s + i * PAGE_SECTORS, round))
                return false;
    }
    return true;
}

static void disk_connects(void)
{
    has_disk = blk_init(&disk, 0) && blk_connect(&disk);
    if (!disk.x.dir[0])
        SKIP("no disk");
    ASSERT(has_disk);
    EXPECT(disk.nr_sectors >= 1024);
    EXPECT_EQ(atoi(front_back(&disk.x, "feature-flush-cache")), 1);
    EXPECT(atoi(front_back(&disk.x, "feature-max-indirect-segments")) > 16);
}

static void disk_keeps_what_is_written(void)
{
    if (!has_disk)
        SKIP("no disk");
    ASSERT(write_disk(8, 1) && check_disk(16, 1));
    ASSERT(write_disk(16, 2) && check_disk(8, 2));
    EXPECT_EQ(transfer(BLKIF_OP_FLUSH_DISKCACHE, ~0ul, 0), BLKIF_RSP_OKAY);
}

/* Segments of some sectors each, not of whole pages. */
static void parts_of_pages(void)
{
    blkif_request_t q;

    if (!has_disk)
        SKIP("no disk");
    ASSERT(check_disk(8, 2));
    q = blk_request(&disk, BLKIF_OP_READ, 16, 2);
    memset(disk.page[0], 0, PAGE_SIZE);
    memset(disk.page[1], 0, PAGE_SIZE);
    q.seg[0].first_sect = 6;
    q.seg[1].last_sect = 5;
    ASSERT_EQ(blk_do(&disk, &q), BLKIF_RSP_OKAY);
    for (unsigned i = 0; i < 128; i++)
        EXPECT_EQ(((uint64_t *)disk.page[0])[384 + i], word_at(16, i, 2));
    for (unsigned i = 0; i < 384; i++)
        EXPECT_EQ(((uint64_t *)disk.page[1])[i], word_at(16, i + 128, 2));
    EXPECT_EQ(((uint64_t *)disk.page[0])[383], 0);
    EXPECT_EQ(((uint64_t *)disk.page[1])[384], 0);
}

/* A ring full of requests, answered in order. */
static void many_requests(void)
{
    blkif_response_t answer;

    if (!has_disk)
        SKIP("no disk");
    for (unsigned turn = 0; turn < 4; turn++) {
        uint64_t first = disk.next_id + 1;

        for (unsigned i = 0; i < RING_SIZE(&disk.ring); i++) {
            blkif_request_t q = blk_request(&disk, BLKIF_OP_READ, i * PAGE_SECTORS, 1);

            q.seg[0].gref = disk.ref + i % BLK_PAGES;
            blk_put(&disk, &q);
        }
        blk_push(&disk);
        for (unsigned i = 0; i < RING_SIZE(&disk.ring); i++) {
            ASSERT(blk_receive(&disk, &answer, FRONT_PATIENCE));
            EXPECT_EQ(answer.id, first + i);
            EXPECT_EQ(answer.status, BLKIF_RSP_OKAY);
            is_filled(i % BLK_PAGES, i * PAGE_SECTORS, 2);
        }
    }
}

static void disk_connects_again(void)
{
    if (!has_disk)
        SKIP("no disk");
    ASSERT(blk_close(&disk));
    ASSERT(blk_connect(&disk));
    ASSERT(check_disk(8, 2));
}

/* --- The network ------------------------------------------------------------------------------ */

/* The next packet that is not for everybody, as other guests may send such. Its buffer is used
 * again only after all others. NULL: none came, and the test has failed. */
static const uint8_t *receive(struct netfront *n, netif_rx_response_t *answer)
{
    const uint8_t *got;
    bool is_ours;

    do {
        if (!EXPECT(net_receive(n, answer, FRONT_PATIENCE)))
            return NULL;
        got = n->rx_page[answer->id % NET_BUFFERS] + answer->offset;
        is_ours = got[0] != 0xff;
        net_give(n, answer->id, 1);
    } while (!is_ours);
    return got;
}

static bool arrives(struct netfront *from, struct netfront *to, unsigned len, uint8_t seed)
{
    netif_rx_response_t answer;
    const uint8_t *got;

    net_frame(from, to->mac, from->mac, len, seed);
    if (!EXPECT_EQ(net_send(from, len), NETIF_RSP_OKAY))
        return false;
    got = receive(to, &answer);
    return got != NULL && EXPECT_EQ(answer.status, len) &&
           EXPECT(memcmp(got, from->tx_page[0], len) == 0);
}

static void net_connects(void)
{
    if (!net_init(&net[0], 0) || !net_init(&net[1], 1))
        SKIP("less than two network devices");
    ASSERT(net_connect(&net[0]) && net_connect(&net[1]));
    net_give(&net[0], 0, NET_BUFFERS);
    net_give(&net[1], 0, NET_BUFFERS);
    has_net = true;
}

/* For a guest with one: a packet to everybody. */
static void net_of_one(void)
{
    static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    if (!net_init(&net[0], 0))
        SKIP("no network device");
    ASSERT(net_connect(&net[0]));
    net_give(&net[0], 0, NET_BUFFERS);
    net_frame(&net[0], everybody, net[0].mac, 60, 7);
    EXPECT_EQ(net_send(&net[0], 60), NETIF_RSP_OKAY);
    ASSERT(net_close(&net[0]));
}

static void packets_arrive(void)
{
    static const unsigned sizes[] = { 14, 15, 60, 255, 256, 257, 1000, 1513, 1514 };

    if (!has_net)
        SKIP("less than two network devices");
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        ASSERT(arrives(&net[0], &net[1], sizes[i], (uint8_t)i) &&
               arrives(&net[1], &net[0], sizes[i], (uint8_t)(i + 50)));
}

/* A packet in three parts of pages. */
static void packets_in_parts(void)
{
    netif_tx_request_t q[3] = {
        { .gref = net[0].tx_ref, .size = 1000, .flags = NETTXF_more_data },
        { .gref = net[0].tx_ref + 1, .offset = 3796, .size = 300, .flags = NETTXF_more_data },
        { .gref = net[0].tx_ref + 2, .offset = 1, .size = 200 },
    };
    netif_rx_response_t answer;
    const uint8_t *got;

    if (!has_net)
        SKIP("less than two network devices");
    net_frame(&net[0], net[1].mac, net[0].mac, 500, 3);
    memset(net[0].tx_page[1] + 3796, 0x51, 300);
    memset(net[0].tx_page[2] + 1, 0x52, 200);
    for (unsigned i = 0; i < 3; i++)
        net_put(&net[0], &q[i]);
    net_push(&net[0]);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_EQ(net_status(&net[0], FRONT_PATIENCE), NETIF_RSP_OKAY);
    got = receive(&net[1], &answer);
    ASSERT(got != NULL);
    ASSERT_EQ(answer.status, 1000);
    EXPECT(memcmp(got, net[0].tx_page[0], 500) == 0);
    EXPECT(got[500] == 0x51 && got[799] == 0x51 && got[800] == 0x52 && got[999] == 0x52);
}

/* --- For a while ------------------------------------------------------------------------------ */

static void for_a_while(void)
{
    uint64_t end, round = 3;
    char text[8];

    if (!cmdline_get("seconds", text, sizeof(text)))
        SKIP("no seconds=");
    end = clock_ns() + strtoul(text, NULL, 10) * NS_PER_S;
    ASSERT(has_disk || has_net);
    for (; clock_ns() < end; round++) {
        if (has_disk)
            ASSERT(write_disk(8, round) && check_disk(16, round));
        for (unsigned i = 0; has_net && i < 64; i++)
            ASSERT(arrives(&net[i % 2], &net[1 - i % 2], 1514 - i, (uint8_t)i));
        thread_sleep(10 * NS_PER_MS);
    }
    test_diag("frontend: %lu rounds", round - 3);
}

static void everything_closes(void)
{
    if (has_disk)
        EXPECT(blk_close(&disk));
    for (unsigned i = 0; has_net && i < 2; i++)
        EXPECT(net_close(&net[i]));
}

SUITE(frontend, 91, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(disk_connects),
      TEST(disk_keeps_what_is_written), TEST(parts_of_pages), TEST(many_requests),
      TEST(disk_connects_again), TEST(net_of_one), TEST(net_connects), TEST(packets_arrive),
      TEST(packets_in_parts), TEST(for_a_while), TEST(everything_closes));
