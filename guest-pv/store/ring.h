/* The rings between the guests and the store (ring.c), and the nodes that each guest finds at its
 * start (domains.c). Called by main.c, which reads the hypervisor's lines. */
#ifndef STORE_RING_H
#define STORE_RING_H

#include <stdbool.h>
#include <stdint.h>

/* ring.c: false, after a line in the log: the guest gets no store. */
bool ring_connect(uint16_t domid);
void ring_disconnect(uint16_t domid);
/* Moves bytes of all rings, at most one request of each guest. False: there was nothing to move. */
bool rings_serve(void);

/* domains.c */
void domain_introduce(uint16_t domid, const char *name, unsigned long kib, unsigned vcpus);
void domain_release(uint16_t domid);
void domain_shutdown(uint16_t domid, const char *how);
#endif
