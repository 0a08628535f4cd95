/* MSI-X (PCI 3.0, 6.8.2), which the hypervisor programs alone: a message is a write to memory, so
 * an owner that chose its address could write anywhere. Called by pci.c and pv/pirq.c. */
#include "arch/arch.h"
#include "xen/core/lock.h"
#include "xen/core/pci_msix.h"
#include "xen/core/pci_regs.h"

#define ENTRY_WORDS 4u
#define ENTRY_MASKED 1u

struct spinlock pci_lock = SPINLOCK(LOCK_PCI, 0);

/* The entry is masked while it changes; the device reads it when it sends. The caller holds
 * pci_lock. */
void pci_msix_set(struct pci_function *f, unsigned entry, uint8_t vector, bool masked)
{
    volatile uint32_t *e = f->entries + entry * ENTRY_WORDS;
    uint64_t address = arch_msi_address();

    e[3] = ENTRY_MASKED;
    e[0] = (uint32_t)address;
    e[1] = (uint32_t)(address >> 32);
    e[2] = vector;
    if (!masked)
        e[3] = 0;
}

void pci_msix_enable(struct pci_function *f, bool on)
{
    uint32_t head;

    if (f->msix == 0)
        return;
    head = arch_pci_read(f->address, f->msix) & ~(PCI_MSIX_ON | PCI_MSIX_ALL_MASKED);
    arch_pci_write(f->address, f->msix, head | PCI_MSIX_ALL_MASKED | (on ? PCI_MSIX_ON : 0));
    for (unsigned i = 0; i < f->nr_entries; i++)
        f->entries[i * ENTRY_WORDS + 3] = ENTRY_MASKED;
    arch_pci_write(f->address, f->msix, head | (on ? PCI_MSIX_ON : 0));
}
