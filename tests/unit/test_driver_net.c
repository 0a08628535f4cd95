/* The driver domain's network: taking packets from a guest's rings and giving them, the switch, and
 * checksums, each against a plain model or a hostile guest. */
#include "cmocka_main.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "guest-pv/driver/net_ring.h"
#include "guest-pv/driver/switch.h"

#define PAGE 4096u
#define PAGES 64u                       /* granted: their numbers are the references */
#define READ_ONLY_PAGES 8u
#define GUEST 7u

static uint8_t pages[PAGES][PAGE];
static uint8_t tx_page[PAGE] __attribute__((aligned(PAGE)));
static uint8_t rx_page[PAGE] __attribute__((aligned(PAGE)));
static netif_tx_front_ring_t tx;
static netif_rx_front_ring_t rx;
static struct net_ring ring;

static unsigned one_of(unsigned n)
{
    return (unsigned)rand() % n;
}

static void copy(struct gnttab_copy *ops, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        bool to_guest = ops[i].flags == GNTCOPY_dest_gref;
        struct gnttab_copy_ptr *own = to_guest ? &ops[i].source : &ops[i].dest,
                               *guest = to_guest ? &ops[i].dest : &ops[i].source;
        uint8_t *ours = (uint8_t *)(own->u.gmfn * PAGE) + own->offset, *theirs;

        assert_true(own->offset + ops[i].len <= PAGE && guest->offset + ops[i].len <= PAGE);
        assert_int_equal(guest->domid, GUEST);
        ops[i].status = GNTST_bad_gntref;
        if (guest->u.ref >= PAGES || (to_guest && guest->u.ref < READ_ONLY_PAGES))
            continue;
        theirs = pages[guest->u.ref] + guest->offset;
        memcpy(to_guest ? theirs : ours, to_guest ? ours : theirs, ops[i].len);
        ops[i].status = GNTST_okay;
    }
}

static xen_pfn_t frame(const void *address)
{
    return (uintptr_t)address / PAGE;
}

static void *chunks[8];
static unsigned nr_chunks;

static void *alloc(size_t bytes)
{
    void *p = aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);

    memset(p, 0, bytes);
    chunks[nr_chunks++] = p;
    return p;
}

static const struct driver_host host = { .copy = copy, .frame = frame, .alloc = alloc };
const struct driver_host *driver_host = &host;

static void attach(void)
{
    memset(tx_page, 0, PAGE);
    memset(rx_page, 0, PAGE);
    SHARED_RING_INIT((netif_tx_sring_t *)tx_page);
    SHARED_RING_INIT((netif_rx_sring_t *)rx_page);
    FRONT_RING_INIT(&tx, (netif_tx_sring_t *)tx_page, PAGE);
    FRONT_RING_INIT(&rx, (netif_rx_sring_t *)rx_page, PAGE);
    net_ring_attach(&ring, tx_page, rx_page, GUEST);
}

static void push(netif_tx_request_t q)
{
    memcpy(RING_GET_REQUEST(&tx, tx.req_prod_pvt), &q, sizeof(q));
    tx.req_prod_pvt++;
}

static void show(void)
{
    bool a = false, b = false;
    int wanted;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&tx, wanted);
    (void)wanted;
    net_ring_push(&ring, &a, &b);
}

static netif_tx_response_t next_answer(void)
{
    netif_tx_response_t a;
    bool n = false;

    net_ring_push(&ring, &n, &n);
    assert_true(tx.rsp_cons != tx.sring->rsp_prod);
    memcpy(&a, RING_GET_RESPONSE(&tx, tx.rsp_cons), sizeof(a));
    tx.rsp_cons++;
    return a;
}

/* --- From a guest ----------------------------------------------------------------------------- */

