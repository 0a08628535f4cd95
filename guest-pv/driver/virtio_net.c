/* Network cards. Each buffer for what comes is a packet of the pool, with the device's header
 * before it. What the card can do is used: complete sums, cut large packets into frames and
 * merge frames; the machine's user networking can do nothing of it, and then every packet that
 * goes is made whole here. Called by main.c. */
#include <stddef.h>
#include <string.h>
#include "disk.h"
#include "gso.h"
#include "headers.h"
#include "switch.h"
#include "virtio_net.h"

#define F_CSUM (1ull << 0)
#define F_GUEST_CSUM (1ull << 1)
#define F_MAC (1ull << 5)
#define F_GUEST_TSO4 (1ull << 7)
#define F_GUEST_TSO6 (1ull << 8)
#define F_HOST_TSO4 (1ull << 11)
#define F_HOST_TSO6 (1ull << 12)
#define F_MRG_RXBUF (1ull << 15)
#define F_GUEST_TSO (F_GUEST_TSO4 | F_GUEST_TSO6)
#define F_SEND (F_CSUM | F_HOST_TSO4 | F_HOST_TSO6)
#define F_ALWAYS (F_MAC | VIRTIO_F_EVENT_IDX)

#define NEEDS_CSUM 1u
#define DATA_VALID 2u
#define ECN 0x80u
enum { TYPE_NONE = 0, TYPE_TCPV4 = 1, TYPE_TCPV6 = 4 };

#define RECEIVE 0u
#define TRANSMIT 1u
#define BUFFERS 128u                    /* for packets to come */
#define IN_FLIGHT 128u                  /* packets that the card has to send */
#define BUDGET 64u                      /* packets of one turn */
#define PAGE 4096u
#define MAX_PIECES 18u                  /* the header, and the pages of a packet */
#define FRAME_PIECES 3u                 /* the headers, and a frame's data */

/* Before each packet (5.1.6). */
struct net_header {
    uint8_t flags, gso_type;
    uint16_t header_len, gso_size, csum_start, csum_offset, nr_buffers;
};
_Static_assert(sizeof(struct net_header) == VIRTIO_NET_HEADER, "");

struct virtio_net {
    struct virtio device;
    struct vq receive, transmit;
    struct port *port;
    unsigned nr_sent;                   /* frames of the port's first packet */
    uint64_t received, sent, dropped;
};

static struct virtio_buffer buffer_of(const struct packet *p, unsigned bytes, bool written)
{
    return (struct virtio_buffer){ driver_host->address(p->virtio_header),
                                   VIRTIO_NET_HEADER + bytes, written };
}

/* --- Receiving -------------------------------------------------------------------------------- */

static void give_buffers(struct virtio_net *n)
{
    struct packet *p;

    while (n->receive.size < BUFFERS + n->receive.nr_free && n->receive.nr_free != 0 &&
           (p = packet_new()) != NULL) {
        struct virtio_buffer b = buffer_of(p, PACKET_ROOM, true);

        if (!vq_add(&n->receive, &b, 1, p)) {
            packet_put(p);
            break;
        }
    }
    vq_kick(&n->receive);
}

static bool append(struct packet *to, const uint8_t *bytes, unsigned n)
{
    if (to == NULL || to->len + n > PACKET_LARGE_MAX)
        return false;
    memcpy(to->bytes + to->len, bytes, n);
    to->len = (uint16_t)(to->len + n);
    return true;
}

/* The packet goes on in the next buffers, which have no header. All of them are used up, also if
 * nothing comes of it: NULL. */
static struct packet *merge(struct virtio_net *n, struct packet *first, unsigned nr_buffers)
{
    struct packet *whole = packet_new_for(PACKET_LARGE_MAX), *p;
    bool good = append(whole, first->bytes, first->len);
    uint32_t bytes;

    packet_put(first);
    for (unsigned i = 1; i < nr_buffers; i++) {
        p = vq_take(&n->receive, &bytes);
        good = p != NULL && good && append(whole, p->virtio_header, bytes);
        if (p == NULL)
            break;
        packet_put(p);
    }
    if (!good && whole != NULL)
        packet_put(whole);
    return good ? whole : NULL;
}

/* What the card says about the packet, as far as it was agreed. */
static bool set_offload(const struct virtio_net *n, const struct net_header *h, struct packet *p)
{
    static const struct { uint8_t gso; uint64_t feature; } types[] = {
        [TYPE_TCPV4] = { GSO_TCPV4, F_GUEST_TSO4 }, [TYPE_TCPV6] = { GSO_TCPV6, F_GUEST_TSO6 },
    };
    unsigned type = h->gso_type & ~ECN;

    if (n->device.features & F_GUEST_CSUM) {
        p->csum_blank = h->flags & NEEDS_CSUM;
        p->csum_good = h->flags & DATA_VALID;
    }
    if (type == TYPE_NONE)
        return p->len <= PACKET_MAX;
    if (type >= sizeof(types) / sizeof(types[0]) || !(n->device.features & types[type].feature))
        return false;
    p->gso = types[type].gso;
    p->gso_size = h->gso_size;
    return gso_judge(p);
}

