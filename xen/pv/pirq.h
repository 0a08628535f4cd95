/* Interrupts of a domain's PCI functions, as event channels. */
#ifndef XEN_PIRQ_H
#define XEN_PIRQ_H

#include "xen/core/domain.h"

/* As Xen gives a domain: the 24 pins of one I/O APIC, and 32 for messages. */
#define NR_PIRQS 56u
#define FIRST_MSI_PIRQ 24u

/* Before a port is opened. -EPERM: not d's; -EINVAL: there cannot be such a number; -EEXIST: it has
 * a port. */
int pirq_may_bind(struct domain *d, unsigned pirq);
/* The port is this pirq's, and its interrupts are on. d->evtchn's lock is held. -EEXIST: it has one
 * by now; -EBUSY: another domain has its pin, and one of the two does not share it. */
int pirq_bind(struct domain *d, unsigned pirq, evtchn_port_t port, bool shares);
/* The port was closed: if it is still the pirq's, its interrupts are off. The lock is held. */
void pirq_unbind(struct domain *d, unsigned pirq, evtchn_port_t port);

#endif
