/* Network cards of the driver domain against a device that is memory: what it gets to send, with
 * and without offloads, and what it says about what it has received. */
#include "cmocka_main.h"
#include <stdio.h>
#include "driver_segment_fixture.h"
#include "driver_virtio_fixture.h"
#include "guest-pv/driver/gso.h"
#include "guest-pv/driver/switch.h"
#include "guest-pv/driver/virtio_net.h"

#define CSUM (1ull << 0)
#define GUEST_CSUM (1ull << 1)
#define GUEST_TSO (3ull << 7)
#define HOST_TSO (3ull << 11)
#define MRG_RXBUF (1ull << 15)
#define SEND (CSUM | HOST_TSO)
#define RECEIVE (GUEST_CSUM | GUEST_TSO | MRG_RXBUF)
#define QUEUE 256u

struct net_header {
    uint8_t flags, gso_type;
    uint16_t header_len, gso_size, csum_start, csum_offset, nr_buffers;
};

static uint64_t address(const void *where)
{
    return (uintptr_t)where;
}

static const struct driver_host host = { .address = address, .alloc = alloc };
const struct driver_host *driver_host = &host;

/* In place of virtio.c's (unit.mk): what the device offers is the test's to say. */
bool __wrap_virtio_begin(struct virtio *v, uint64_t wanted);
static uint64_t offered;

bool __wrap_virtio_begin(struct virtio *v, uint64_t wanted)
{
    v->features = offered & wanted;
    return true;
}

static const uint8_t mac[] = { 0, 1, 2, 3, 4, 1 }, outside[] = { 0, 9, 9, 9, 9, 9 };
static struct virtio_net *card;
static struct port *port;               /* of a guest */
static struct fake_queue receive, transmit;
static unsigned free_before;

static void begin(uint64_t features)
{
    static const unsigned vectors[2];
    struct virtio device = make_device(0, QUEUE);
    const char *problem;
    uint64_t at[6];

    offered = features;
    receive = (struct fake_queue){ .size = QUEUE };
    transmit = (struct fake_queue){ .first = 3, .size = QUEUE };
    queue_addresses(at);
    port = switch_add(mac, false);
    card = virtio_net_new(&device, queue_page, at, vectors, &problem);
    assert_non_null(card);
    free_before = packets_free();
}

/* The card's port is the next one. Its buffers stay with the device: the pool is large enough. */
static int leave(void **state)
{
    (void)state;
    switch_remove(port + 1);
    switch_remove(port);
    return 0;
}

static int many_packets(void **state)
{
    return setup(state) != 0 || !packets_init(2000) ? -1 : 0;
}

/* To the card's other side. */
static void send(struct packet *p)
{
    memcpy(p->bytes, outside, MAC_BYTES);
    memcpy(p->bytes + MAC_BYTES, mac, MAC_BYTES);
    switch_forward(port, p, 0);
    virtio_net_serve(card, 0);
}

/* Takes a chain, and returns its bytes without the header. */
static unsigned sent(struct net_header *h, uint8_t *frame)
{
    static uint8_t all[PACKET_LARGE_MAX + sizeof(struct net_header)];
    struct fake_chain c;
    unsigned at = 0;

    if (!fake_take(&transmit, &c))
        return 0;
    for (unsigned i = 0; i < c.n; i++) {
        memcpy(all + at, (void *)(uintptr_t)c.part[i].address, c.part[i].bytes);
        at += c.part[i].bytes;
    }
    memcpy(h, all, sizeof(*h));
    memcpy(frame, all + sizeof(*h), at - sizeof(*h));
    fake_use(&transmit, &c, 0);
    return at - (unsigned)sizeof(*h);
}

static bool sum_is_good(const uint8_t *frame, unsigned len, unsigned tcp, bool v6)
{
    uint32_t pseudo = add_bytes(frame + (v6 ? 22 : 26), v6 ? 32 : 8, 6 + len - tcp);

    return fold_sum(add_bytes(frame + tcp, len - tcp, pseudo)) == 0xffff;
}

