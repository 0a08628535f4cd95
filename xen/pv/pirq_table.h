/* The interrupts of devices that domains own: pirq_table.c. */
#ifndef XEN_PIRQ_TABLE_H
#define XEN_PIRQ_TABLE_H

#include "arch/arch.h"
#include "xen/core/pci.h"

#define NR_DEVICE_VECTORS (DEVICE_VECTORS_END - DEVICE_VECTORS)

/* Invariants; what lies here changes under pci_lock
 *   I1  a struct pirq belongs to one domain, under one number, with one port at most
 *   I2  a message has its struct's vector; its MSI-X entry is unmasked exactly while it has a port
 *   I3  a pin may have several domains' structs: it has the vector of the first of them, and is
 *       unmasked exactly while one has a port and none owes the end of an interrupt
 *   I4  `port` changes under the domain's evtchn lock too; the handler has pci_lock only to find
 *       the domain, and looks again under the evtchn lock */
struct pirq {
    struct domain *owner;               /* NULL: this one is free */
    struct pci_function *function;      /* whose message it is; NULL: it comes by a pin */
    unsigned entry;                     /* of its MSI-X table */
    unsigned line;                      /* of the pin */
    unsigned number;
    evtchn_port_t port;                 /* 0: not bound */
    bool shares;                        /* it was bound as one that may be shared */
    bool owes;                          /* its pin's interrupt came, and PHYSDEVOP_eoi did not */
};
extern struct pirq pirqs[NR_DEVICE_VECTORS];

struct pirq *pirq_find(const struct domain *d, unsigned number);
struct pirq *pirq_find_message(const struct pci_function *f, unsigned entry);
struct pirq *pirq_find_free(void);      /* NULL: all vectors are used */
/* The next one behind p that comes by this line's pin; p NULL: the first. NULL: there is none. */
struct pirq *pirq_next_on(const struct pirq *p, unsigned line);

/* I2, I3: sets the device or the pin by what the struct has now. */
void pirq_update(const struct pirq *p);
void pirq_free(struct pirq *p);         /* its interrupt is off, and it is free */

/* At a domain's end: none of its functions interrupts any more. */
void pirqs_release(struct domain *d);
/* An interrupt of a device came. */
void pirq_fired(unsigned vector);

#endif
