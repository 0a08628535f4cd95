/* Finds the PCI functions that domains may own, gives them to a domain and takes them back. Of
 * buses, bridges and BARs everything stays as the firmware has set it up. Configuration space as
 * the owner sees it is in pci_config.c, MSI-X in pci_msix.c; which frames the owner may map is
 * decided here, by the list of BARs alone. Called by boot/, when a domain ends, and by pv/ for
 * page tables.
 *
 * A function can write to all memory once its bus mastering is on. So it is off for all disks and
 * network cards until the function has been reset, as the firmware may have left a queue in use in
 * memory that is now a guest's; and when the owner ends, its frames are not used again before a
 * reset is confirmed. If it never is, they are not used again at all. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/core/log.h"
#include "xen/core/pci.h"
#include "xen/core/pci_msix.h"
#include "xen/core/pci_regs.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/walk.h"

#define VENDOR_VIRTIO 0x1af4u
#define MAX_BRIDGES 32u
#define RESET_NS 1000000000ull
#define ASK_AGAIN_NS 1000000ull
/* IOAPIC, HPET, local APIC and messages. */
#define APIC_FIRST (0xfec00000u >> PAGE_SHIFT)
#define APIC_END (0xfef00000u >> PAGE_SHIFT)

void (*device_interrupt)(unsigned vector);
/* The idle vCPU has to look again whether a reset is confirmed. */
static void wake_idle(void *arg)
{
    (void)arg;
    sched_wake_idle();
}

static struct timer ask_again;
static struct pci_function functions[PCI_FUNCTIONS];
static unsigned nr_functions;

/* --- Finding ---------------------------------------------------------------------------------- */

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

/* NULL, or what is wrong with it. Ports of I/O BARs are never given: guests have no ports. */
static const char *find_bar(struct pci_function *f, unsigned *index)
{
    unsigned i = *index, reg = PCI_BAR0 + 4 * i;
    uint32_t low = arch_pci_read(f->address, reg);
    bool wide = (low & 6) == 4 && i + 1 < PCI_BARS;
    uint64_t base, size;

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
    f->bar[i].first = base >> PAGE_SHIFT;
    f->bar[i].end = (base + size) >> PAGE_SHIFT;
    return is_free_of_ram(f->bar[i].first, f->bar[i].end)
               ? NULL : "its registers lie over RAM or interrupt controllers";
}

static const char *find_bars(struct pci_function *f)
{
    uint32_t command = arch_pci_read(f->address, PCI_COMMAND) & 0xffff;
    const char *problem = NULL;

    arch_pci_write(f->address, PCI_COMMAND, command & ~(PCI_IO | PCI_MEMORY | PCI_MASTER));
    for (unsigned i = 0; i < PCI_BARS && problem == NULL; i++)
        problem = find_bar(f, &i);
    arch_pci_write(f->address, PCI_COMMAND, (command & ~(PCI_IO | PCI_MASTER)) | PCI_MEMORY);
    return problem;
}

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

static void find_capabilities(struct pci_function *f)
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
    problem = find_bars(f);
    if (problem == NULL)
        find_capabilities(f);
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

/* Bridges stay masters, for the functions behind them. */
static void look_at_function(uint16_t at, unsigned *bridges, uint8_t bus[MAX_BRIDGES])
{
    uint32_t id = arch_pci_read(at, PCI_ID);
    uint8_t class = (uint8_t)(arch_pci_read(at, PCI_CLASS) >> 24);
    uint32_t command;

    if ((uint16_t)id == 0xffff)
        return;
    if ((arch_pci_read(at, PCI_HEADER) >> 16 & 0x7f) == 1) {
        if (*bridges < MAX_BRIDGES)
            bus[(*bridges)++] = (uint8_t)(arch_pci_read(at, PCI_BUSES) >> 8);
        return;
    }
    if (class == PCI_CLASS_STORAGE || class == PCI_CLASS_NETWORK ||
        (uint16_t)id == VENDOR_VIRTIO) {
        command = arch_pci_read(at, PCI_COMMAND) & 0xffff;
        arch_pci_write(at, PCI_COMMAND, command & ~PCI_MASTER);
    }
    if (is_virtio((uint16_t)id, (uint16_t)(id >> 16)))
        add(at, id, class);
}

static void look_at_bus(unsigned bus, unsigned *bridges, uint8_t buses[MAX_BRIDGES])
{
    for (unsigned device = 0; device < 32; device++) {
        uint16_t at = (uint16_t)(bus << 8 | device << 3);
        unsigned n = arch_pci_read(at, PCI_HEADER) >> 16 & 0x80 ? 8 : 1;

        if ((uint16_t)arch_pci_read(at, PCI_ID) == 0xffff)
            continue;
        for (unsigned i = 0; i < n; i++)
            look_at_function((uint16_t)(at | i), bridges, buses);
    }
}

