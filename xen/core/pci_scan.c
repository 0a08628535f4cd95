/* Finds the PCI functions that domains may own: modern virtio disks and network cards. Of buses,
 * bridges and BARs everything stays as the firmware has set it up. A function is left out, with a
 * line, if its registers do not have pages of their own. What its capabilities say is read by
 * pci_caps.c. Called once, by pci.c. */
#include "arch/arch.h"
#include "xen/core/frame.h"
#include "xen/core/log.h"
#include "xen/core/pci_caps.h"
#include "xen/core/pci_regs.h"
#include "xen/core/pci_scan.h"

#define VENDOR_VIRTIO 0x1af4u
#define MAX_BRIDGES 32u
/* IOAPIC, HPET, local APIC and messages. */
#define APIC_FIRST (0xfec00000u >> PAGE_SHIFT)
#define APIC_END (0xfef00000u >> PAGE_SHIFT)

static struct pci_function *functions;  /* those found, of PCI_FUNCTIONS */
static unsigned nr_functions;

/* --- Registers -------------------------------------------------------------------------------- */

static bool is_virtio(uint16_t vendor, uint16_t device)
{
    return vendor == VENDOR_VIRTIO &&
           (device == 0x1000 || device == 0x1001 || device == 0x1041 || device == 0x1042);
}

/* The size of a BAR: its bits that can be written, found while the function decodes nothing. */
static uint64_t bar_size(uint16_t at, unsigned reg, bool wide)
{
    uint32_t low = arch_pci_read(at, reg), high = wide ? arch_pci_read(at, reg + 4) : 0;
    uint64_t mask;

    arch_pci_write(at, reg, ~0u);
    mask = arch_pci_read(at, reg) & ~0xfu;
    arch_pci_write(at, reg, low);
    if (wide) {
        arch_pci_write(at, reg + 4, ~0u);
        mask |= (uint64_t)arch_pci_read(at, reg + 4) << 32;
        arch_pci_write(at, reg + 4, high);
    } else {
        mask |= ~0ull << 32;
    }
    return mask & ~0xfull ? ~mask + 1 : 0;
}

/* Where the hypervisor or a guest has RAM, or the interrupt controllers are, no device's registers
 * can be. */
static bool is_free_of_ram(mfn_t first, mfn_t end)
{
    if (first < APIC_END && end > APIC_FIRST)
        return false;
    for (mfn_t m = first; m < end && mfn_valid(m); m++)
        if (!is_no_ram(mfn_to_frame(m)))
            return false;
    return true;
}

static bool overlaps(const struct pci_function *f, mfn_t first, mfn_t end)
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (f->bar[i].first < end && f->bar[i].end > first)
            return true;
    return false;
}

static bool is_free_of_others(const struct pci_function *f, mfn_t first, mfn_t end)
{
    for (unsigned i = 0; i < nr_functions; i++)
        if (overlaps(&functions[i], first, end))
            return false;
    return !overlaps(f, first, end);
}

/* NULL, or what is wrong with it. Ports of I/O BARs are never given: guests have no ports. */
static const char *find_bar(struct pci_function *f, unsigned *index)
{
    unsigned i = *index, reg = PCI_BAR0 + 4 * i;
    uint32_t low = arch_pci_read(f->address, reg);
    bool wide = (low & 6) == 4 && i + 1 < PCI_BARS;
    uint64_t base, size;
    mfn_t first, end;

    if (low & 1)
        return NULL;
    base = (low & ~0xfu) | (wide ? (uint64_t)arch_pci_read(f->address, reg + 4) << 32 : 0);
    size = bar_size(f->address, reg, wide);
    *index += wide;
    if (size == 0 || base == 0)
        return NULL;
    if ((base | size) & ~PAGE_MASK)
        return "its registers share a page with others";
    if (base + size < base || base + size > 1ull << arch_paddr_bits())
        return "its registers lie beyond the addresses of this CPU";
    first = base >> PAGE_SHIFT;
    end = (base + size) >> PAGE_SHIFT;
    if (!is_free_of_ram(first, end))
        return "its registers lie over RAM or interrupt controllers";
    if (!is_free_of_others(f, first, end))
        return "its registers lie over those of another function";
    f->bar[i].first = first;
    f->bar[i].end = end;
    f->bar[i].wide = wide;
    return NULL;
}

/* With a problem it decodes nothing any more: what it has might be in the way of another one. */
static const char *find_bars(struct pci_function *f)
{
    uint32_t command = arch_pci_read(f->address, PCI_COMMAND) & 0xffff;
    const char *problem = NULL;

    arch_pci_write(f->address, PCI_COMMAND, command & ~(PCI_IO | PCI_MEMORY | PCI_MASTER));
    for (unsigned i = 0; i < PCI_BARS && problem == NULL; i++)
        problem = find_bar(f, &i);
    if (problem == NULL)
        arch_pci_write(f->address, PCI_COMMAND, (command & ~(PCI_IO | PCI_MASTER)) | PCI_MEMORY);
    return problem;
}

static void find_line(struct pci_function *f)
{
    uint32_t interrupt = arch_pci_read(f->address, PCI_INTERRUPT);

    f->line = (uint8_t)interrupt;
    f->has_line = (interrupt >> 8 & 0xff) != 0 && f->line != 0 && f->line != 0xff;
}

