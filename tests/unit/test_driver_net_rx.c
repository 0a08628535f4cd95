/* The driver domain's network back end: what a guest receives. */
#include "cmocka_main.h"
#include "driver_net_fixture.h"
#include "driver_segment_fixture.h"
#include "guest-pv/driver/gso.h"

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

/* --- Large packets ---------------------------------------------------------------------------- */

/* Requests whose pages are 20, 21, ... */
static void give_slots(unsigned n)
{
    int wanted;

    for (unsigned i = 0; i < n; i++) {
        netif_rx_request_t q = { .id = (uint16_t)(500 + rx.req_prod_pvt),
                                 .gref = 20 + rx.req_prod_pvt % 40 };

        memcpy(RING_GET_REQUEST(&rx, rx.req_prod_pvt), &q, sizeof(q));
        rx.req_prod_pvt++;
    }
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&rx, wanted);
    (void)wanted;
}

static netif_rx_response_t slot(unsigned i)
{
    netif_rx_response_t a;
    bool n = false;

    net_ring_push(&ring, &n, &n);
    assert_true(i < rx.sring->rsp_prod);
    memcpy(&a, RING_GET_RESPONSE(&rx, i), sizeof(a));
    return a;
}

/* A guest that takes it: as many slots as it has pages, and one behind the first that says what it
 * is. */
static void a_large_packet_is_given_whole(void **state)
{
    struct packet *p = packet_new_for(PACKET_LARGE_MAX);
    netif_rx_response_t answer;
    netif_extra_info_t extra;
    unsigned at = 0;

    (void)state;
    attach();
    ring.gso[GSO_TCPV6] = true;
    make_large(p, true, 20000, 1440);
    assert_false(net_ring_give(&ring, p));
    assert_true(net_ring_wait(&ring, true, true));
    assert_int_equal(rx.sring->req_event, 6);
    give_slots(5);
    assert_false(net_ring_give(&ring, p));
    assert_true(net_ring_wait(&ring, true, true));
    give_slots(1);
    assert_false(net_ring_wait(&ring, true, true));
    assert_true(net_ring_wait(&ring, true, false));
    assert_true(net_ring_give(&ring, p));
    for (unsigned i = 0; i < 6; i++) {
        answer = slot(i);
        if (i == 1) {
            memcpy(&extra, &answer, sizeof(extra));
            assert_int_equal(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
            assert_int_equal(extra.flags, 0);
            assert_int_equal(extra.u.gso.type, XEN_NETIF_GSO_TYPE_TCPV6);
            assert_int_equal(extra.u.gso.size, 1440);
            assert_int_equal(extra.u.gso.pad, 0);
            assert_int_equal(extra.u.gso.features, 0);
            continue;
        }
        assert_int_equal(answer.id, 500 + i);
        assert_int_equal(answer.offset, 0);
        assert_int_equal(answer.flags, i == 0   ? NETRXF_csum_blank | NETRXF_data_validated |
                                                      NETRXF_extra_info | NETRXF_more_data
                                       : i < 5 ? NETRXF_more_data : 0);
        assert_memory_equal(pages[20 + i], p->bytes + at, (unsigned)answer.status);
        at += (unsigned)answer.status;
    }
    assert_int_equal(at, p->len);
    packet_put(p);
}

/* Another gets frames, and goes on where its room had ended. */
static void a_large_packet_is_given_in_frames(void **state)
{
    struct packet *p = packet_new_for(PACKET_LARGE_MAX);
    unsigned data, at;

    (void)state;
    attach();
    ring.gso[GSO_TCPV6] = true;
    at = data = make_large(p, false, 10000, 1448);
    assert_true(gso_judge(p));
    give_slots(2);
    assert_false(net_ring_give(&ring, p));
    assert_true(net_ring_wait(&ring, true, true));
    give_slots(6);
    assert_false(net_ring_wait(&ring, true, true));
    assert_true(net_ring_give(&ring, p));
    for (unsigned i = 0; i < 7; i++) {
        netif_rx_response_t answer = slot(i);
        unsigned len = (unsigned)answer.status - data;
        const uint8_t *frame = pages[20 + i], *tcp = frame + data - 20;
        uint32_t sum = add_bytes(frame + 26, 8, 6 + 20 + len);

        assert_int_equal(answer.id, 500 + i);
        assert_int_equal(len, i < 6 ? 1448 : 10000 - 6 * 1448);
        assert_int_equal(answer.flags, NETRXF_csum_blank | NETRXF_data_validated);
        assert_memory_equal(frame + data, p->bytes + at, len);
        /* the sum of the pseudo header, with this frame's length */
        assert_int_equal(tcp[16] << 8 | tcp[17], fold_sum(sum));
        at += len;
    }
    assert_int_equal(rx.sring->rsp_prod, 7);
    give_slots(6);                      /* the next one begins at its beginning: seven again */
    assert_true(net_ring_give(&ring, p));
    assert_int_equal(slot(7).status, data + 1448);
    assert_int_equal(slot(13).status, data + 10000 - 6 * 1448);
    packet_put(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_given),
        cmocka_unit_test(a_large_packet_is_given_whole),
        cmocka_unit_test(a_large_packet_is_given_in_frames),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
