/* Large packets of TCP and the frames that they become: against a plain model of what a receiver
 * expects, and against packets of any bytes. */
#include "cmocka_main.h"
#include "driver_segment_fixture.h"
#include "guest-pv/driver/gso.h"

static const struct driver_host host = { .alloc = alloc };
const struct driver_host *driver_host = &host;

static uint32_t sequence(const uint8_t *tcp)
{
    return (uint32_t)tcp[4] << 24 | (uint32_t)tcp[5] << 16 | (uint32_t)tcp[6] << 8 | tcp[7];
}

/* The frame as it is on the wire. */
static unsigned build(const struct packet *p, unsigned n, uint8_t *frame)
{
    uint8_t headers[HEADERS_MAX];
    struct segment s = gso_frame(p, n, headers);

    assert_in_range(s.headers, 54, HEADERS_MAX);
    assert_in_range(s.len, 1, p->gso_size);
    assert_true(s.at + s.len <= p->len);
    gso_complete(p, &s, headers);
    memcpy(frame, headers, s.headers);
    memcpy(frame + s.headers, p->bytes + s.at, s.len);
    return s.headers + s.len;
}

/* What a receiver looks at: lengths, sums, addresses, and that the data is the next of the
 * stream. */
static void check_frame(const struct packet *p, unsigned ip, unsigned n, unsigned before,
                        const uint8_t *frame, unsigned len, bool last)
{
    bool v6 = p->gso == GSO_TCPV6;
    unsigned tcp = ip + (v6 ? 40 : 24), segment = len - tcp;
    uint32_t sum = add_bytes(frame + ip + (v6 ? 8 : 12), v6 ? 32 : 8, 6 + segment);

    assert_memory_equal(frame, p->bytes, ip);
    assert_memory_equal(frame + ip + (v6 ? 8 : 12), p->bytes + ip + (v6 ? 8 : 12), v6 ? 32 : 8);
    if (v6) {
        assert_int_equal(frame[ip + 4] << 8 | frame[ip + 5], segment);
    } else {
        assert_int_equal(frame[ip + 2] << 8 | frame[ip + 3], len - ip);
        assert_int_equal(fold_sum(add_bytes(frame + ip, 24, 0)), 0xffff);
        assert_int_equal((uint16_t)(frame[ip + 4] << 8 | frame[ip + 5]),
                         (uint16_t)((p->bytes[ip + 4] << 8 | p->bytes[ip + 5]) + n));
    }
    assert_int_equal(fold_sum(add_bytes(frame + tcp, segment, sum)), 0xffff);
    assert_int_equal(sequence(frame + tcp), sequence(p->bytes + tcp) + before);
    assert_int_equal(frame[tcp + 13], p->bytes[tcp + 13] & (last ? 0xff : 0xf6) &
                                          (n == 0 ? 0xff : 0x7f));
    assert_memory_equal(frame + tcp + 8, p->bytes + tcp + 8, 5);
}

/* With a VLAN's tag in every other packet. */
static unsigned add_tag(struct packet *p)
{
    static const uint8_t tag[] = { 0x81, 0, 0, 5 };

    if (one_of(2))
        return 14;
    memmove(p->bytes + 16, p->bytes + 12, p->len - 12u);
    memcpy(p->bytes + 12, tag, 4);
    p->len += 4;
    return 18;
}

static void frames_make_up_the_packet(void **state)
{
    static uint8_t frame[PACKET_LARGE_MAX];
    struct packet *p = packet_new_for(PACKET_LARGE_MAX);

    (void)state;
    srand(4);
    for (unsigned round = 0; round < 1500; round++) {
        unsigned data = make_large(p, one_of(2), 1500 + one_of(63900), 32 + one_of(1468));
        unsigned ip = add_tag(p), at = data + ip - 14, n = 0, done = 0;

        assert_true(gso_judge(p));
        for (; at + done < p->len; n++) {
            bool last = at + done + p->gso_size >= p->len;
            unsigned len = build(p, n, frame);

            assert_memory_equal(frame + at, p->bytes + at + done, len - at);
            check_frame(p, ip, n, done, frame, len, last);
            done += len - at;
            assert_true(last || len - at == p->gso_size);
        }
        assert_int_equal(n, gso_frames(p));
        assert_int_equal(at + done, p->len);
    }
    packet_put(p);
}

static void wrong_ones_are_refused(void **state)
{
    struct packet *p = packet_new_for(PACKET_LARGE_MAX);
    unsigned data;

    (void)state;
#define REFUSED(change)                               \
    data = make_large(p, false, 3000, 1448);          \
    assert_true(gso_judge(p));                        \
    change;                                           \
    assert_false(gso_judge(p))
    REFUSED(p->gso = GSO_TCPV6);
    REFUSED(p->gso_size = 0);
    REFUSED(p->gso_size = 31);
    REFUSED(p->gso_size = 3001);
    REFUSED(p->csum_blank = false);
    REFUSED(p->len--);
    REFUSED(p->len++);                  /* something behind TCP's data */
    REFUSED(p->bytes[23] = 17);         /* UDP */
    REFUSED(p->bytes[20] = 0x20);       /* a fragment */
    REFUSED(p->bytes[data - 8] = 0x40); /* a header shorter than one is */
    REFUSED(p->len = 60);
#undef REFUSED
    packet_put(p);
}

/* Any bytes in memory that ends where the packet does: the sanitizers see what goes beyond. */
static void hostile_ones_are_survived(void **state)
{
    static uint8_t frame[PACKET_LARGE_MAX + HEADERS_MAX];
    unsigned good = 0;

    (void)state;
    srand(6);
    for (unsigned round = 0; round < 60000; round++) {
        struct packet p = { .bytes = malloc(4096) };

        make_large(&p, one_of(2), 100 + one_of(1500), one_of(1600));
        for (unsigned n = one_of(4); n != 0; n--)
            p.bytes[12 + one_of(60)] = (uint8_t)rand();
        if (one_of(4) == 0)
            p.len = (uint16_t)one_of(p.len + 1u);
        p.gso = (uint8_t)(one_of(5) == 0 ? 1 + one_of(2) : p.gso);
        p.bytes = realloc(p.bytes, p.len != 0 ? p.len : 1u);
        if (gso_judge(&p)) {
            good++;
            assert_in_range(gso_frames(&p), 1, 2048);
            for (unsigned n = 0; n < gso_frames(&p); n++)
                build(&p, n, frame);
        }
        free(p.bytes);
    }
    assert_true(good > 5000 && good < 55000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_make_up_the_packet),
        cmocka_unit_test(wrong_ones_are_refused),
        cmocka_unit_test(hostile_ones_are_survived),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
