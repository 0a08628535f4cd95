/* Messages of PCI functions as interrupts. */
#ifndef XEN_PCI_MSIX_H
#define XEN_PCI_MSIX_H

#include "xen/core/pci.h"

struct spinlock;

/* Configuration space, who may be bus master, and what interrupts are sent where. */
extern struct spinlock pci_lock;
/* An entry of the table, masked or not; its vector goes to the first CPU. pci_lock is held. */
void pci_msix_set(struct pci_function *f, unsigned entry, uint8_t vector, bool masked);
/* Switches MSI-X on, with all entries masked before; or off. pci_lock is held. */
void pci_msix_enable(struct pci_function *f, bool on);

#endif
