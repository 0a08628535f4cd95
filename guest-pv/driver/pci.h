/* The driver domain's PCI functions: finding them, their registers and interrupts. */
#ifndef DRIVER_PCI_H
#define DRIVER_PCI_H

#include <stdbool.h>
#include <stdint.h>
#include "event.h"
#include "virtio.h"

#define VIRTIO_NET 1u
#define VIRTIO_BLK 2u

struct pci_device {
    uint16_t address;                   /* bus, device, function */
    unsigned type;                      /* VIRTIO_* */
    struct virtio virtio;               /* registers mapped */
};

/* Calls fn for each virtio function that the hypervisor has given us, in bus order. */
void pci_each(void (*fn)(struct pci_device *p));
/* The entry of the function's MSI-X table interrupts: fn is called; without such a table, its pin
 * does, for all entries. False: it cannot. */
bool pci_interrupt(struct pci_device *p, unsigned entry, event_fn fn, void *arg);
void pci_may_master(const struct pci_device *p);

#endif
