/* The PV console ring of each guest: console_ring.c. */
#ifndef XEN_CONSOLE_RING_H
#define XEN_CONSOLE_RING_H

#include "xen/core/domain.h"

/* Binds the ring and its port; the port or errno. */
int console_attach(struct domain *d, mfn_t ring);
/* A domain that ended: its ring is empty, or can never be read. */
bool console_finished(struct domain *d);
void console_detach(struct domain *d);              /* after that */
/* Reads the guest's output; called when it sends, yields or blocks. */
void console_drain(struct domain *d);
/* Reads from every guest's ring, and shows prompts; true: there was something. */
bool console_poll(void);
bool console_busy(void); /* some ring is not empty, or bytes are still to be sent */
/* Puts c into its ring, unless that is full or its indices are invalid. */
void console_give(struct domain *d, char c);
bool console_has_room(const struct domain *d, unsigned n);      /* for n characters */

#endif