void pci_init(void)
{
    uint8_t buses[MAX_BRIDGES] = { 0 };
    unsigned n = 1;

    nr_functions = 0;
    timer_init(&ask_again, wake_idle, NULL);
    for (unsigned i = 0; i < n; i++) {
        bool seen = false;

        for (unsigned j = 0; j < i; j++)
            seen |= buses[j] == buses[i];
        if (!seen)
            look_at_bus(buses[i], &n, buses);
    }
}

/* --- Owners ----------------------------------------------------------------------------------- */

static void forbid_master(struct pci_function *f)
{
    uint32_t command;

    spin_lock(&pci_lock);
    f->may_master = false;
    command = arch_pci_read(f->address, PCI_COMMAND) & 0xffff;
    arch_pci_write(f->address, PCI_COMMAND, command & ~PCI_MASTER);
    spin_unlock(&pci_lock);
}

/* Asks for it; a device that still has requests under way reads as not zero until they have ended
 * (virtio 1.1, 4.1.4.3.2). */
static bool reset(struct pci_function *f)
{
    forbid_master(f);
    *f->status = 0;
    return arch_device_read(f->status) == 0;
}

static bool reset_and_wait(struct pci_function *f)
{
    uint64_t start = now_ns();

    while (!reset(f))
        if (now_ns() - start > RESET_NS)
            return false;
    return true;
}

static bool map_registers(struct pci_function *f)
{
    if (f->status == NULL)
        f->status = arch_map_device(f->reset_at);
    if (f->msix != 0 && f->entries == NULL)
        f->entries = arch_map_device(f->table);
    return f->status != NULL && (f->msix == 0 || f->entries != NULL);
}

unsigned pci_give_all(struct domain *d)
{
    unsigned n = 0;

    for (unsigned i = 0; i < nr_functions; i++) {
        struct pci_function *f = &functions[i];

        if (f->owner != NULL)
            continue;
        if (!map_registers(f) || !reset_and_wait(f)) {
            log_warning("PCI " PCI_FORMAT " cannot be reset: it is not given to d%u",
                        PCI_PARTS(f->address), d->id);
            continue;
        }
        f->may_master = true;
        f->owner = d;
        n++;
    }
    return n;
}

bool pci_owns(const struct domain *d)
{
    for (unsigned i = 0; i < nr_functions; i++)
        if (functions[i].owner == d)
            return true;
    return false;
}

struct pci_function *pci_find(const struct domain *d, unsigned bus, unsigned devfn)
{
    for (unsigned i = 0; i < nr_functions; i++)
        if (functions[i].owner == d && functions[i].address == (bus << 8 | devfn))
            return &functions[i];
    return NULL;
}

static void give_up(struct pci_function *f)
{
    f->given_up = true;
    log_error("PCI " PCI_FORMAT " does not stop: the memory of d%u is not used any more",
              PCI_PARTS(f->address), f->owner->id);
}

/* Until the device has confirmed it, the idle vCPU asks again and again; after a time no more. Then
 * the domain stays as it is, with its frames, into which the device may write at any time. */
bool pci_may_end(struct domain *d)
{
    bool quiet = true;

    for (unsigned i = 0; i < nr_functions; i++) {
        struct pci_function *f = &functions[i];

        if (f->owner != d || reset(f))
            continue;
        quiet = false;
        if (f->reset_since == 0)
            f->reset_since = now_ns();
        if (now_ns() - f->reset_since < RESET_NS)
            timer_set(&ask_again, now_ns() + ASK_AGAIN_NS);
        else if (!f->given_up)
            give_up(f);
    }
    return quiet;
}

void pci_take_back(struct domain *d)
{
    spin_lock(&pci_lock);
    for (unsigned i = 0; i < nr_functions; i++)
        if (functions[i].owner == d) {
            pci_msix_enable(&functions[i], false);
            functions[i].owner = NULL;
            functions[i].reset_since = 0;
            functions[i].given_up = false;
        }
    spin_unlock(&pci_lock);
}

/* --- Frames of registers ---------------------------------------------------------------------- */

static bool may_map(const struct pci_function *f, mfn_t mfn)
{
    if (f->msix != 0 && (mfn == f->hidden[0] || mfn == f->hidden[1]))
        return false;
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (mfn >= f->bar[i].first && mfn < f->bar[i].end)
            return true;
    return false;
}

uint64_t pci_l1e(const struct domain *d, uint64_t l1e)
{
    /* Bit 7 of an L1 entry is PAT: another memory type. */
    if ((l1e & PTE_PS) || ((l1e & PTE_NX) && !arch_has_nx()))
        return 0;
    for (unsigned i = 0; i < nr_functions; i++)
        if (functions[i].owner == d && may_map(&functions[i], PTE_MFN(l1e)))
            return l1e | PTE_PCD | PTE_PWT | (arch_has_nx() ? PTE_NX : 0);
    return 0;
}
