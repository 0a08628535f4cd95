/* The Internet checksum (RFC 1071) of TCP and UDP over IPv4 and IPv6, for guests that leave it to
 * the device. The sum does not depend on the order of bytes, as long as it is stored in the order
 * in which the words were read. */
#include <string.h>
#include "headers.h"

/* Eight bytes at a time, with the carry added at once: most of what sending a packet costs. */
uint64_t sum_bytes(const uint8_t *at, unsigned len, uint64_t sum)
{
    uint64_t last = 0;

    for (; len >= 32; len -= 32, at += 32)
        __asm__("addq 0(%1), %0\n\t"
                "adcq 8(%1), %0\n\t"
                "adcq 16(%1), %0\n\t"
                "adcq 24(%1), %0\n\t"
                "adcq $0, %0"
                : "+r" (sum)
                : "r" (at), "m" (*(const uint8_t (*)[32])at)
                : "cc");
    for (; len >= 8; len -= 8, at += 8) {
        uint64_t word;

        memcpy(&word, at, sizeof(word));
        sum += word;
        sum += sum < word;
    }
    memcpy(&last, at, len);
    sum += last;
    return sum + (sum < last);
}

uint16_t fold(uint64_t sum)
{
    sum = (sum >> 32) + (uint32_t)sum;
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

uint64_t sum_pseudo(const uint8_t *ip, bool v6, unsigned proto, unsigned len)
{
    uint8_t words[4] = { 0, (uint8_t)proto, (uint8_t)(len >> 8), (uint8_t)len };

    return sum_bytes(v6 ? ip + 8 : ip + 12, v6 ? 32 : 8, sum_bytes(words, sizeof(words), 0));
}

void put_sum(uint8_t *field, uint16_t sum)
{
    memcpy(field, &sum, sizeof(sum));
}

/* The field holds the sum of the pseudo header, so the sum over all of it is what is wanted. */
bool packet_complete(struct packet *p)
{
    struct headers h;
    uint16_t sum;

    if (!packet_headers(p, &h) || (h.proto != PROTO_TCP && h.proto != PROTO_UDP) ||
        h.end - h.at < (h.proto == PROTO_TCP ? TCP_HEADER : 8u))
        return false;
    sum = (uint16_t)~fold(sum_bytes(p->bytes + h.at, h.end - h.at, 0));
    if (sum == 0 && h.proto == PROTO_UDP)
        sum = 0xffff;                   /* RFC 768: 0 says that there is none */
    put_sum(p->bytes + h.at + (h.proto == PROTO_TCP ? TCP_SUM : UDP_SUM), sum);
    p->csum_blank = false;
    return true;
}