/* --- Sending ---------------------------------------------------------------------------------- */

static void a_simple_card_gets_frames(void **state)
{
    static uint8_t frame[PACKET_LARGE_MAX], expected[60000];
    static const struct net_header none;
    struct net_header h;

    (void)state;
    begin(0);
    for (unsigned round = 0; round < 20; round++) {
        struct packet *p = packet_new_for(PACKET_LARGE_MAX);
        bool v6 = round & 1;
        unsigned data = make_large(p, v6, 60000, 1440), at = 0, len;

        memcpy(expected, p->bytes + data, 60000);
        assert_true(gso_judge(p));
        send(p);
        while ((len = sent(&h, frame)) != 0) {
            assert_memory_equal(&h, &none, sizeof(h));
            assert_true(sum_is_good(frame, len, data - 20, v6));
            assert_memory_equal(frame + data, expected + at, len - data);
            at += len - data;
            virtio_net_serve(card, 0);
        }
        assert_int_equal(at, 60000);
        virtio_net_serve(card, 0);
        assert_int_equal(packets_free(), free_before);
    }
}

/* One chain; the sum is the card's to complete, and the fields say where. */
static void a_card_that_cuts_gets_it_whole(void **state)
{
    static uint8_t bytes[PACKET_LARGE_MAX], expected[PACKET_LARGE_MAX];
    struct net_header h;

    (void)state;
    begin(SEND);
    for (unsigned round = 0; round < 20; round++) {
        struct packet *p = packet_new_for(PACKET_LARGE_MAX);
        bool v6 = round & 1;
        unsigned data = make_large(p, v6, 60000, 1440), len = p->len;

        assert_true(gso_judge(p));
        memcpy(p->bytes, outside, MAC_BYTES);
        memcpy(p->bytes + MAC_BYTES, mac, MAC_BYTES);
        memcpy(expected, p->bytes, len);
        send(p);
        assert_int_equal(sent(&h, bytes), len);
        assert_memory_equal(bytes, expected, len);
        assert_int_equal(h.flags, 1);
        assert_int_equal(h.gso_type, v6 ? 4 : 1);
        assert_int_equal(h.header_len, data);
        assert_int_equal(h.gso_size, 1440);
        assert_int_equal(h.csum_start, data - 20);
        assert_int_equal(h.csum_offset, 16);
        virtio_net_serve(card, 0);
        assert_int_equal(packets_free(), free_before);
    }
}

/* A card with CSUM only: the frames are made here, other packets have their sums from it. */
static void a_card_may_complete_sums_only(void **state)
{
    static uint8_t bytes[PACKET_LARGE_MAX];
    struct packet *p = packet_new_for(PACKET_LARGE_MAX);
    struct net_header h;
    unsigned len;

    (void)state;
    begin(CSUM);
    free_before++;
    make_large(p, false, 2000, 1440);
    assert_true(gso_judge(p));
    send(p);
    assert_int_equal(sent(&h, bytes), 24 + 34 + 1440);
    assert_int_equal(h.flags, 0);
    assert_true(sum_is_good(bytes, 24 + 34 + 1440, 38, false));
    assert_int_equal(sent(&h, bytes), 24 + 34 + 560);
    p = packet_new();
    make_segment(p, true, false, 100, &len);
    send(p);
    assert_int_equal(sent(&h, bytes), 54 + 108);
    assert_int_equal(h.flags, 1);
    assert_int_equal(h.gso_type, 0);
    assert_int_equal(h.csum_start, 54);
    assert_int_equal(h.csum_offset, 6);
    virtio_net_serve(card, 0);
    assert_int_equal(packets_free(), free_before);
}

