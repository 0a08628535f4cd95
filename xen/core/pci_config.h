/* Configuration space, as a guest sees it. */
#ifndef XEN_PCI_CONFIG_H
#define XEN_PCI_CONFIG_H

#include "common/compiler.h"

struct domain;

/* Bytes at an offset from port 0xcfc; all ones, and without effect, if d does not own the
 * function. */
uint32_t pci_config_in(struct domain *d, unsigned offset, unsigned bytes);
void pci_config_out(struct domain *d, unsigned offset, unsigned bytes, uint32_t value);

#endif
