/* Packets: frames of Ethernet in the driver domain's own memory, on their way from one port of the
 * switch to others. A large one is TCP that has still to be cut into frames (gso.c), by the driver,
 * a network card or nobody: another guest may take it as it is. */
#ifndef DRIVER_PACKET_H
#define DRIVER_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#define PACKET_MAX 1518u                /* a frame without its check sequence, with a VLAN's tag */
#define PACKET_MIN 14u                  /* its header */
#define PACKET_LARGE_MAX 65535u
#define VIRTIO_NET_HEADER 12u
#define PACKET_ROOM 1536u

enum gso { GSO_NONE, GSO_TCPV4, GSO_TCPV6 };    /* the numbers of public/io/netif.h */

/* Two of them fill a page, and the room crosses none. */
struct packet {
    struct packet *next;                /* in the list of free ones */
    uint8_t *bytes;                     /* the room, or whole pages of a large one */
    /* Another packet, part of which follows these bytes: they are the headers of a frame cut from
     * it. A reference. */
    struct packet *rest;
    uint16_t refs;                      /* queues and devices that have it */
    uint16_t len;
    /* The sum of TCP or UDP is that of the pseudo header only: a guest leaves the rest to whom it
     * sends to. */
    bool csum_blank;
    bool csum_good;                     /* the network card has compared it */
    bool large;
    uint8_t gso;                        /* enum gso */
    /* With gso: bytes of TCP's data in each frame; where the headers of IP and TCP are, and where
     * they end. */
    uint16_t gso_size, ip, tcp, headers;
    uint8_t pad[512 - 40 - VIRTIO_NET_HEADER];
    uint8_t virtio_header[VIRTIO_NET_HEADER];
    uint8_t room[PACKET_ROOM];
};
_Static_assert(sizeof(struct packet) == 2048, "two in a page");

/* n more of them, from memory that a device can reach; false: no memory. */
bool packets_init(unsigned n);
bool packets_init_large(unsigned n);
struct packet *packet_new(void);        /* one reference; NULL: all are in use */
struct packet *packet_new_for(unsigned len);    /* a large one, if it has to be */
void packet_get(struct packet *p);
void packet_put(struct packet *p);
unsigned packets_free(void);            /* of both kinds */
unsigned packets_used(void);

/* checksum.c: completes the sum of a packet whose csum_blank is set. False: it is no TCP or UDP
 * that we understand, and must not be sent on. */
bool packet_complete(struct packet *p);

#endif
