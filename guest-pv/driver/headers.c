/* Finds TCP or UDP in a packet. Everything in the packet is the guest's: each step is bounded by
 * its length. Called by checksum.c and gso.c. */
#include "headers.h"

#define ETHER_HEADER 14u
#define ETHER_TYPE 12u
#define VLAN_TAG 4u
#define TYPE_IPV4 0x0800u
#define TYPE_IPV6 0x86ddu
#define TYPE_VLAN 0x8100u
#define MAX_EXTENSIONS 8u
#define FRAGMENT_BITS 0x3fffu           /* of IPv4: more fragments, and the offset */

static bool find_v4(const struct packet *p, struct headers *h)
{
    const uint8_t *ip = p->bytes + h->ip;
    unsigned header, total;

    if (h->ip + 20 > p->len || ip[0] >> 4 != 4)
        return false;
    header = (ip[0] & 15u) * 4;
    total = get_be16(ip + 2);
    if (header < 20 || total < header || h->ip + total > p->len ||
        (get_be16(ip + 6) & FRAGMENT_BITS) != 0)
        return false;
    h->at = h->ip + header;
    h->end = h->ip + total;
    h->proto = ip[9];
    return true;
}

/* Extension headers that TCP and UDP may stand behind: hop by hop, routing, destination. */
static bool find_v6(const struct packet *p, struct headers *h)
{
    unsigned at = h->ip + 40, next;

    if (at > p->len || p->bytes[h->ip] >> 4 != 6)
        return false;
    next = p->bytes[h->ip + 6];
    h->end = at + get_be16(p->bytes + h->ip + 4);
    if (h->end > p->len)
        return false;
    for (unsigned i = 0; i < MAX_EXTENSIONS && (next == 0 || next == 43 || next == 60); i++) {
        if (at + 8 > h->end)
            return false;
        next = p->bytes[at];
        at += 8 * (p->bytes[at + 1] + 1u);
    }
    if (at > h->end)
        return false;
    h->at = at;
    h->proto = next;
    return true;
}

bool packet_headers(const struct packet *p, struct headers *h)
{
    unsigned type;

    h->ip = ETHER_HEADER;
    if (p->len < ETHER_HEADER + VLAN_TAG)
        return false;
    type = get_be16(p->bytes + ETHER_TYPE);
    if (type == TYPE_VLAN) {
        type = get_be16(p->bytes + ETHER_TYPE + VLAN_TAG);
        h->ip += VLAN_TAG;
    }
    h->v6 = type == TYPE_IPV6;
    return type == TYPE_IPV4 ? find_v4(p, h) : h->v6 && find_v6(p, h);
}
