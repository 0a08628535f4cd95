/* The driver domain's switch: where packets go, and what a guest cannot do to the others. */
#include "cmocka_main.h"
#include "driver_packets_fixture.h"
#include "guest-pv/driver/switch.h"

static const struct driver_host host = { .alloc = alloc };
const struct driver_host *driver_host = &host;

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

/* Nobody's queue keeps more of the large packets than its share of the pool. */
static void large_packets_have_a_share_each(void **state)
{
    static const uint8_t ma[] = { 0, 1, 2, 3, 4, 1 }, mb[] = { 0, 1, 2, 3, 4, 2 };
    unsigned free_before = packets_free();
    struct port *a = switch_add(ma, false), *b = switch_add(mb, false);

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        struct packet *p = packet_new_for(PACKET_LARGE_MAX);

        assert_non_null(p);
        memcpy(p->bytes, mb, MAC_BYTES);
        memcpy(p->bytes + MAC_BYTES, ma, MAC_BYTES);
        switch_forward(a, p, 0);
    }
    assert_int_equal(b->nr_queued, PORT_LARGE);
    assert_int_equal(b->dropped, 50 - PORT_LARGE);
    send(a, mb, ma, 0);
    assert_int_equal(b->nr_queued, PORT_LARGE + 1);
    port_drop_first(b);
    assert_int_equal(b->nr_large, PORT_LARGE - 1);
    switch_remove(a);
    switch_remove(b);
    assert_int_equal(packets_free(), free_before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_go_where_they_belong),
        cmocka_unit_test(floods_harm_their_own_port),
        cmocka_unit_test(large_packets_have_a_share_each),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
