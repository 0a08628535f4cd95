/* What the files of suite "pci" share. */
#ifndef GUEST_PCI_H
#define GUEST_PCI_H

#include <stdbool.h>
#include <stdint.h>
#include "mm.h"

#define PCI_BARS 6u
/* Where PC firmware puts the registers of devices: the last 48 MiB below 4 GiB. The controllers of
 * interrupts are there, too. */
#define DEVICES_FIRST 0xfd000ul
#define DEVICES_END   0x100000ul

/* The function that this domain owns. */
struct owned {
    uint16_t address;                   /* bus, device, function */
    uint32_t id;
    mfn_t first[PCI_BARS], end[PCI_BARS];       /* frames of its memory BARs */
    unsigned msix;                      /* its capability; 0: none */
    /* the BAR of the MSI-X table, which has a page of its own */
    unsigned table_bar, nr_entries;
    uint64_t status_at;                 /* machine address of virtio's device_status */
};
extern struct owned owned;

/* Fills in `owned`; false: the domain has no function. */
bool pci_find_owned(void);
bool pci_may_map(mfn_t mfn);            /* a frame of its BARs, and not of the MSI-X table */

uint32_t pci_in(uint16_t port, unsigned bytes);
void pci_out(uint16_t port, unsigned bytes, uint32_t value);
uint32_t pci_read(uint16_t function, unsigned reg);
void pci_write(uint16_t function, unsigned reg, uint32_t value);
/* The answer of PHYSDEVOP_map_pirq: of a message, and of a line. */
long pci_map_message(uint16_t function, int entry, int *pirq);
long pci_map_line(int line);

#endif
