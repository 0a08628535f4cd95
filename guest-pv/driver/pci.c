/* Finds the PCI functions that the hypervisor has given to this domain, by the ports of
 * configuration space, which it emulates; maps their registers; and has their messages delivered as
 * events (PHYSDEVOP_map_pirq, EVTCHNOP_bind_pirq). BARs, power and MSI-X are the hypervisor's.
 * Called by main.c. */
#include <string.h>
#include "console.h"
#include "hypercall.h"
#include "mm.h"
#include "pci.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc
#define VENDOR_VIRTIO 0x1af4u
enum { ID = 0, COMMAND = 4, HEADER = 0xc, BAR0 = 0x10, SUBSYSTEM = 0x2c, CAPABILITIES = 0x34 };
#define MASTER 4u
#define CAP_VENDOR 9u
/* The types of virtio's capabilities (virtio 1.1, 4.1.4). */
enum { COMMON = 1, NOTIFY = 2, ISR = 3, CONFIG = 4 };

static uint32_t config_read(uint16_t at, unsigned reg)
{
    uint32_t value;

    __asm__ volatile("outl %0, %1" : : "a"(0x80000000u | (uint32_t)at << 8 | (reg & 0xfc)),
                                       "Nd"((uint16_t)PORT_ADDRESS));
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"((uint16_t)PORT_DATA));
    return value;
}

static void config_write(uint16_t at, unsigned reg, uint32_t value)
{
    (void)config_read(at, reg);         /* sets the address */
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"((uint16_t)PORT_DATA));
}

void pci_may_master(const struct pci_device *p)
{
    config_write(p->address, COMMAND, (config_read(p->address, COMMAND) & 0xffff) | MASTER);
}

/* --- Registers -------------------------------------------------------------------------------- */

static uint64_t bar_address(uint16_t at, unsigned bar)
{
    uint32_t low = config_read(at, BAR0 + 4 * bar);
    uint64_t high = (low & 6) == 4 ? config_read(at, BAR0 + 4 * bar + 4) : 0;

    return low & 1 ? 0 : high << 32 | (low & ~0xfu);
}

/* Maps the pages that hold these bytes; NULL: the hypervisor refuses. */
static volatile uint8_t *map(uint64_t address, uint32_t bytes)
{
    uint64_t first = address >> PAGE_SHIFT, last = (address + bytes - 1) >> PAGE_SHIFT;
    char *va = va_alloc(last - first + 1);

    for (uint64_t i = 0; i <= last - first; i++)
        if (map_page(va + i * PAGE_SIZE,
                     make_pte(first + i, PTE_KERNEL | PTE_PCD | PTE_PWT | PTE_NX)) != 0)
            return NULL;
    return (volatile uint8_t *)va + (address & (PAGE_SIZE - 1));
}

/* The first capability of each type counts. */
static void take_capability(struct pci_device *p, unsigned cap)
{
    unsigned type = config_read(p->address, cap) >> 24,
             bar = config_read(p->address, cap + 4) & 0xff;
    uint32_t offset = config_read(p->address, cap + 8), bytes = config_read(p->address, cap + 12);
    volatile uint8_t **where = type == COMMON   ? &p->virtio.common
                               : type == NOTIFY ? &p->virtio.notify
                               : type == ISR    ? &p->virtio.isr
                               : type == CONFIG ? &p->virtio.config
                                                : NULL;
    uint64_t base = bar < 6 ? bar_address(p->address, bar) : 0;

    if (where == NULL || *where != NULL || base == 0 || bytes == 0 || bytes > 1u << 20)
        return;
    *where = map(base + offset, bytes);
    if (type == NOTIFY)
        p->virtio.notify_multiplier = config_read(p->address, cap + 16);
}

static bool map_registers(struct pci_device *p)
{
    unsigned cap = config_read(p->address, CAPABILITIES) & 0xfc;

    for (unsigned i = 0; cap >= 0x40 && i < 48; i++) {
        uint32_t head = config_read(p->address, cap);

        if ((head & 0xff) == CAP_VENDOR)
            take_capability(p, cap);
        cap = head >> 8 & 0xfc;
    }
    return p->virtio.common && p->virtio.notify && p->virtio.isr && p->virtio.config;
}

/* --- Finding ---------------------------------------------------------------------------------- */

/* A transitional device's number says nothing of its type; its subsystem does. */
static unsigned type_of(uint16_t at, uint32_t id)
{
    unsigned device = id >> 16;

    if ((id & 0xffff) != VENDOR_VIRTIO)
        return 0;
    return device >= 0x1040 ? device - 0x1040 : config_read(at, SUBSYSTEM) >> 16;
}

static void look_at(uint16_t at, void (*fn)(struct pci_device *p))
{
    uint32_t id = config_read(at, ID);
    struct pci_device p = { .address = at, .type = type_of(at, id) };

    if (id == ~0u)
        return;
    if ((p.type == VIRTIO_NET || p.type == VIRTIO_BLK) && map_registers(&p))
        fn(&p);
    else
        kprintf("driver: PCI %02x:%02x.%u: no modern virtio disk or network card\n", at >> 8,
                at >> 3 & 31, at & 7);
}

void pci_each(void (*fn)(struct pci_device *p))
{
    struct physdev_set_iopl iopl = { .iopl = 1 };

    xen_physdev_op(PHYSDEVOP_set_iopl, &iopl);
    /* Each look costs two traps: of the other buses, where bridges lead to one device each, the
     * first functions. */
    for (unsigned at = 0; at < 0x10000; at += at < 0x100 ? 1 : 8)
        look_at((uint16_t)at, fn);
}

/* --- Interrupts ------------------------------------------------------------------------------- */

bool pci_interrupt(const struct pci_device *p, unsigned entry, event_fn fn, void *arg)
{
    struct physdev_map_pirq m = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_MSI_SEG, .pirq = -1, .bus = p->address >> 8,
        .devfn = p->address & 0xff, .entry_nr = (int)entry,
    };
    struct evtchn_bind_pirq b = { 0 };
    long rc = xen_physdev_op(PHYSDEVOP_map_pirq, &m);

    if (rc == 0) {
        b.pirq = (uint32_t)m.pirq;
        rc = xen_event_channel_op(EVTCHNOP_bind_pirq, &b);
    }
    if (rc != 0) {
        kprintf("driver: PCI %02x:%02x.%u: interrupt %u: error %ld\n", p->address >> 8,
                p->address >> 3 & 31, p->address & 7, entry, rc);
        return false;
    }
    event_set_handler(b.port, fn, arg);
    event_unmask(b.port);
    return true;
}
