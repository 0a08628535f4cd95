/* Generic segmentation offload: a guest sends TCP in packets of up to 64 KiB, once for all their
 * headers. Here such a packet is judged, and cut into frames for a receiver that takes frames only.
 * Called by net_tx.c, net_rx.c and virtio_net.c. */
#include <string.h>
#include "gso.h"
#include "headers.h"

#define MIN_SIZE 32u                    /* of a frame's data: bounds the work of a packet */
#define FIN 1u
#define PSH 8u
#define CWR 128u

bool gso_judge(struct packet *p)
{
    struct headers h;
    unsigned header;

    if (!p->csum_blank || p->gso_size < MIN_SIZE || !packet_headers(p, &h) ||
        h.proto != PROTO_TCP || p->gso != (h.v6 ? GSO_TCPV6 : GSO_TCPV4) || h.end != p->len ||
        h.end - h.at < TCP_HEADER)
        return false;
    header = (p->bytes[h.at + 12] >> 4) * 4u;
    if (header < TCP_HEADER || h.at + header > HEADERS_MAX ||
        h.at + header + p->gso_size > h.end)
        return false;
    p->ip = (uint16_t)h.ip;
    p->tcp = (uint16_t)h.at;
    p->headers = (uint16_t)(h.at + header);
    return true;
}

unsigned gso_frames(const struct packet *p)
{
    return ((unsigned)p->len - p->headers + p->gso_size - 1) / p->gso_size;
}

/* The length, and in IPv4 the identification and the header's own sum. */
static void write_ip(const struct packet *p, unsigned n, unsigned bytes, uint8_t *ip)
{
    if (p->gso == GSO_TCPV6) {
        put_be16(ip + 4, bytes - 40);
        return;
    }
    put_be16(ip + 2, bytes);
    put_be16(ip + 4, get_be16(ip + 4) + n);
    put_sum(ip + 10, 0);
    put_sum(ip + 10, (uint16_t)~fold(sum_bytes(ip, (ip[0] & 15u) * 4, 0)));
}

/* The sequence number; what ends a stream stands in the last frame, CWR in the first. */
static void write_tcp(unsigned n, unsigned before, bool last, uint8_t *tcp)
{
    uint32_t sequence = (uint32_t)get_be16(tcp + 4) << 16 | get_be16(tcp + 6);

    sequence += before;
    put_be16(tcp + 4, sequence >> 16);
    put_be16(tcp + 6, sequence);
    if (!last)
        tcp[13] &= (uint8_t)~(FIN | PSH);
    if (n != 0)
        tcp[13] &= (uint8_t)~CWR;
}

struct segment gso_frame(const struct packet *p, unsigned n, uint8_t *headers)
{
    struct segment s = { .headers = p->headers, .at = p->headers + n * p->gso_size };
    bool last = s.at + p->gso_size >= p->len;

    s.len = last ? p->len - s.at : p->gso_size;
    memcpy(headers, p->bytes, p->headers);
    write_ip(p, n, s.headers + s.len - p->ip, headers + p->ip);
    write_tcp(n, n * p->gso_size, last, headers + p->tcp);
    put_sum(headers + p->tcp + TCP_SUM,
            fold(sum_pseudo(headers + p->ip, p->gso == GSO_TCPV6, PROTO_TCP,
                            s.headers + s.len - p->tcp)));
    return s;
}

void gso_complete(const struct packet *p, const struct segment *s, uint8_t *headers)
{
    uint64_t sum = sum_bytes(headers + p->tcp, s->headers - p->tcp, 0);

    put_sum(headers + p->tcp + TCP_SUM,
            (uint16_t)~fold(sum_bytes(p->bytes + s->at, s->len, sum)));
}
