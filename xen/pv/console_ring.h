/* The PV console ring of each guest, drained by us. */
#ifndef XEN_CONSOLE_RING_H
#define XEN_CONSOLE_RING_H

#include "xen/core/domain.h"

/* binds the ring and its port; the port or errno */
int console_attach(struct domain *d, mfn_t ring);
/* ended: its last words are taken, or can never be */
bool console_finished(struct domain *d);
void console_detach(struct domain *d);              /* after that */
/* takes of the guest's output; on send, yield and block */
void console_drain(struct domain *d);
/* of every guest; shows prompts; true: anything moved */
bool console_poll(void);
bool console_busy(void);                            /* something waits to be taken or sent */
/* into its ring; a full or senseless one takes nothing */
void console_give(struct domain *d, char c);
bool console_has_room(const struct domain *d, unsigned n);      /* for n characters */

#endif
