/* The driver domain is killed at any point while it serves the rings of a network device: its
 * successor answers each request that has no answer, exactly once and under its own id. A packet
 * may be lost or come twice, but no other one is sent, and into no other page is one put. */
#include <stdio.h>
#include "cmocka_main.h"
#include "driver_net_fixture.h"
#include "driver_killed_fixture.h"

#define FIRST_INDEX (NET_SLOTS - 5)     /* the slots wrap around */

static void attach_at_index(void)
{
    attach();
    FRONT_RING_ATTACH(&tx, (netif_tx_sring_t *)tx_page, FIRST_INDEX, PAGE);
    FRONT_RING_ATTACH(&rx, (netif_rx_sring_t *)rx_page, FIRST_INDEX, PAGE);
    tx.sring->req_prod = tx.sring->rsp_prod = FIRST_INDEX;
    rx.sring->req_prod = rx.sring->rsp_prod = FIRST_INDEX;
    net_ring_attach(&ring, tx_page, rx_page, GUEST, false);
    ring.gso[GSO_TCPV4] = true;
}

static void attach_again(void)
{
    net_ring_attach(&ring, tx_page, rx_page, GUEST, true);
}

static void show_answers(void)
{
    bool notify = false;

    net_ring_push(&ring, &notify, &notify);
}

/* --- The transmit ring ------------------------------------------------------------------------ */

/* Packets of so many parts and extras; with extras they are none that is sent, but answered. */
static const struct { unsigned parts, extras; } sent[] = {
    { 1, 0 }, { 3, 0 }, { 3, 1 }, { 2, 2 }, { 1, 0 }, { 1, 4 }, { 2, 0 },
};
#define NR_SENT (sizeof(sent) / sizeof(sent[0]))
#define TX_LEN(n) (100 * sent[n].parts + (n))

static bool is_extra[64];
static unsigned nr_tx;

static void push_extra(bool more)
{
    netif_extra_info_t e = { .type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD,
                             .flags = more ? XEN_NETIF_EXTRA_FLAG_MORE : 0 };
    netif_tx_request_t q = { .id = 0x7777 };

    memcpy(&q, &e, sizeof(e));
    is_extra[tx.req_prod_pvt - FIRST_INDEX] = true;
    push(q);
}

/* Packet n lies in page 10 + n, which is full of n. */
static void push_packet(unsigned n)
{
    for (unsigned i = 0; i < sent[n].parts; i++) {
        netif_tx_request_t q = {
            .id = (uint16_t)(300 + tx.req_prod_pvt - FIRST_INDEX), .gref = 10 + n,
            .offset = (uint16_t)(200 * i), .size = (uint16_t)(i == 0 ? TX_LEN(n) : 100),
            .flags = i + 1 < sent[n].parts ? NETTXF_more_data : 0,
        };

        if (i == 0 && sent[n].extras != 0)
            q.flags |= NETTXF_extra_info;
        push(q);
        for (unsigned e = sent[n].extras; i == 0 && e != 0; e--)
            push_extra(e != 1);
    }
    memset(pages[10 + n], (int)n, PAGE);
}

static void send_all(void)
{
    attach_at_index();
    memset(is_extra, 0, sizeof(is_extra));
    for (unsigned n = 0; n < NR_SENT; n++)
        push_packet(n);
    nr_tx = tx.req_prod_pvt - FIRST_INDEX;
    tx.sring->req_prod = tx.req_prod_pvt;
}

static void get_all(void)
{
    enum net_got got;
    struct packet *p;

    while ((got = net_ring_get(&ring, &p)) != NET_NONE) {
        if (got == NET_REFUSED)
            continue;
        assert_int_equal(got, NET_PACKET);
        assert_true(p->bytes[0] < NR_SENT && sent[p->bytes[0]].extras == 0);
        assert_int_equal(p->len, TX_LEN(p->bytes[0]));
        assert_int_equal(p->bytes[p->len - 1], p->bytes[0]);
        packet_put(p);
    }
    show_answers();
}

static void check_tx(void)
{
    assert_false(ring.stopped);
    assert_int_equal(tx.sring->rsp_prod, FIRST_INDEX + nr_tx);
    for (unsigned i = 0; i < nr_tx; i++) {
        const netif_tx_response_t *a = RING_GET_RESPONSE(&tx, FIRST_INDEX + i);

        if (!is_extra[i])
            assert_int_equal(a->id, 300 + i);
        assert_int_equal(a->status == NETIF_RSP_NULL, is_extra[i]);
        assert_true(a->status <= NETIF_RSP_NULL && a->status >= NETIF_RSP_ERROR);
    }
}

