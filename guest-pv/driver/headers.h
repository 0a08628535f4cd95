/* Where the headers of a packet are (headers.c), and sums over parts of it (checksum.c). */
#ifndef DRIVER_HEADERS_H
#define DRIVER_HEADERS_H

#include <stdbool.h>
#include <stdint.h>
#include "packet.h"

#define PROTO_TCP 6u
#define PROTO_UDP 17u
#define TCP_HEADER 20u                  /* without options */
#define TCP_SUM 16u                     /* its place in the header */
#define UDP_SUM 6u

struct headers {
    unsigned ip, at, end;               /* of IP; of TCP or UDP, and where its data ends */
    unsigned proto;
    bool v6;
};

/* Of a packet of IPv4 or IPv6, no fragment. All that it says lies within the packet: at <= end <=
 * len. False: it is none, or is not understood. */
bool packet_headers(const struct packet *p, struct headers *h);

/* The sum of 16-bit words, in the machine's order of bytes, not folded. */
uint64_t sum_bytes(const uint8_t *at, unsigned len, uint64_t sum);
/* The same of the pseudo header of so many bytes of TCP or UDP. */
uint64_t sum_pseudo(const uint8_t *ip, bool v6, unsigned proto, unsigned len);
/* Stores it there, in the network's order. */
void put_sum(uint8_t *field, uint16_t sum);
uint16_t fold(uint64_t sum);

static inline unsigned get_be16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static inline void put_be16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

#endif
