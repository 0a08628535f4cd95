/* The driver domain's network back end: what a guest sends, random packets with an oracle and those
 * that make no sense. */
#include "cmocka_main.h"
#include "driver_net_fixture.h"
#include "driver_segment_fixture.h"

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
        struct packet *p;
        enum net_got got;

        show();
        got = net_ring_get(&ring, &p);
        assert_int_equal(got, good ? NET_PACKET : NET_REFUSED);
        if (good) {
            assert_int_equal(p->len, len);
            assert_memory_equal(p->bytes, expected, len);
            assert_true(p->csum_blank);
            packet_put(p);
        }
        *(good ? &taken : &refused) += 1;
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
    struct packet *p;
    netif_tx_request_t q = { .gref = 1, .size = 100, .flags = NETTXF_more_data };

    (void)state;
    attach();
    for (unsigned i = 0; i < 30; i++)   /* more parts than a packet has */
        push(q);
    show();
    assert_int_equal(net_ring_get(&ring, &p), NET_NONE);
    assert_true(ring.stopped);
    attach();
    push(q);                            /* the rest is missing */
    show();
    assert_int_equal(net_ring_get(&ring, &p), NET_NONE);
    assert_true(ring.stopped);
    attach();
    q.flags = NETTXF_extra_info;
    push(q);
    push((netif_tx_request_t){ .gref = 0 });    /* an extra of type 0 */
    show();
    assert_int_equal(net_ring_get(&ring, &p), NET_NONE);
    assert_true(ring.stopped);
    attach();
    tx.sring->req_prod = NET_SLOTS + 1;
    assert_int_equal(net_ring_get(&ring, &p), NET_NONE);
    assert_true(ring.stopped);
    attach();
    rx.sring->req_prod = NET_SLOTS + 1;
    assert_int_equal(net_rx_waiting(&ring), 0);
    assert_true(ring.stopped);
}

/* --- Large packets ---------------------------------------------------------------------------- */

enum wrong {
    NOTHING, KIND, TYPE, SIZE_ZERO, SIZE_SMALL, SIZE_LARGE, FEATURES, TWICE, SUM_DONE, SHORT, GRANT,
    NR_WRONG,
};

static void push_extra(const struct packet *p, enum wrong w)
{
    netif_extra_info_t e = { .type = XEN_NETIF_EXTRA_TYPE_GSO };
    netif_tx_request_t q = { 0 };

    e.u.gso.size = p->gso_size;
    e.u.gso.type = p->gso;
    if (w == KIND)
        e.type = (uint8_t)(XEN_NETIF_EXTRA_TYPE_MCAST_ADD + one_of(3));
    if (w == TYPE)
        e.u.gso.type = (uint8_t)(one_of(2) ? 3u - p->gso : 3 * one_of(60));
    if (w == SIZE_ZERO || w == SIZE_SMALL)
        e.u.gso.size = w == SIZE_ZERO ? 0 : (uint16_t)(1 + one_of(31));
    if (w == SIZE_LARGE)
        e.u.gso.size = p->len;
    if (w == FEATURES)
        e.u.gso.features = (uint16_t)(1u << one_of(16));
    for (unsigned i = 0; i < 1u + (w == TWICE); i++) {
        e.flags = w == TWICE && i == 0 ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
        memcpy(&q, &e, sizeof(e));
        push(q);
    }
}

