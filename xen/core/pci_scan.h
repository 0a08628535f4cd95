/* Finding the machine's PCI functions. */
#ifndef XEN_PCI_SCAN_H
#define XEN_PCI_SCAN_H

#include "xen/core/pci.h"

/* Fills in the functions that a domain may own, in the order of buses; turns bus mastering off for
 * them and for all disks and network cards. Returns how many there are. */
unsigned pci_scan(struct pci_function found[PCI_FUNCTIONS]);

#endif
