/* Segments of TCP and UDP with blank sums, and a plain model of the Internet checksum. */
#ifndef DRIVER_SEGMENT_FIXTURE_H
#define DRIVER_SEGMENT_FIXTURE_H

#include "driver_packets_fixture.h"

static inline uint32_t add_bytes(const uint8_t *at, unsigned len, uint32_t sum)
{
    for (unsigned i = 0; i < len; i++)
        sum += i & 1 ? at[i] : (uint32_t)at[i] << 8;
    return sum;
}

static inline uint16_t fold_sum(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* A packet of TCP or UDP with a blank sum, over IPv4 or IPv6; returns where the segment begins. */
static inline unsigned make_segment(struct packet *p, bool v6, bool tcp, unsigned payload,
                                    unsigned *len)
{
    unsigned header = tcp ? 20 : 8, at = 14 + (v6 ? 40 : 24), field = at + (tcp ? 16 : 6);
    uint32_t pseudo;

    *len = header + payload;
    memset(p->bytes, 0, at);
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
    pseudo = fold_sum(pseudo + (tcp ? 6 : 17) + *len);
    p->bytes[field] = (uint8_t)(pseudo >> 8);
    p->bytes[field + 1] = (uint8_t)pseudo;
    p->csum_blank = true;
    return at;
}

/* The same with TCP's header in order: no options. Returns where its data begins. */
static inline unsigned make_large(struct packet *p, bool v6, unsigned payload, unsigned size)
{
    unsigned len, at = make_segment(p, v6, true, payload, &len);

    p->bytes[at + 12] = 0x50;
    p->gso = v6 ? GSO_TCPV6 : GSO_TCPV4;
    p->gso_size = (uint16_t)size;
    return at + 20;
}

#endif