/* Its bytes in pages that the guest grants, page i for part i; returns the slots. */
static unsigned push_large(const struct packet *p, enum wrong w)
{
    unsigned least = (p->len + PAGE - 1) / PAGE, n = least + one_of(19 - least), at = 0;
    netif_tx_request_t q = { 0 };

    if (n < 2)
        n = 2;
    for (unsigned i = 0; i < n; i++) {
        unsigned left = p->len - at, rest = (n - i - 1) * PAGE;
        unsigned from = left > rest ? left - rest : 1, to = left - (n - i - 1);

        if (i == 0 && from < 100)
            from = 100;
        if (to > PAGE)
            to = PAGE;
        q.size = (uint16_t)(from + one_of(to - from + 1));
        q.gref = w == GRANT && i == n - 1 ? PAGES : i;
        q.offset = (uint16_t)one_of(PAGE - q.size + 1);
        memcpy(pages[i] + q.offset, p->bytes + at, q.size);
        at += q.size;
        q.flags = i + 1 < n ? NETTXF_more_data : 0;
        if (i == 0) {
            q.flags |= (uint16_t)(NETTXF_extra_info | (w == SUM_DONE ? 0 : NETTXF_csum_blank));
            q.size = (uint16_t)(p->len - (w == SHORT));
        }
        push(q);
        if (i == 0)
            push_extra(p, w);
    }
    return n + 1 + (w == TWICE);
}

static void expect_answers(unsigned slots, bool good)
{
    for (unsigned i = 0; i < slots; i++) {
        int16_t status = next_answer().status;

        assert_true(status == (good ? NETIF_RSP_OKAY : NETIF_RSP_ERROR) ||
                    (i != 0 && status == NETIF_RSP_NULL));
    }
    assert_true(tx.rsp_cons == tx.sring->rsp_prod);
    assert_false(ring.stopped);
}

static void large_packets_are_taken(void **state)
{
    unsigned taken = 0, free_before = packets_free();

    (void)state;
    srand(8);
    attach();
    for (unsigned round = 0; round < 3000; round++) {
        enum wrong w = one_of(3) == 0 ? one_of(NR_WRONG) : NOTHING;
        struct packet *sent = packet_new_for(PACKET_LARGE_MAX), *got;
        unsigned slots;

        make_large(sent, one_of(2), 200 + one_of(65000), 32 + one_of(100));
        slots = push_large(sent, w);
        show();
        if (w == NOTHING) {
            assert_int_equal(net_ring_get(&ring, &got), NET_PACKET);
            assert_int_equal(got->len, sent->len);
            assert_memory_equal(got->bytes, sent->bytes, sent->len);
            assert_int_equal(got->gso, sent->gso);
            assert_int_equal(got->gso_size, sent->gso_size);
            packet_put(got);
            taken++;
        } else {
            assert_int_equal(net_ring_get(&ring, &got), NET_REFUSED);
        }
        packet_put(sent);
        expect_answers(slots, w == NOTHING);
    }
    assert_true(taken > 1500 && taken < 2500);
    assert_int_equal(packets_free(), free_before);
}

/* As long as there is no memory for it, a packet stays in the ring as if nobody had seen it. */
static void packets_wait_for_memory(void **state)
{
    struct packet *all[NR_LARGE], *got;
    unsigned slots;

    (void)state;
    attach();
    for (unsigned i = 0; i < NR_LARGE; i++)
        all[i] = packet_new_for(PACKET_LARGE_MAX);
    assert_null(packet_new_for(PACKET_LARGE_MAX));
    make_large(all[0], false, 30000, 1448);
    slots = push_large(all[0], NOTHING);
    show();
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(net_ring_get(&ring, &got), NET_NO_MEMORY);
    show();
    assert_int_equal(tx.sring->rsp_prod, 0);
    packet_put(all[NR_LARGE - 1]);
    assert_int_equal(net_ring_get(&ring, &got), NET_PACKET);
    assert_memory_equal(got->bytes, all[0]->bytes, all[0]->len);
    expect_answers(slots, true);
    assert_int_equal(net_ring_get(&ring, &all[NR_LARGE - 1]), NET_NONE);
    packet_put(got);
    for (unsigned i = 0; i < NR_LARGE - 1; i++)
        packet_put(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_taken),
        cmocka_unit_test(large_packets_are_taken),
        cmocka_unit_test(packets_wait_for_memory),
        cmocka_unit_test(unclear_slots_stop_the_rings),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
