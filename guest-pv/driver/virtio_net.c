/* Network cards. No offload is asked for: the machine's user networking has none, and then every
 * packet that comes is whole and every one that goes must be. Each buffer is a packet of the pool,
 * with the device's header before it. Called by main.c. */
#include <string.h>
#include "disk.h"
#include "switch.h"
#include "virtio_net.h"

#define F_MAC (1ull << 5)
#define RECEIVE 0u
#define TRANSMIT 1u
#define BUFFERS 128u                    /* for packets to come */
#define IN_FLIGHT 128u                  /* packets that the card has to send */
#define BUDGET 64u                      /* packets of one turn */

struct virtio_net {
    struct virtio device;
    struct vq receive, transmit;
    struct port *port;
    uint64_t received, sent, dropped;
};

static struct virtio_buffer buffer_of(const struct packet *p, unsigned bytes, bool written)
{
    return (struct virtio_buffer){ driver_host->address(p->virtio_header),
                                   VIRTIO_NET_HEADER + bytes, written };
}

static void give_buffers(struct virtio_net *n)
{
    struct packet *p;

    while (n->receive.size < BUFFERS + n->receive.nr_free && n->receive.nr_free != 0 &&
           (p = packet_new()) != NULL) {
        struct virtio_buffer b = buffer_of(p, sizeof(p->bytes), true);

        if (!vq_add(&n->receive, &b, 1, p)) {
            packet_put(p);
            break;
        }
    }
    vq_kick(&n->receive);
}

static bool receive(struct virtio_net *n, uint64_t seconds)
{
    struct packet *p;
    uint32_t bytes;
    unsigned i;

    for (i = 0; i < BUDGET && (p = vq_take(&n->receive, &bytes)) != NULL; i++) {
        if (bytes < VIRTIO_NET_HEADER + PACKET_MIN || bytes > VIRTIO_NET_HEADER + PACKET_MAX) {
            n->dropped++;
            packet_put(p);
            continue;
        }
        p->len = (uint16_t)(bytes - VIRTIO_NET_HEADER);
        n->received++;
        switch_forward(n->port, p, seconds);
    }
    return i != 0;
}

/* A packet whose sum cannot be completed is not sent: its receiver would drop it. */
static void send(struct virtio_net *n, struct packet *p)
{
    struct virtio_buffer b = buffer_of(p, p->len, false);

    if (p->csum_blank && !packet_complete(p)) {
        n->dropped++;
        return;
    }
    memset(p->virtio_header, 0, sizeof(p->virtio_header));
    packet_get(p);
    if (vq_add(&n->transmit, &b, 1, p))
        n->sent++;
    else
        packet_put(p);
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
    while (n->transmit.size < n->transmit.nr_free + IN_FLIGHT && n->transmit.nr_free != 0 &&
           (p = port_first(n->port)) != NULL) {
        send(n, p);
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
    if (!virtio_begin(&n->device, F_MAC | VIRTIO_F_EVENT_IDX))
        return NULL;
    *problem = "its queues cannot be set up";
    if (!vq_init(&n->device, &n->receive, RECEIVE, page, address, vector[0]) ||
        !vq_init(&n->device, &n->transmit, TRANSMIT, page + 3, address + 3, vector[1]))
        return NULL;
    n->port = switch_add(NULL, false);
    *problem = "there are too many ports";
    if (n->port == NULL)
        return NULL;
    virtio_ready(&n->device);
    give_buffers(n);
    vq_wait(&n->receive);
    vq_wait(&n->transmit);
    return n;
}
