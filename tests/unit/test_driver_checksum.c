/* The driver domain's checksums, against a plain model and against packets of any bytes. */
#include "cmocka_main.h"
#include "driver_segment_fixture.h"

static const struct driver_host host = { .alloc = alloc };
const struct driver_host *driver_host = &host;

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
        assert_int_equal(fold_sum(add_bytes(p->bytes + at, len, pseudo + (tcp ? 6 : 17) + len)),
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_completed),
        cmocka_unit_test(other_packets_are_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
