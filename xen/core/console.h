/* The machine's console: output of the hypervisor and of guests. */
#ifndef XEN_CONSOLE_H
#define XEN_CONSOLE_H

#include "xen/core/console_line.h"
#include "xen/core/domain.h"

#define CONSOLE_PUMP_NS 100000ull       /* the longest time that one call spends on sending */
/* Bytes that are read from a guest's ring at once: see TX_CHUNK_MOST. */
#define CONSOLE_CHUNK 64u

/* Prints complete lines of the hypervisor; an unfinished line of a guest is ended first. An NMI
 * handler may call it while this CPU holds the console's lock: the lines are then printed when the
 * lock is released. */
void console_put(const char *s, size_t len);
/* Before much output: waits until half of the transmit ring is free, as long as the transmitter
 * accepts bytes. */
void console_make_room(void);
/* Sends all that waits. From here until console_go_on each print waits until it was sent: at boot,
 * before anything else runs, and at the end. console_panic also stops taking the lock. */
void console_wait(void);
void console_go_on(void);
void console_panic(void);
/* Sends what the transmitter accepts without waiting, for at most ns. True: some bytes were
 * sent. */
bool console_pump(uint64_t ns);

/* All of d's earlier output was sent, and there is room for a chunk. */
bool console_may_write(const struct domain *d);
/* Adds to d's line, filtered and prefixed "(dN) "; or, for the ring of the raw guest, writes the
 * bytes unchanged. The caller holds d->line_lock, for this and the next. */
void guest_console_write(struct domain *d, enum console_way way, const char *s, size_t len);
/* Shows what is held back of d's line; whole: and ends it. */
void console_show_line(struct domain *d, struct console_line *l, bool whole);
/* Shows and ends d's lines, which get no more text. */
void console_end_lines(struct domain *d);
/* Gives d the terminal in raw mode; NULL: none has it. */
void console_set_raw(struct domain *d);
/* unfiltered, but \r before \n; under the console's lock */
void console_raw(const char *s, size_t len);

#endif
