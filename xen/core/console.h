/* The console: the hypervisor's own lines, console_io, and the PV console ring of each guest, drained by us. */
#ifndef XEN_CONSOLE_H
#define XEN_CONSOLE_H

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

/* console_terminal.c: the terminal while a guest has it; under the console's lock */
void terminal_begin(void);
void terminal_write(const char *s, size_t len);     /* of that guest */
void terminal_interrupt(void);                      /* somebody else's line begins */
void terminal_end(void);                            /* it is everybody's again */
bool console_wants_raw(void);                       /* by console_raw= some guest has the terminal, or would */
/* By console_raw=. input: the guest that got what was typed last, or NULL. Nobody has it while the keys are ours. */
void console_choose_raw(struct domain *input, bool keys_are_ours);

/* console_ring.c */
int console_attach(struct domain *d, mfn_t ring);   /* binds the ring and its port; the port or errno */
bool console_finished(struct domain *d);            /* ended: its last words are taken, or can never be */
void console_detach(struct domain *d);              /* after that */
void console_drain(struct domain *d);               /* takes of the guest's output; on send, yield and block */
bool console_poll(void);                            /* of every guest; shows prompts; true: anything moved */
bool console_busy(void);                            /* something waits to be taken or sent */
void console_give(struct domain *d, char c);        /* into its ring; a full or senseless one takes nothing */
bool console_has_room(const struct domain *d, unsigned n);      /* for n characters */

/* input.c */
void console_input_start(void);                     /* from now on a timer calls console_input */
bool console_input(void);                           /* the line's bytes to whom they are for; true: more may come soon */
void console_poll_soon(void);                       /* the timer comes when the transmitter may take more */
void console_input_offer(struct domain *d);         /* the first guest with a console gets what is typed */
void console_input_withdraw(struct domain *d);      /* d can take no more: another gets it */

#endif