/* A packet of random parts. Returns whether it must be taken; expected: its bytes. */
static bool random_packet(uint8_t *expected, unsigned *len, unsigned *slots)
{
    unsigned n = 1 + one_of(5), total = 0;
    netif_tx_request_t part[6] = { 0 };
    bool good = true, extra = one_of(10) == 0;

    for (unsigned i = 0; i < n; i++) {
        part[i].gref = one_of(20) == 0 ? PAGES + one_of(9) : one_of(PAGES);
        part[i].size = (uint16_t)(i == 0 ? 14 + one_of(250) : 1 + one_of(350));
        part[i].offset = (uint16_t)one_of(PAGE - part[i].size + (one_of(20) == 0 ? 200 : 0));
        part[i].id = (uint16_t)rand();
        part[i].flags = i + 1 < n ? NETTXF_more_data : 0;
        good &= part[i].gref < PAGES && part[i].offset + part[i].size <= PAGE;
        if (good && total + part[i].size < 4000)
            memcpy(expected + total, pages[part[i].gref] + part[i].offset, part[i].size);
        total += part[i].size;
    }
    good &= total <= PACKET_MAX && !extra;
    *len = total;
    *slots = n + extra;
    part[0].size = (uint16_t)total;
    if (one_of(25) == 0) {
        part[0].size = (uint16_t)(one_of(3) == 0 ? one_of(14) : total - part[0].size + one_of(2));
        good = part[0].size == total && good;
        if (part[0].size != total)
            good = false;
    }
    part[0].flags |= NETTXF_csum_blank | (extra ? NETTXF_extra_info : 0);
    for (unsigned i = 0; i < n; i++) {
        push(part[i]);
        if (i == 0 && extra) {
            netif_extra_info_t e = { .type = XEN_NETIF_EXTRA_TYPE_GSO };
            netif_tx_request_t q = { 0 };

            memcpy(&q, &e, sizeof(e));
            push(q);
        }
    }
    return good;
}

static void packets_are_taken(void **state)
{
    unsigned taken = 0, refused = 0;

    (void)state;
    srand(5);
    attach();
    for (unsigned i = 0; i < sizeof(pages); i++)
        ((uint8_t *)pages)[i] = (uint8_t)rand();
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t expected[8192];
        unsigned len, slots;
        bool good = random_packet(expected, &len, &slots);
        struct packet *p = packet_new();
        enum net_take got;

        show();
        got = net_ring_take(&ring, p);
        assert_int_equal(got, good ? NET_PACKET : NET_REFUSED);
        if (good) {
            assert_int_equal(p->len, len);
            assert_memory_equal(p->bytes, expected, len);
            assert_true(p->csum_blank);
        }
        *(good ? &taken : &refused) += 1;
        packet_put(p);
        for (unsigned i = 0; i < slots; i++) {
            int16_t status = next_answer().status;

            assert_true(status == (good ? NETIF_RSP_OKAY : NETIF_RSP_ERROR) ||
                        status == NETIF_RSP_NULL);
        }
        assert_true(tx.rsp_cons == tx.sring->rsp_prod);
        assert_false(ring.stopped);
    }
    assert_true(taken > 5000 && refused > 2000);
    assert_int_equal(ring.refused, refused);
}

/* What leaves the slots of a packet unclear stops this device, and nothing is written anywhere. */
static void unclear_slots_stop_the_rings(void **state)
{
    struct packet *p = packet_new();
    netif_tx_request_t q = { .gref = 1, .size = 100, .flags = NETTXF_more_data };

    (void)state;
    attach();
    for (unsigned i = 0; i < 30; i++)   /* more parts than a packet has */
        push(q);
    show();
    assert_int_equal(net_ring_take(&ring, p), NET_NONE);
    assert_true(ring.stopped);
    attach();
    push(q);                            /* the rest is missing */
    show();
    assert_int_equal(net_ring_take(&ring, p), NET_NONE);
    assert_true(ring.stopped);
    attach();
    q.flags = NETTXF_extra_info;
    push(q);
    push((netif_tx_request_t){ .gref = 0 });    /* an extra of type 0 */
    show();
    assert_int_equal(net_ring_take(&ring, p), NET_NONE);
    assert_true(ring.stopped);
    attach();
    tx.sring->req_prod = NET_SLOTS + 1;
    assert_int_equal(net_ring_take(&ring, p), NET_NONE);
    assert_true(ring.stopped);
    attach();
    rx.sring->req_prod = NET_SLOTS + 1;
    assert_false(net_ring_give(&ring, p));
    assert_true(ring.stopped);
    packet_put(p);
}

/* --- To a guest ------------------------------------------------------------------------------- */

static void packets_are_given(void **state)
{
    struct packet *p = packet_new();
    int wanted;
    bool n = false;

    (void)state;
    attach();
    p->len = 60;
    memset(p->bytes, 0x5a, 60);
    assert_false(net_ring_give(&ring, p));
    for (unsigned i = 0; i < 3; i++) {
        netif_rx_request_t q = { .id = (uint16_t)(100 + i), .gref = i == 1 ? 2 : 20 + i };

        memcpy(RING_GET_REQUEST(&rx, rx.req_prod_pvt++), &q, sizeof(q));
    }
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&rx, wanted);
    (void)wanted;
    assert_true(net_ring_give(&ring, p));
    assert_true(net_ring_give(&ring, p));           /* into a page that may not be written */
    p->csum_blank = true;
    assert_true(net_ring_give(&ring, p));
    assert_false(net_ring_give(&ring, p));
    net_ring_push(&ring, &n, &n);
    assert_int_equal(rx.sring->rsp_prod, 3);
    for (unsigned i = 0; i < 3; i++) {
        netif_rx_response_t a;

        memcpy(&a, RING_GET_RESPONSE(&rx, i), sizeof(a));
        assert_int_equal(a.id, 100 + i);
        assert_int_equal(a.status, i == 1 ? NETIF_RSP_ERROR : 60);
        assert_int_equal(a.flags, i == 2 ? NETRXF_csum_blank | NETRXF_data_validated : 0);
    }
    assert_int_equal(pages[20][59], 0x5a);
    packet_put(p);
}