/* The packet that begins in this buffer, of which so many bytes were written; NULL: dropped. */
static struct packet *receive_packet(struct virtio_net *n, struct packet *p, uint32_t bytes)
{
    struct net_header h;

    memcpy(&h, p->virtio_header, sizeof(h));
    if (bytes < VIRTIO_NET_HEADER + PACKET_MIN) {
        packet_put(p);
        return NULL;
    }
    p->len = (uint16_t)(bytes - VIRTIO_NET_HEADER);
    if ((n->device.features & F_MRG_RXBUF) && h.nr_buffers > 1)
        p = merge(n, p, h.nr_buffers);
    if (p != NULL && !set_offload(n, &h, p)) {
        packet_put(p);
        return NULL;
    }
    return p;
}

static bool receive(struct virtio_net *n, uint64_t seconds)
{
    struct packet *p;
    uint32_t bytes;
    unsigned i;

    for (i = 0; i < BUDGET && (p = vq_take(&n->receive, &bytes)) != NULL; i++) {
        p = receive_packet(n, p, bytes);
        if (p == NULL) {
            n->dropped++;
            continue;
        }
        n->received++;
        switch_forward(n->port, p, seconds);
    }
    return i != 0;
}

/* --- Sending ---------------------------------------------------------------------------------- */

enum sent { SENT, DROPPED, NO_ROOM };

static enum sent queue(struct virtio_net *n, const struct virtio_buffer *b, unsigned nr,
                       struct packet *p)
{
    if (vq_add(&n->transmit, b, nr, p)) {
        n->sent++;
        return SENT;
    }
    packet_put(p);
    return NO_ROOM;
}

/* Adds the bytes from `at` on, page by page. */
static unsigned add_pieces(struct virtio_buffer *b, unsigned nr, const uint8_t *at, unsigned len)
{
    while (len != 0) {
        unsigned bytes = PAGE - (uintptr_t)at % PAGE;

        if (bytes > len)
            bytes = len;
        b[nr++] = (struct virtio_buffer){ driver_host->address(at), bytes, false };
        at += bytes;
        len -= bytes;
    }
    return nr;
}

static bool is_for_card(const struct virtio_net *n, const struct packet *p)
{
    static const uint64_t feature[] = {
        [GSO_NONE] = F_CSUM, [GSO_TCPV4] = F_HOST_TSO4, [GSO_TCPV6] = F_HOST_TSO6,
    };

    return p->csum_blank && (n->device.features & feature[p->gso]) &&
           n->transmit.size >= MAX_PIECES;
}

static bool fill_header(const struct packet *p, uint8_t *at)
{
    struct net_header h = { .flags = NEEDS_CSUM };
    struct headers found;

    if (!packet_headers(p, &found) || (found.proto != PROTO_TCP && found.proto != PROTO_UDP))
        return false;
    h.csum_start = (uint16_t)found.at;
    h.csum_offset = found.proto == PROTO_TCP ? TCP_SUM : UDP_SUM;
    if (found.at + h.csum_offset + 2u > found.end)
        return false;
    if (p->gso != GSO_NONE) {
        h.gso_type = p->gso == GSO_TCPV4 ? TYPE_TCPV4 : TYPE_TCPV6;
        h.gso_size = p->gso_size;
        h.header_len = p->headers;
    }
    memcpy(at, &h, sizeof(h));
    return true;
}

/* The card does the rest. The header is a packet of its own: this one may be others', too. */
static enum sent send_to_card(struct virtio_net *n, struct packet *p)
{
    struct packet *header = packet_new();
    struct virtio_buffer b[MAX_PIECES];

    if (header == NULL)
        return NO_ROOM;
    if (!fill_header(p, header->virtio_header)) {
        packet_put(header);
        return DROPPED;
    }
    packet_get(p);
    header->rest = p;
    b[0] = buffer_of(header, 0, false);
    return queue(n, b, add_pieces(b, 1, p->bytes, p->len), header);
}

/* The next frame of a large packet: headers of its own, and its part of the data. */
static enum sent send_frame(struct virtio_net *n, struct packet *p)
{
    struct packet *header = packet_new();
    struct virtio_buffer b[FRAME_PIECES];
    struct segment s;

    if (header == NULL)
        return NO_ROOM;
    s = gso_frame(p, n->nr_sent, header->bytes);
    if (s.headers + s.len > PACKET_MAX) {
        packet_put(header);
        return DROPPED;
    }
    gso_complete(p, &s, header->bytes);
    memset(header->virtio_header, 0, VIRTIO_NET_HEADER);
    packet_get(p);
    header->rest = p;
    b[0] = buffer_of(header, s.headers, false);
    return queue(n, b, add_pieces(b, 1, p->bytes + s.at, s.len), header);
}