/* Another guest that has the packet, too, gets it as it was. */
static void a_shared_packet_is_not_changed(void **state)
{
    static uint8_t bytes[PACKET_LARGE_MAX], expected[PACKET_MAX];
    static const uint8_t other[] = { 0, 1, 2, 3, 4, 2 };
    struct packet *p = packet_new();
    struct net_header h;
    struct port *b;
    unsigned len;

    (void)state;
    begin(0);
    free_before++;
    b = switch_add(other, false);
    make_segment(p, false, true, 500, &len);
    memset(p->bytes, 0xff, MAC_BYTES);
    memcpy(p->bytes + MAC_BYTES, mac, MAC_BYTES);
    memcpy(expected, p->bytes, p->len);
    switch_forward(port, p, 0);
    virtio_net_serve(card, 0);
    assert_int_equal(sent(&h, bytes), p->len);
    assert_true(sum_is_good(bytes, p->len, 38, false));
    assert_ptr_equal(port_first(b), p);
    assert_true(p->csum_blank);
    assert_memory_equal(p->bytes, expected, p->len);
    virtio_net_serve(card, 0);
    switch_remove(b);
    assert_int_equal(packets_free(), free_before);
}

/* --- Receiving -------------------------------------------------------------------------------- */

/* The device writes this into as many buffers as it takes, of `size` bytes at most. */
static void arrive(struct net_header h, const uint8_t *bytes, unsigned len, unsigned size)
{
    unsigned at = 0, n = (len + (unsigned)sizeof(h) + size - 1) / size;

    if (h.nr_buffers == 0)
        h.nr_buffers = (uint16_t)n;
    for (unsigned i = 0; i < n; i++) {
        unsigned head = i == 0 ? sizeof(h) : 0, now = size - head;
        struct fake_chain c;
        uint8_t *to;

        assert_true(fake_take(&receive, &c));
        assert_int_equal(c.n, 1);
        assert_in_range(size, 1, c.part[0].bytes);
        to = (void *)(uintptr_t)c.part[0].address;
        if (now > len - at)
            now = len - at;
        memcpy(to, &h, head);
        memcpy(to + head, bytes + at, now);
        at += now;
        fake_use(&receive, &c, head + now);
    }
    virtio_net_serve(card, 0);
}

static struct packet *make_incoming(bool v6, unsigned payload, unsigned size)
{
    struct packet *p = packet_new_for(PACKET_LARGE_MAX);

    make_large(p, v6, payload, size);
    memcpy(p->bytes, mac, MAC_BYTES);
    memcpy(p->bytes + MAC_BYTES, outside, MAC_BYTES);
    return p;
}

static void buffers_are_merged(void **state)
{
    (void)state;
    begin(RECEIVE);
    for (unsigned round = 0; round < 50; round++) {
        bool v6 = round & 1;
        struct packet *p = make_incoming(v6, 1600 + one_of(60000), 1440), *got;

        arrive((struct net_header){ .flags = 1, .gso_type = v6 ? 4 : 1, .gso_size = 1440 },
               p->bytes, p->len, 1000 + one_of(549));
        got = port_first(port);
        assert_non_null(got);
        assert_int_equal(got->len, p->len);
        assert_memory_equal(got->bytes, p->bytes, p->len);
        assert_true(got->csum_blank);
        assert_int_equal(got->gso, p->gso);
        assert_int_equal(got->gso_size, 1440);
        port_drop_first(port);
        packet_put(p);
        assert_int_equal(packets_free(), free_before);
    }
}

static void sums_of_the_card_are_passed_on(void **state)
{
    struct packet *p;

    (void)state;
    begin(RECEIVE);
    p = make_incoming(false, 1000, 500);
    arrive((struct net_header){ .flags = 2 }, p->bytes, p->len, 1548);
    assert_true(port_first(port)->csum_good);
    assert_false(port_first(port)->csum_blank);
    assert_int_equal(port_first(port)->gso, GSO_NONE);
    port_drop_first(port);
    arrive((struct net_header){ .flags = 0 }, p->bytes, p->len, 1548);
    assert_false(port_first(port)->csum_good);
    port_drop_first(port);
    packet_put(p);
    assert_int_equal(packets_free(), free_before);
}

static void expect_dropped(struct net_header h, const struct packet *p, unsigned len)
{
    uint64_t before[3], after[3];

    virtio_net_counts(card, before);
    arrive(h, p->bytes, len, 1548);
    virtio_net_counts(card, after);
    assert_int_equal(after[2], before[2] + 1);
    assert_int_equal(after[0], before[0]);
    assert_null(port_first(port));
}

