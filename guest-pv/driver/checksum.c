/* The Internet checksum (RFC 1071) of TCP and UDP over IPv4 and IPv6, for guests that leave it to
 * the device. Everything in the packet is the guest's: each step is bounded by its length. */
#include <stddef.h>
#include "packet.h"

#define ETHER_HEADER 14u
#define TYPE_IPV4 0x0800u
#define TYPE_IPV6 0x86ddu
#define TYPE_VLAN 0x8100u
#define PROTO_TCP 6u
#define PROTO_UDP 17u
#define MAX_EXTENSIONS 8u
#define FRAGMENT_BITS 0x3fffu           /* of IPv4: more fragments, and the offset */

struct segment {
    unsigned at, len;                   /* of TCP or UDP */
    unsigned proto;
};

static unsigned get16(const struct packet *p, unsigned at)
{
    return (unsigned)p->bytes[at] << 8 | p->bytes[at + 1];
}

static bool find_v4(const struct packet *p, unsigned at, struct segment *s)
{
    unsigned header, total;

    if (at + 20 > p->len || p->bytes[at] >> 4 != 4)
        return false;
    header = (p->bytes[at] & 15u) * 4;
    total = get16(p, at + 2);
    if (header < 20 || total < header || at + total > p->len ||
        (get16(p, at + 6) & FRAGMENT_BITS) != 0)
        return false;
    *s = (struct segment){ at + header, total - header, p->bytes[at + 9] };
    return true;
}

/* Extension headers that TCP and UDP may stand behind: hop by hop, routing, destination. */
static bool find_v6(const struct packet *p, unsigned at, struct segment *s)
{
    unsigned end, next;

    if (at + 40 > p->len || p->bytes[at] >> 4 != 6)
        return false;
    next = p->bytes[at + 6];
    end = at + 40 + get16(p, at + 4);
    at += 40;
    if (end > p->len)
        return false;
    for (unsigned i = 0; i < MAX_EXTENSIONS && (next == 0 || next == 43 || next == 60); i++) {
        if (at + 8 > end)
            return false;
        next = p->bytes[at];
        at += 8 * (p->bytes[at + 1] + 1u);
    }
    if (at > end)
        return false;
    *s = (struct segment){ at, end - at, next };
    return true;
}

static uint32_t add(const struct packet *p, unsigned at, unsigned len, uint32_t sum)
{
    for (unsigned i = 0; i + 1 < len; i += 2)
        sum += get16(p, at + i);
    if (len & 1)
        sum += (unsigned)p->bytes[at + len - 1] << 8;
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* The field holds the sum of the pseudo header, so the sum over all of it is what is wanted. */
bool packet_complete(struct packet *p)
{
    unsigned at = ETHER_HEADER, type, field;
    struct segment s;
    uint16_t sum;

    if (p->len < ETHER_HEADER + 4)
        return false;
    type = get16(p, 12);
    if (type == TYPE_VLAN) {
        type = get16(p, 16);
        at += 4;
    }
    if (!(type == TYPE_IPV4   ? find_v4(p, at, &s)
          : type == TYPE_IPV6 ? find_v6(p, at, &s)
                              : false))
        return false;
    if (s.proto != PROTO_TCP && s.proto != PROTO_UDP)
        return false;
    field = s.proto == PROTO_TCP ? 16 : 6;
    if (s.len < (s.proto == PROTO_TCP ? 20u : 8u))
        return false;
    sum = (uint16_t)~fold(add(p, s.at, s.len, 0));
    if (sum == 0 && s.proto == PROTO_UDP)
        sum = 0xffff;                   /* RFC 768: 0 says that there is none */
    p->bytes[s.at + field] = (uint8_t)(sum >> 8);
    p->bytes[s.at + field + 1] = (uint8_t)sum;
    p->csum_blank = false;
    return true;
}