/* --- The switch ------------------------------------------------------------------------------- */

static const uint8_t broadcast[MAC_BYTES] = { 255, 255, 255, 255, 255, 255 };

static void send(struct port *from, const uint8_t *to, const uint8_t *source, uint64_t seconds)
{
    struct packet *p = packet_new();

    assert_non_null(p);
    p->len = 60;
    memcpy(p->bytes, to, MAC_BYTES);
    memcpy(p->bytes + MAC_BYTES, source, MAC_BYTES);
    switch_forward(from, p, seconds);
}

static void expect_queued(struct port *a, unsigned na, struct port *b, unsigned nb, struct port *c,
                          unsigned nc)
{
    assert_int_equal(a->nr_queued, na);
    assert_int_equal(b->nr_queued, nb);
    assert_int_equal(c->nr_queued, nc);
    while (port_first(a))
        port_drop_first(a);
    while (port_first(b))
        port_drop_first(b);
    while (port_first(c))
        port_drop_first(c);
}

static void packets_go_where_they_belong(void **state)
{
    static const uint8_t ma[] = { 0, 1, 2, 3, 4, 1 }, mb[] = { 0, 1, 2, 3, 4, 2 },
                         outside[] = { 0, 9, 9, 9, 9, 9 }, other[] = { 0, 8, 8, 8, 8, 8 };
    unsigned free_before = packets_free();
    struct port *a = switch_add(ma, false), *b = switch_add(mb, true);
    struct port *up = switch_add(NULL, false);

    (void)state;
    send(a, mb, ma, 0);
    expect_queued(a, 0, b, 1, up, 0);
    send(a, broadcast, ma, 0);
    expect_queued(a, 0, b, 1, up, 1);
    send(a, outside, ma, 0);                    /* unknown: outside, not to guests */
    expect_queued(a, 0, b, 0, up, 1);
    send(up, ma, outside, 0);
    expect_queued(a, 1, b, 0, up, 0);
    send(up, other, outside, 0);                /* unknown, and came from there */
    expect_queued(a, 0, b, 0, up, 0);
    send(a, ma, ma, 0);                         /* never back */
    expect_queued(a, 0, b, 0, up, 0);
    send(a, outside, mb, 0);                    /* with another guest's address */
    expect_queued(a, 0, b, 0, up, 0);
    send(up, ma, mb, 0);
    expect_queued(a, 0, b, 0, up, 0);
    send(b, outside, other, 0);                 /* strict */
    expect_queued(a, 0, b, 0, up, 0);
    send(a, outside, broadcast, 0);             /* no sender has such an address */
    expect_queued(a, 0, b, 0, up, 0);
    send(a, outside, other, 0);                 /* learned: a guest behind a guest */
    expect_queued(a, 0, b, 0, up, 1);
    send(up, other, outside, 100);
    expect_queued(a, 1, b, 0, up, 0);
    send(up, other, outside, 1000);             /* forgotten */
    expect_queued(a, 0, b, 0, up, 0);
    switch_remove(a);
    send(up, ma, outside, 1000);
    assert_int_equal(up->nr_queued, 0);
    switch_remove(b);
    switch_remove(up);
    assert_int_equal(packets_free(), free_before);
}

/* A port that takes nothing loses its own packets, and no others; the table is bounded. */
static void floods_harm_their_own_port(void **state)
{
    static const uint8_t ma[] = { 0, 1, 2, 3, 4, 1 }, mb[] = { 0, 1, 2, 3, 4, 2 };
    unsigned free_before = packets_free();
    struct port *a = switch_add(ma, false), *b = switch_add(mb, false);
    uint8_t mac[MAC_BYTES] = { 2 };

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        send(a, mb, ma, 0);
    assert_int_equal(b->nr_queued, PORT_QUEUE);
    assert_int_equal(b->dropped, 1000 - PORT_QUEUE);
    assert_int_equal(a->nr_queued, 0);
    for (unsigned i = 0; i < 100000; i++) {
        memcpy(mac + 1, &i, 4);
        send(a, ma, mac, i / 1000);
        assert_true(a->learned <= 64);
    }
    switch_remove(a);
    switch_remove(b);
    assert_int_equal(packets_free(), free_before);
}

