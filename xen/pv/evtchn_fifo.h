/* FIFO event channels (evtchn_fifo.c): the switch from the bitmaps and back. Called by evtchn_op.c,
 * and by evtchn.c when a domain's event channels end. */
#ifndef XEN_EVTCHN_FIFO_H
#define XEN_EVTCHN_FIFO_H

#include "xen/core/domain.h"

struct evtchn;

/* A sender has set a bit in the bitmaps, and sees that the domain went over to FIFO meanwhile. */
void fifo_set_pending_again(struct vcpu *v, struct evtchn *e, evtchn_port_t port);
int fifo_init_control(struct domain *d, struct evtchn_init_control *op);
int fifo_expand_array(struct domain *d, mfn_t mfn);
/* Back to the bitmaps. Every port is closed before. */
void fifo_destroy(struct domain *d);

#endif
