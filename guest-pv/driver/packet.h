/* Packets: frames of Ethernet in the driver domain's own memory, on their way from one port of the
 * switch to others. */
#ifndef DRIVER_PACKET_H
#define DRIVER_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#define PACKET_MAX 1518u                /* a frame without its check sequence, with a VLAN's tag */
#define PACKET_MIN 14u                  /* its header */
#define VIRTIO_NET_HEADER 12u

/* Two of them fill a page, and none crosses one. */
struct packet {
    struct packet *next;                /* in the list of free ones */
    uint16_t refs;                      /* queues and devices that have it */
    uint16_t len;
    /* The sum of TCP or UDP is that of the pseudo header only: a guest leaves the rest to whom it
     * sends to. */
    bool csum_blank;
    uint8_t unused[3];
    uint8_t pad[512 - 16 - VIRTIO_NET_HEADER];
    uint8_t virtio_header[VIRTIO_NET_HEADER];
    uint8_t bytes[1536];
};
_Static_assert(sizeof(struct packet) == 2048, "two in a page");

/* n of them, from memory that a device can reach; false: no memory. */
bool packets_init(unsigned n);
struct packet *packet_new(void);        /* one reference; NULL: all are in use */
void packet_get(struct packet *p);
void packet_put(struct packet *p);
unsigned packets_free(void);

/* checksum.c: completes the sum of a packet whose csum_blank is set. False: it is no TCP or UDP
 * that we understand, and must not be sent on. */
bool packet_complete(struct packet *p);

#endif
