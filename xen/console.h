/* The console: the hypervisor's own lines, console_io, and the PV console ring of each guest, drained by us. */
#ifndef XEN_CONSOLE_H
#define XEN_CONSOLE_H

#include "xen/domain.h"

/* Bytes of our own to the machine's console line, from the start of a line on: a guest's unfinished one is
 * ended first. */
void console_put(const char *s, size_t len);
void console_panic(void);                           /* from now on without locks: nobody else runs any more */
int console_attach(struct domain *d, mfn_t ring);   /* binds the ring and its port; the port or errno */
void console_detach(struct domain *d);              /* flushes what is left of a line */
void console_drain(struct domain *d);               /* takes all of the guest's output; on send, yield and timer */
void console_poll(void);                            /* drains every guest; shows unfinished lines that are prompts */
void console_give(struct domain *d, char c);        /* into its ring; a full or senseless one takes nothing */
bool console_has_room(const struct domain *d, unsigned n);      /* for n characters */
void console_raw(const char *s, size_t len);        /* to the line as it is; under the console's lock */
void guest_console_write(struct domain *d, const char *s, size_t len);  /* line-buffered, "(dN) " prefixed, filtered */
/* What is held back of d's line goes out; the line ends (whole) or stays open. */
void console_show_line(struct domain *d, struct console_line *l, bool whole);

/* input.c */
void console_input_start(void);                     /* from now on a timer calls console_input */
bool console_input(void);                           /* the line's bytes to whom they are for; true: more may come soon */
void console_input_offer(struct domain *d);         /* the first guest with a console gets what is typed */
void console_input_withdraw(struct domain *d);      /* d can take no more: another gets it */

#endif
