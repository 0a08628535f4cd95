/* Configuration space as the owner of a function sees it, through the ports 0xcf8 and 0xcfc (PCI
 * 3.0, 3.2.2.3.2). Called by cpu/ioport.c.
 *
 * The owner reads all of it, and writes two bits: bus mastering, if the function was reset, and
 * INTx disable. BARs stay where the firmware has put them; when all ones are written to one, the
 * usual way to learn its size, it shows the size until something else is written. Power states and
 * the like stay as they are; a vendor's window into its BARs (virtio 1.1, 4.1.4.7) must not become
 * a way around the page tables. */
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

/* The bit in f->sized of the BAR register that d has named; 0: no register of a memory BAR. */
static unsigned bar_bit(const struct domain *d, const struct pci_function *f)
{
    unsigned reg = d->pci_address & 0xfc, i = (reg - PCI_BAR0) / 4;

    if (reg < PCI_BAR0 || i >= PCI_BARS)
        return 0;
    return f->bar[i].first != f->bar[i].end || (i != 0 && f->bar[i - 1].wide) ? 1u << i : 0;
}

/* What the register shows after all ones were written to it. */
static uint32_t size_of_bar(const struct pci_function *f, unsigned reg)
{
    unsigned i = (reg - PCI_BAR0) / 4;
    bool upper = f->bar[i].first == f->bar[i].end;
    const mfn_t pages = upper ? f->bar[i - 1].end - f->bar[i - 1].first
                              : f->bar[i].end - f->bar[i].first;
    uint64_t mask = ~((pages << PAGE_SHIFT) - 1);

    return upper ? (uint32_t)(mask >> 32)
                 : (uint32_t)mask | (arch_pci_read(f->address, reg) & 0xf);
}

uint32_t pci_config_in(struct domain *d, unsigned offset, unsigned bytes)
{
    struct pci_function *f = addressed(d);
    uint32_t word;

    if (f == NULL || offset + bytes > 4)
        return ~0u;
    spin_lock(&pci_lock);
    word = f->sized & bar_bit(d, f) ? size_of_bar(f, d->pci_address & 0xfc)
                                    : arch_pci_read(f->address, d->pci_address & 0xfc);
    spin_unlock(&pci_lock);
    return word >> 8 * offset;
}

static void write_bar(struct domain *d, struct pci_function *f, bool all_ones)
{
    uint8_t bit = (uint8_t)bar_bit(d, f);

    spin_lock(&pci_lock);
    f->sized = (uint8_t)((f->sized & ~bit) | (all_ones ? bit : 0));
    spin_unlock(&pci_lock);
}

static void write_command(struct pci_function *f, unsigned offset, unsigned bytes, uint32_t value)
{
    uint32_t mask = (bytes == 4 ? ~0u : (1u << 8 * bytes) - 1) << 8 * offset & OWNERS_BITS, command;

    spin_lock(&pci_lock);
    if (!f->may_master)
        mask &= ~PCI_MASTER;
    command = arch_pci_read(f->address, PCI_COMMAND) & 0xffff;
    arch_pci_write(f->address, PCI_COMMAND, (command & ~mask) | (value << 8 * offset & mask));
    spin_unlock(&pci_lock);
}

void pci_config_out(struct domain *d, unsigned offset, unsigned bytes, uint32_t value)
{
    struct pci_function *f = addressed(d);

    if (f == NULL || offset + bytes > 4)
        return;
    if ((d->pci_address & 0xfc) == PCI_COMMAND)
        write_command(f, offset, bytes, value);
    else
        write_bar(d, f, bytes == 4 && value == ~0u);
}
