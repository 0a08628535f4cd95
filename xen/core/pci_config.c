/* Configuration space as the owner of a function sees it, through the ports 0xcf8 and 0xcfc (PCI
 * 3.0, 3.2.2.3.2). Called by cpu/ioport.c.
 *
 * The owner reads all of it, and writes two bits: bus mastering, if the function was reset, and
 * INTx disable. BARs stay where the firmware has put them; power states and the like stay as they
 * are; a vendor's window into its BARs (virtio 1.1, 4.1.4.7) must not become a way around the page
 * tables. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/lock.h"
#include "xen/core/pci.h"
#include "xen/core/pci_config.h"
#include "xen/core/pci_msix.h"
#include "xen/core/pci_regs.h"

#define ENABLE 0x80000000u
#define RESERVED 0x7f000003u            /* of 0xcf8 */
#define OWNERS_BITS (PCI_MASTER | PCI_NO_INTX)

/* The function that d's last write to 0xcf8 names; NULL: none of its own. */
static struct pci_function *addressed(struct domain *d)
{
    uint32_t address = d->pci_address;

    if (!(address & ENABLE) || (address & RESERVED & ~3u) != 0)
        return NULL;
    return pci_find(d, address >> 16 & 0xff, address >> 8 & 0xff);
}

uint32_t pci_config_in(struct domain *d, unsigned offset, unsigned bytes)
{
    struct pci_function *f = addressed(d);
    uint32_t word;

    if (f == NULL || offset + bytes > 4)
        return ~0u;
    spin_lock(&pci_lock);
    word = arch_pci_read(f->address, d->pci_address & 0xfc);
    spin_unlock(&pci_lock);
    return word >> 8 * offset;
}

void pci_config_out(struct domain *d, unsigned offset, unsigned bytes, uint32_t value)
{
    struct pci_function *f = addressed(d);
    uint32_t mask, command;

    if (f == NULL || (d->pci_address & 0xfc) != PCI_COMMAND || offset + bytes > 4)
        return;
    mask = (bytes == 4 ? ~0u : (1u << 8 * bytes) - 1) << 8 * offset & OWNERS_BITS;
    spin_lock(&pci_lock);
    if (!f->may_master)
        mask &= ~PCI_MASTER;
    command = arch_pci_read(f->address, PCI_COMMAND) & 0xffff;
    arch_pci_write(f->address, PCI_COMMAND, (command & ~mask) | (value << 8 * offset & mask));
    spin_unlock(&pci_lock);
}
