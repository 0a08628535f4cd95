/* TCP that is longer than a frame, and the frames that it becomes (gso.c). */
#ifndef DRIVER_GSO_H
#define DRIVER_GSO_H

#include <stdbool.h>
#include "packet.h"

#define HEADERS_MAX 256u                /* of Ethernet, IP and TCP, with all options */

/* A frame: the headers, and where its data is in the packet. */
struct segment {
    unsigned headers, at, len;
};

/* Checks a packet whose gso and gso_size a guest or a card gave, and notes where its headers are.
 * False: it must not be sent on. */
bool gso_judge(struct packet *p);
/* How many frames it becomes. */
unsigned gso_frames(const struct packet *p);
/* The nth frame: its headers are written to `headers`, HEADERS_MAX bytes, with the sum of TCP's
 * pseudo header. */
struct segment gso_frame(const struct packet *p, unsigned n, uint8_t *headers);
/* Completes the sum of TCP in these headers. */
void gso_complete(const struct packet *p, const struct segment *s, uint8_t *headers);

#endif
