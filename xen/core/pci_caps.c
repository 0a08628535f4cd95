/* What a PCI function's capabilities say (PCI 3.0, 6.7): where its MSI-X table is, and virtio's
 * status, by which it is reset. A device may say anything: places outside of its BARs do not
 * count. Called by pci_scan.c. */
#include "arch/arch.h"
#include "xen/core/pci_caps.h"
#include "xen/core/pci_regs.h"

/* The machine address of an offset in a BAR; 0: not there. */
static uint64_t in_bar(const struct pci_function *f, unsigned bar, uint64_t offset, uint32_t bytes)
{
    uint64_t size;

    if (bar >= PCI_BARS || f->bar[bar].first == f->bar[bar].end)
        return 0;
    size = (f->bar[bar].end - f->bar[bar].first) << PAGE_SHIFT;
    if (bytes > size || offset > size - bytes)
        return 0;
    return (f->bar[bar].first << PAGE_SHIFT) + offset;
}

static void found_msix(struct pci_function *f, unsigned cap)
{
    uint32_t table = arch_pci_read(f->address, cap + 4), bits = arch_pci_read(f->address, cap + 8);
    unsigned n = (arch_pci_read(f->address, cap) >> 16 & 0x7ff) + 1;
    uint64_t at = in_bar(f, table & 7, table & ~7u, n * 16),
             pending = in_bar(f, bits & 7, bits & ~7u, (n + 63) / 64 * 8);

    if (at == 0 || pending == 0 || (at & ~PAGE_MASK) + n * 16 > PAGE_SIZE)
        return;                         /* then by its pin */
    f->msix = (uint8_t)cap;
    f->nr_entries = n < PCI_MSIX_ENTRIES ? n : PCI_MSIX_ENTRIES;
    f->table = at;
    f->hidden[0] = at >> PAGE_SHIFT;
    f->hidden[1] = pending >> PAGE_SHIFT;
}

/* virtio's common configuration: the first capability of that type (virtio 1.1, 4.1.4). */
static void found_vendor(struct pci_function *f, unsigned cap)
{
    uint32_t head = arch_pci_read(f->address, cap);
    unsigned bar = arch_pci_read(f->address, cap + 4) & 0xff;

    if (head >> 24 == VIRTIO_COMMON && f->reset_at == 0)
        f->reset_at = in_bar(f, bar, (uint64_t)arch_pci_read(f->address, cap + 8) + VIRTIO_STATUS,
                             1);
}

void pci_find_capabilities(struct pci_function *f)
{
    unsigned cap = arch_pci_read(f->address, PCI_CAPABILITIES) & 0xfc;

    if (!(arch_pci_read(f->address, PCI_COMMAND) >> 16 & PCI_HAS_CAPABILITIES))
        return;
    for (unsigned i = 0; cap >= 0x40 && i < 48; i++) {
        uint32_t head = arch_pci_read(f->address, cap);

        if ((head & 0xff) == PCI_CAP_MSIX && f->msix == 0)
            found_msix(f, cap);
        else if ((head & 0xff) == PCI_CAP_VENDOR)
            found_vendor(f, cap);
        cap = head >> 8 & 0xfc;
    }
}