static void attach_and_get(void)
{
    attach_again();
    get_all();
}

static void killed_while_it_sends(void **state)
{
    static struct states first, second;

    (void)state;
    send_all();
    run_in_steps(&first, tx_page, get_all);
    check_tx();
    printf("# killed at %u points\n", first.n);
    assert_true(first.n > 2 * nr_tx);
    for (unsigned i = 0; i < first.n; i++) {
        memcpy(tx_page, first.page[i], PAGE);
        attach_and_get();
        check_tx();
    }
    for (unsigned i = 0; i < first.n; i += first.n / 4) {
        memcpy(tx_page, first.page[i], PAGE);
        run_in_steps(&second, tx_page, attach_and_get);
        for (unsigned k = 0; k < second.n; k++) {
            memcpy(tx_page, second.page[k], PAGE);
            attach_and_get();
            check_tx();
        }
    }
}

/* --- The receive ring ------------------------------------------------------------------------- */

#define NR_RX 24u
#define SMALL 77u                       /* bytes of what a successor gives */
#define RX_REF(i) (20 + (i) % 40)

static struct packet *given[6], *small;

/* As they are, in pages and with an extra, and in frames. */
static void make_packets(void)
{
    static const unsigned bytes[] = { 60, 6000, 5000, 9000, 6000, 100 };

    small = packet_new();
    small->len = SMALL;
    memset(small->bytes, 0x77, SMALL);
    for (unsigned i = 0; i < 6; i++) {
        given[i] = packet_new_for(bytes[i]);
        given[i]->len = (uint16_t)bytes[i];
        given[i]->gso = bytes[i] == 6000 ? GSO_TCPV4 : GSO_NONE;
        given[i]->gso_size = 1000;
    }
}

static void give_slots(void)
{
    attach_at_index();
    for (unsigned i = 0; i < NR_RX; i++) {
        netif_rx_request_t q = { .id = (uint16_t)(500 + i), .gref = RX_REF(i) };

        memcpy(RING_GET_REQUEST(&rx, rx.req_prod_pvt++), &q, sizeof(q));
    }
    rx.sring->req_prod = rx.req_prod_pvt;
}

static void give_packets(void)
{
    for (unsigned i = 0; i < 6; i++)
        net_ring_give(&ring, given[i]);
    show_answers();
}

static void give_small_ones(void)
{
    while (net_ring_give(&ring, small))
        ;
    show_answers();
}

static void check_rx(void)
{
    bool extra = false;

    assert_int_equal(rx.sring->rsp_prod, FIRST_INDEX + NR_RX);
    for (unsigned i = 0; i < NR_RX; i++) {
        const netif_rx_response_t *a = RING_GET_RESPONSE(&rx, FIRST_INDEX + i);

        if (!extra) {
            assert_int_equal(a->id, 500 + i);
            assert_true(a->status > 0 || a->flags == 0);
            assert_true(a->status != SMALL || pages[RX_REF(i)][0] == 0x77);
        }
        extra = !extra && (a->flags & NETRXF_extra_info);
    }
}

static void attach_and_give(void)
{
    attach_again();
    give_small_ones();
}

static void succeed_from(const uint8_t *page)
{
    memcpy(rx_page, page, PAGE);
    attach_and_give();
    check_rx();
}

static void killed_while_a_guest_receives(void **state)
{
    static struct states first, second;

    (void)state;
    make_packets();
    give_slots();
    run_in_steps(&first, rx_page, give_packets);
    assert_true(rx.sring->rsp_prod - FIRST_INDEX > 12);
    printf("# killed at %u points\n", first.n);
    for (unsigned i = 0; i < first.n; i++) {
        memset(pages, 0, sizeof(pages));
        succeed_from(first.page[i]);
    }
    for (unsigned i = 0; i < first.n; i += first.n / 4) {
        memcpy(rx_page, first.page[i], PAGE);
        memset(pages, 0, sizeof(pages));
        run_in_steps(&second, rx_page, attach_and_give);
        for (unsigned k = 0; k < second.n; k++)
            succeed_from(second.page[k]);
    }
    for (unsigned i = 0; i < 6; i++)
        packet_put(given[i]);
    packet_put(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_while_it_sends),
        cmocka_unit_test(killed_while_a_guest_receives),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