static enum sent send_frames(struct virtio_net *n, struct packet *p)
{
    unsigned frames = gso_frames(p);
    enum sent sent = SENT;

    while (n->nr_sent < frames && (sent = send_frame(n, p)) == SENT)
        n->nr_sent++;
    if (sent != NO_ROOM)
        n->nr_sent = 0;
    return sent;
}

/* A copy, if others have the packet, too. */
static struct packet *own(struct packet *p)
{
    struct packet *copy;

    if (p->refs == 1) {
        packet_get(p);
        return p;
    }
    copy = packet_new();
    if (copy == NULL)
        return NULL;
    memcpy(copy->bytes, p->bytes, p->len);
    copy->len = p->len;
    return copy;
}

/* A packet whose sum cannot be completed is not sent: its receiver would drop it. */
static enum sent send_whole(struct virtio_net *n, struct packet *p)
{
    struct virtio_buffer b;

    if (p->csum_blank) {
        p = own(p);
        if (p == NULL)
            return NO_ROOM;
        if (!packet_complete(p)) {
            packet_put(p);
            return DROPPED;
        }
    } else {
        packet_get(p);
    }
    memset(p->virtio_header, 0, sizeof(p->virtio_header));
    b = buffer_of(p, p->len, false);
    return queue(n, &b, 1, p);
}

static enum sent send(struct virtio_net *n, struct packet *p)
{
    return is_for_card(n, p)      ? send_to_card(n, p)
           : p->gso != GSO_NONE ? send_frames(n, p)
                                  : send_whole(n, p);
}

static bool has_room(const struct vq *q)
{
    return q->size < q->nr_free + IN_FLIGHT && q->nr_free != 0;
}

static bool transmit(struct virtio_net *n)
{
    struct packet *p;
    uint32_t bytes;
    bool moved = false;

    while ((p = vq_take(&n->transmit, &bytes)) != NULL) {
        packet_put(p);
        moved = true;
    }
    while (has_room(&n->transmit) && (p = port_first(n->port)) != NULL) {
        enum sent sent = send(n, p);

        if (sent == NO_ROOM)
            break;
        n->dropped += sent == DROPPED;
        port_drop_first(n->port);
        moved = true;
    }
    vq_kick(&n->transmit);
    return moved;
}

bool virtio_net_serve(struct virtio_net *n, uint64_t seconds)
{
    bool moved = receive(n, seconds);

    give_buffers(n);
    moved |= transmit(n);
    if (moved)
        return true;
    moved = !vq_wait(&n->receive);
    return !vq_wait(&n->transmit) || moved;
}

void virtio_net_counts(const struct virtio_net *n, uint64_t counts[3])
{
    counts[0] = n->received;
    counts[1] = n->sent;
    counts[2] = n->dropped + n->port->dropped;
}

/* --- Setting up ------------------------------------------------------------------------------- */

/* Large packets are received only in several buffers, for otherwise each had to have room for the
 * largest. */
static bool agree(struct virtio *v)
{
    uint64_t got;

    if (!virtio_begin(v, F_ALWAYS | F_SEND | F_GUEST_CSUM | F_GUEST_TSO | F_MRG_RXBUF))
        return false;
    got = v->features;
    if (!(got & F_GUEST_CSUM) || !(got & F_MRG_RXBUF))
        got &= ~F_GUEST_TSO;
    if (!(got & F_CSUM))
        got &= ~F_SEND;
    return got == v->features || virtio_begin(v, got);
}

struct virtio_net *virtio_net_new(const struct virtio *v, void *const page[6],
                                  const uint64_t address[6], const unsigned vector[2],
                                  const char **problem)
{
    struct virtio_net *n = driver_host->alloc(sizeof(*n));

    *problem = "no memory";
    if (n == NULL)
        return NULL;
    n->device = *v;
    *problem = "it does not agree on features";
    if (!agree(&n->device))
        return NULL;
    *problem = "its queues cannot be set up";
    if (!vq_init(&n->device, &n->receive, RECEIVE, page, address, vector[0]) ||
        !vq_init(&n->device, &n->transmit, TRANSMIT, page + 3, address + 3, vector[1]) ||
        n->transmit.size < FRAME_PIECES)
        return NULL;
    n->port = switch_add(NULL, false);
    *problem = "there are too many ports";
    if (n->port == NULL)
        return NULL;
    packets_init_large(PORT_LARGE);     /* without, guests share theirs with it */
    virtio_ready(&n->device);
    give_buffers(n);
    vq_wait(&n->receive);
    vq_wait(&n->transmit);
    return n;
}
