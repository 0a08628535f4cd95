/* The PV console ring of each guest, drained by us. */
#ifndef XEN_CONSOLE_RING_H
#define XEN_CONSOLE_RING_H

#include "xen/core/domain.h"

int console_attach(struct domain *d, mfn_t ring);   /* binds the ring and its port; the port or errno */
bool console_finished(struct domain *d);            /* ended: its last words are taken, or can never be */
void console_detach(struct domain *d);              /* after that */
void console_drain(struct domain *d);               /* takes of the guest's output; on send, yield and block */
bool console_poll(void);                            /* of every guest; shows prompts; true: anything moved */
bool console_busy(void);                            /* something waits to be taken or sent */
void console_give(struct domain *d, char c);        /* into its ring; a full or senseless one takes nothing */
bool console_has_room(const struct domain *d, unsigned n);      /* for n characters */

#endif
