/* The transmit ring of the machine's console line. All of it under the console's lock, but for the questions. */
#ifndef XEN_CONSOLE_TX_H
#define XEN_CONSOLE_TX_H

#include "common/compiler.h"

/* What guests may have in the ring together, and what a chunk of console_ring.c's may become on its way to the
 * terminal at worst: backspaces, prefixes, and the line that it ends. The rest of the ring is the hypervisor's. */
#define TX_BYTES 65536u
#define TX_GUESTS_MOST 16384u
#define TX_CHUNK_MOST 4096u

void tx_put(const char *s, size_t len);     /* as it is; what has no room is dropped, so ask first */
unsigned tx_room(void);
bool tx_empty(void);
uint64_t tx_position(void);                 /* of the next byte to be put, counted from the beginning */
bool tx_sent(uint64_t position);            /* everything before it is with the transmitter */

bool tx_pump(uint64_t ns);                  /* as much as the transmitter takes without waiting, for ns; true: some */
void tx_flush(unsigned room);               /* waits until there is that much room; gives up when nothing moves */
bool tx_stuck(void);                        /* nothing has moved for seconds, and there was something to move */

#endif