/* Whatever the device says, a packet is one that may be sent on, or none. */
static void senseless_headers_are_dropped(void **state)
{
    static const struct net_header good = { .flags = 1, .gso_type = 1, .gso_size = 1440 };
    struct net_header h = good;
    struct packet *p, *long_one;

    (void)state;
    begin(RECEIVE);
    p = make_incoming(false, 5000, 1440);
    long_one = make_incoming(false, 65000, 1440);
    expect_dropped((struct net_header){ .flags = 1 }, p, p->len);   /* longer than a frame */
    for (unsigned type = 2; type < 256; type++) {
        h.gso_type = (uint8_t)type;
        if ((type & 0x7f) > 1)
            expect_dropped(h, p, p->len);
    }
    h = good;
    h.flags = 0;
    expect_dropped(h, p, p->len);
    h = good;
    h.gso_size = 0;
    expect_dropped(h, p, p->len);
    h = good;
    h.nr_buffers = 60000;                       /* than there are */
    expect_dropped(h, p, p->len);
    memset(long_one->bytes + 20, 0, 2000);      /* no TCP */
    expect_dropped(good, long_one, long_one->len);
    packet_put(p);
    packet_put(long_one);
    assert_int_equal(packets_free(), free_before);
}

/* More than a packet may have, in several buffers and in one: nothing is written behind its
 * memory, which is another one's. */
static void too_long_ones_are_dropped(void **state)
{
    static uint8_t bytes[100000];
    struct packet p = { .bytes = bytes }, *last, *others = NULL;

    (void)state;
    begin(RECEIVE);
    while ((last = packet_new_for(PACKET_LARGE_MAX)) != NULL) {
        memset(last->bytes, 0x77, 65536);
        last->next = others;
        others = last;
    }
    last = others->next->next;          /* memory is before and behind it */
    others->next->next = last->next;
    packet_put(last);
    free_before = packets_free();
    expect_dropped((struct net_header){ .flags = 1, .gso_type = 1, .gso_size = 1440 }, &p, 65536);
    expect_dropped((struct net_header){ .flags = 1, .gso_type = 1, .gso_size = 1440 }, &p, 90000);
    expect_dropped((struct net_header){ .nr_buffers = 1 }, &p, 1519);
    assert_int_equal(packets_free(), free_before);
    while ((last = others) != NULL) {
        others = last->next;
        for (unsigned i = 0; i < 65536; i++)
            assert_int_equal(last->bytes[i], 0x77);
        packet_put(last);
    }
}

/* A card that cannot merge is not asked for large packets, and what it says of them is not
 * believed. */
static void what_was_not_agreed_is_not_done(void **state)
{
    static const struct net_header h = { .flags = 3, .gso_type = 1, .gso_size = 500 };
    struct packet *p;

    (void)state;
    begin(GUEST_CSUM | GUEST_TSO | HOST_TSO);
    p = make_incoming(false, 1000, 500);
    expect_dropped(h, p, p->len);
    packet_put(p);
    assert_int_equal(packets_free(), free_before);
    leave(NULL);
    begin(0);
    p = make_incoming(false, 1000, 500);
    arrive((struct net_header){ .flags = 3 }, p->bytes, p->len, 1548);
    assert_false(port_first(port)->csum_blank || port_first(port)->csum_good);
    packet_put(p);
}

#define TEST(f) cmocka_unit_test_teardown(f, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_simple_card_gets_frames),
        TEST(a_card_that_cuts_gets_it_whole),
        TEST(a_card_may_complete_sums_only),
        TEST(a_shared_packet_is_not_changed),
        TEST(buffers_are_merged),
        TEST(sums_of_the_card_are_passed_on),
        TEST(senseless_headers_are_dropped),
        TEST(too_long_ones_are_dropped),
        TEST(what_was_not_agreed_is_not_done),
    };

    return cmocka_run_group_tests(tests, many_packets, teardown);
}
