/* Capabilities of a PCI function. */
#ifndef XEN_PCI_CAPS_H
#define XEN_PCI_CAPS_H

#include "xen/core/pci.h"

/* Fills in what is known from them: of MSI-X, and reset_at. The BARs are known. */
void pci_find_capabilities(struct pci_function *f);

#endif
