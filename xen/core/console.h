/* The machine's console: the hypervisor's own lines, and those of guests, whichever way they come. */
#ifndef XEN_CONSOLE_H
#define XEN_CONSOLE_H

#include "xen/core/console_line.h"
#include "xen/core/domain.h"

#define CONSOLE_PUMP_NS 100000ull       /* that one call sends, on whosever time it is */
#define CONSOLE_CHUNK 64u       /* bytes of a guest's that are taken at once: see TX_CHUNK_MOST */

/* Bytes of our own to the machine's console line, from the start of a line on: a guest's unfinished one is
 * ended first. May be called while the console's lock is held by what this CPU was doing: then they follow. */
void console_put(const char *s, size_t len);
void console_make_room(void);                       /* for much at once: waits, while something moves */
/* Until console_go_on, what is printed is sent before anything goes on, and what waits is sent now. So it is at
 * first, when nothing else runs, at the end, and in a panic, where locks do not count either. */
void console_wait(void);
void console_go_on(void);
void console_panic(void);
bool console_pump(uint64_t ns);                     /* sends what is taken at once, for so long; true: some was */

/* d has nothing in the transmit ring, and there is room for a chunk of it. */
bool console_may_write(const struct domain *d);
/* Line-buffered, "(dN) " prefixed, filtered; or, to the ring of the guest that has the terminal, as it is. */
void guest_console_write(struct domain *d, enum console_way way, const char *s, size_t len);
/* What is held back of d's line goes out; the line ends (whole) or stays open. */
void console_show_line(struct domain *d, struct console_line *l, bool whole);
void console_end_lines(struct domain *d);           /* nothing more comes of it */
void console_set_raw(struct domain *d);             /* it has the terminal; NULL: nobody */
void console_raw(const char *s, size_t len);        /* to the line as it is; under the console's lock */

#endif