/* --- Functions -------------------------------------------------------------------------------- */

static void add(uint16_t at, uint32_t id, uint8_t class)
{
    struct pci_function *f = &functions[nr_functions];
    const char *problem;

    if (nr_functions == PCI_FUNCTIONS) {
        log_warning("PCI " PCI_FORMAT ": there is room for %u functions: left out",
                    PCI_PARTS(at), PCI_FUNCTIONS);
        return;
    }
    *f = (struct pci_function){ .address = at, .vendor = (uint16_t)id,
                                .device = (uint16_t)(id >> 16), .class = class };
    find_line(f);
    problem = find_bars(f);
    if (problem == NULL)
        pci_find_capabilities(f);
    if (problem == NULL && f->reset_at == 0)
        problem = "it is no modern virtio device";
    if (problem != NULL) {
        log_warning("PCI " PCI_FORMAT " [%04x:%04x] is not used: %s", PCI_PARTS(at), f->vendor,
                    f->device, problem);
        return;
    }
    log_debug("PCI " PCI_FORMAT " [%04x:%04x], %u MSI-X entries", PCI_PARTS(at), f->vendor,
              f->device, f->nr_entries);
    nr_functions++;
}

static bool is_bridge(uint16_t at)
{
    return (arch_pci_read(at, PCI_HEADER) >> 16 & 0x7f) == 1;
}

/* Bridges stay masters, for the functions behind them. */
static void find_function(uint16_t at)
{
    uint32_t id = arch_pci_read(at, PCI_ID);
    uint8_t class = (uint8_t)(arch_pci_read(at, PCI_CLASS) >> 24);
    uint32_t command;

    if (is_bridge(at))
        return;
    if (class == PCI_CLASS_STORAGE || class == PCI_CLASS_NETWORK ||
        (uint16_t)id == VENDOR_VIRTIO) {
        command = arch_pci_read(at, PCI_COMMAND) & 0xffff;
        arch_pci_write(at, PCI_COMMAND, command & ~PCI_MASTER);
    }
    if (is_virtio((uint16_t)id, (uint16_t)(id >> 16)))
        add(at, id, class);
}

/* --- Overlaps --------------------------------------------------------------------------------- */

static void leave_out(unsigned i)
{
    uint16_t at = functions[i].address;

    log_warning("PCI " PCI_FORMAT " is not used: its registers lie over those of another function",
                PCI_PARTS(at));
    nr_functions--;
    for (; i < nr_functions; i++)
        functions[i] = functions[i + 1];
}

/* A BAR of another function, whose size is not known: it is not switched off to be measured. */
static void check_address(uint16_t at, uint64_t base)
{
    for (unsigned i = 0; i < nr_functions; i++)
        if (functions[i].address != at &&
            overlaps(&functions[i], base >> PAGE_SHIFT, (base >> PAGE_SHIFT) + 1)) {
            leave_out(i);
            return;
        }
}

static void check_overlaps(uint16_t at)
{
    unsigned n = is_bridge(at) ? 2 : PCI_BARS;

    if (!(arch_pci_read(at, PCI_COMMAND) & PCI_MEMORY))
        return;
    for (unsigned i = 0; i < n; i++) {
        uint32_t low = arch_pci_read(at, PCI_BAR0 + 4 * i);
        uint64_t base = low & ~0xfu;

        if (low & 1)
            continue;
        if ((low & 6) == 4 && ++i < n)
            base |= (uint64_t)arch_pci_read(at, PCI_BAR0 + 4 * i) << 32;
        if (base != 0)
            check_address(at, base);
    }
}

/* --- Buses ------------------------------------------------------------------------------------ */

struct buses {
    unsigned nr;
    uint8_t bus[MAX_BRIDGES];
};

/* The bus behind a bridge, unless it is there: a bridge may say anything. */
static void add_bus(struct buses *b, uint16_t bridge)
{
    uint8_t bus = (uint8_t)(arch_pci_read(bridge, PCI_BUSES) >> 8);

    for (unsigned i = 0; i < b->nr; i++)
        if (b->bus[i] == bus)
            return;
    if (b->nr < MAX_BRIDGES)
        b->bus[b->nr++] = bus;
}

static void for_each_on(uint8_t bus, struct buses *b, void (*fn)(uint16_t at))
{
    for (unsigned device = 0; device < 32; device++) {
        uint16_t at = (uint16_t)(bus << 8 | device << 3);
        unsigned n = arch_pci_read(at, PCI_HEADER) >> 16 & 0x80 ? 8 : 1;

        if ((uint16_t)arch_pci_read(at, PCI_ID) == 0xffff)
            continue;
        for (unsigned i = 0; i < n; i++, at++) {
            if ((uint16_t)arch_pci_read(at, PCI_ID) == 0xffff)
                continue;
            if (is_bridge(at))
                add_bus(b, at);
            fn(at);
        }
    }
}

static void for_each_function(void (*fn)(uint16_t at))
{
    struct buses b = { .nr = 1 };

    for (unsigned i = 0; i < b.nr; i++)
        for_each_on(b.bus[i], &b, fn);
}

unsigned pci_scan(struct pci_function found[PCI_FUNCTIONS])
{
    functions = found;
    nr_functions = 0;
    for_each_function(find_function);
    for_each_function(check_overlaps);
    return nr_functions;
}
