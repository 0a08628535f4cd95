/* The transmit ring of the machine's console. Called under the console's lock; the functions that
 * return bool or a number and change nothing may be called without it. */
#ifndef XEN_CONSOLE_TX_H
#define XEN_CONSOLE_TX_H

#include "common/compiler.h"

/* Guests together may have TX_GUESTS_MOST bytes in the ring; the rest is for the hypervisor. A
 * chunk of CONSOLE_CHUNK bytes becomes at most TX_CHUNK_MOST bytes for the terminal: backspaces,
 * prefixes, and the held back line that it ends. */
#define TX_BYTES 65536u
#define TX_GUESTS_MOST 16384u
#define TX_CHUNK_MOST 4096u

/* unchanged; bytes without room are dropped: check tx_room first */
void tx_put(const char *s, size_t len);
unsigned tx_room(void);
bool tx_empty(void);
uint64_t tx_position(void);                 /* of the next byte to be put: bytes since boot */
bool tx_sent(uint64_t position);            /* the transmitter has accepted all bytes before it */

/* Sends as much as the transmitter accepts without waiting, for at most ns. True: some bytes. */
bool tx_pump(uint64_t ns);
/* Waits until all is sent; gives up when the transmitter accepts nothing for some seconds. */
void tx_flush(void);
bool tx_stuck(void);                        /* bytes wait, and for some seconds none was accepted */

#endif