/* --- Checksums -------------------------------------------------------------------------------- */

static uint32_t add_bytes(const uint8_t *at, unsigned len, uint32_t sum)
{
    for (unsigned i = 0; i < len; i++)
        sum += i & 1 ? at[i] : (uint32_t)at[i] << 8;
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* A packet of TCP or UDP with a blank sum, over IPv4 or IPv6; returns where the segment begins. */
static unsigned make_segment(struct packet *p, bool v6, bool tcp, unsigned payload, unsigned *len)
{
    unsigned header = tcp ? 20 : 8, at = 14 + (v6 ? 40 : 24), field = at + (tcp ? 16 : 6);
    uint32_t pseudo;

    *len = header + payload;
    memset(p->bytes, 0, sizeof(p->bytes));
    for (unsigned i = at; i < at + *len; i++)
        p->bytes[i] = (uint8_t)rand();
    for (unsigned i = 14; i < at; i++)
        p->bytes[i] = (uint8_t)rand();
    p->len = (uint16_t)(at + *len);
    p->bytes[12] = v6 ? 0x86 : 0x08;
    p->bytes[13] = v6 ? 0xdd : 0x00;
    if (v6) {
        p->bytes[14] = 0x60;
        p->bytes[18] = (uint8_t)(*len >> 8);
        p->bytes[19] = (uint8_t)*len;
        p->bytes[20] = tcp ? 6 : 17;
        pseudo = add_bytes(p->bytes + 22, 32, 0);
    } else {
        p->bytes[14] = 0x46;            /* with a word of options */
        p->bytes[16] = (uint8_t)((24 + *len) >> 8);
        p->bytes[17] = (uint8_t)(24 + *len);
        p->bytes[20] = p->bytes[21] = 0;
        p->bytes[23] = tcp ? 6 : 17;
        pseudo = add_bytes(p->bytes + 26, 8, 0);
    }
    pseudo = fold(pseudo + (tcp ? 6 : 17) + *len);
    p->bytes[field] = (uint8_t)(pseudo >> 8);
    p->bytes[field + 1] = (uint8_t)pseudo;
    p->csum_blank = true;
    return at;
}

static void sums_are_completed(void **state)
{
    struct packet *p = packet_new();

    (void)state;
    srand(9);
    for (unsigned i = 0; i < 4000; i++) {
        bool v6 = i & 1, tcp = i & 2;
        unsigned len, at = make_segment(p, v6, tcp, one_of(1400), &len);
        uint32_t pseudo = add_bytes(p->bytes + (v6 ? 22 : 26), v6 ? 32 : 8, 0);

        assert_true(packet_complete(p));
        assert_false(p->csum_blank);
        /* what a receiver does: all of it adds up to 0xffff */
        assert_int_equal(fold(add_bytes(p->bytes + at, len, pseudo + (tcp ? 6 : 17) + len)),
                         0xffff);
    }
    packet_put(p);
}

/* Any bytes: nothing outside of the packet is touched (the sanitizers look), and fragments and
 * other protocols are refused. */
static void other_packets_are_refused(void **state)
{
    struct packet *p = packet_new();
    unsigned len, completed = 0;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        make_segment(p, one_of(2), one_of(2), one_of(60), &len);
        for (unsigned n = one_of(4); n != 0; n--)
            p->bytes[12 + one_of(40)] = (uint8_t)rand();
        if (one_of(3) == 0)
            p->len = (uint16_t)one_of(p->len + 1u);
        completed += packet_complete(p);
    }
    assert_true(completed > 10000 && completed < 150000);
    make_segment(p, false, true, 10, &len);
    p->bytes[20] = 0x20;                /* more fragments */
    assert_false(packet_complete(p));
    make_segment(p, false, true, 10, &len);
    p->bytes[23] = 1;                   /* ICMP */
    assert_false(packet_complete(p));
    make_segment(p, false, true, 10, &len);
    p->bytes[17]++;                     /* longer than it is */
    assert_false(packet_complete(p));
    packet_put(p);
}

static int setup(void **state)
{
    (void)state;
    return packets_init(600) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    while (nr_chunks != 0)
        free(chunks[--nr_chunks]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_taken),
        cmocka_unit_test(unclear_slots_stop_the_rings),
        cmocka_unit_test(packets_are_given),
        cmocka_unit_test(packets_go_where_they_belong),
        cmocka_unit_test(floods_harm_their_own_port),
        cmocka_unit_test(sums_are_completed),
        cmocka_unit_test(other_packets_are_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
