/* Finds the PCI functions that the hypervisor has given to this domain, by the ports of
 * configuration space, which it emulates; maps their registers (virtio_parts.c says where they
 * are); and has their interrupts delivered as
 * events (PHYSDEVOP_map_pirq, EVTCHNOP_bind_pirq). BARs, power and MSI-X are the hypervisor's.
 * Called by main.c. */
#include <string.h>
#include "console.h"
#include "hypercall.h"
#include "mm.h"
#include "pci.h"
#include "virtio_parts.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc
#define VENDOR_VIRTIO 0x1af4u
enum { ID = 0, COMMAND = 4, BAR0 = 0x10, SUBSYSTEM = 0x2c, INTERRUPT = 0x3c };
#define MASTER 4u
#define MAX_LINES 4u
#define MAX_SHARERS 16u
#define MAX_PART (1u << 20)             /* bytes of registers that are mapped */

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

/* Its size is what it shows after all ones were written. */
static uint32_t size_mask(uint16_t at, unsigned reg)
{
    uint32_t before = config_read(at, reg), mask;

    config_write(at, reg, ~0u);
    mask = config_read(at, reg);
    config_write(at, reg, before);
    return mask;
}

/* Returns the number of its registers. A memory BAR only; no ports are ours. */
static unsigned find_bar(uint16_t at, unsigned i, struct bar *b)
{
    unsigned reg = BAR0 + 4 * i;
    uint32_t low = config_read(at, reg);
    bool wide = (low & 6) == 4 && i + 1 < PCI_BARS;
    uint64_t mask = ~0ull << 32;

    *b = (struct bar){ 0 };
    if (low & 1)
        return 1;
    if (wide)
        mask = (uint64_t)size_mask(at, reg + 4) << 32;
    mask |= size_mask(at, reg) & ~0xfu;
    b->address = (wide ? (uint64_t)config_read(at, reg + 4) << 32 : 0) | (low & ~0xfu);
    b->bytes = b->address != 0 ? ~mask + 1 : 0;
    return wide ? 2 : 1;
}

/* Maps the pages that hold these registers; NULL: the hypervisor refuses. */
static volatile uint8_t *map(const struct bar *part)
{
    uint64_t first = part->address >> PAGE_SHIFT,
             last = (part->address + part->bytes - 1) >> PAGE_SHIFT;
    char *va = va_alloc(last - first + 1);

    for (uint64_t i = 0; i <= last - first; i++)
        if (map_page(va + i * PAGE_SIZE,
                     make_pte(first + i, PTE_KERNEL | PTE_PCD | PTE_PWT | PTE_NX)) != 0)
            return NULL;
    return (volatile uint8_t *)va + (part->address & (PAGE_SIZE - 1));
}

static const char *map_registers(struct pci_device *p)
{
    struct virtio *v = &p->virtio;
    struct virtio_parts parts;
    struct bar bar[PCI_BARS] = { { 0 } };
    const char *problem;

    for (unsigned i = 0; i < PCI_BARS;)
        i += find_bar(p->address, i, &bar[i]);
    problem = virtio_find_parts(config_read, p->address, bar, &parts);
    if (problem != NULL)
        return problem;
    for (unsigned type = VIRTIO_COMMON; type < VIRTIO_PARTS; type++)
        if (parts.part[type].bytes > MAX_PART)
            return "a part of its registers is too long";
    v->common = map(&parts.part[VIRTIO_COMMON]);
    v->notify = map(&parts.part[VIRTIO_NOTIFY]);
    v->isr = map(&parts.part[VIRTIO_ISR]);
    v->config = map(&parts.part[VIRTIO_CONFIG]);
    v->notify_multiplier = parts.notify_multiplier;
    v->notify_bytes = (uint32_t)parts.part[VIRTIO_NOTIFY].bytes;
    return v->common && v->notify && v->isr && v->config ? NULL : "its registers cannot be mapped";
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
    const char *problem;

    if (id == ~0u)
        return;
    problem = p.type == VIRTIO_NET || p.type == VIRTIO_BLK ? map_registers(&p)
                                                           : "no virtio disk or network card";
    if (problem == NULL)
        fn(&p);
    else
        kprintf("driver: PCI %02x:%02x.%u is not used: %s\n", at >> 8, at >> 3 & 31, at & 7,
                problem);
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

static long bind(uint32_t pirq, port_t *port)
{
    struct evtchn_bind_pirq b = { .pirq = pirq, .flags = BIND_PIRQ__WILL_SHARE };
    long rc = xen_event_channel_op(EVTCHNOP_bind_pirq, &b);

    *port = b.port;
    return rc;
}

/* The functions of one pin. Which of them interrupts is not known: each is asked. */
static struct line {
    unsigned number;
    port_t port;
    unsigned nr;
    struct {
        volatile uint8_t *isr;
        event_fn fn;
        void *arg;
    } user[MAX_SHARERS];
} lines[MAX_LINES];
static unsigned nr_lines;

/* A function's level ends when its ISR register is read; before that the pin may not be
 * unmasked. */
static void on_line(port_t port, void *arg)
{
    struct line *l = arg;
    struct physdev_eoi eoi = { .irq = l->number };

    for (unsigned i = 0; i < l->nr; i++) {
        (void)*l->user[i].isr;
        l->user[i].fn(port, l->user[i].arg);
    }
    xen_physdev_op(PHYSDEVOP_eoi, &eoi);
}

static long find_line(unsigned number, struct line **line)
{
    struct physdev_map_pirq m = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI,
                                  .index = (int)number, .pirq = (int)number };
    struct line *l = &lines[nr_lines];
    long rc;

    for (unsigned i = 0; i < nr_lines; i++)
        if (lines[i].number == number) {
            *line = &lines[i];
            return 0;
        }
    if (nr_lines == MAX_LINES)
        return -XEN_ENOSPC;
    rc = xen_physdev_op(PHYSDEVOP_map_pirq, &m);
    if (rc == 0)
        rc = bind((uint32_t)m.pirq, &l->port);
    if (rc != 0)
        return rc;
    l->number = (unsigned)m.pirq;
    event_set_handler(l->port, on_line, l);
    nr_lines++;
    *line = l;
    return 0;
}

static long use_line(struct pci_device *p, event_fn fn, void *arg)
{
    struct line *l;
    long rc = find_line(config_read(p->address, INTERRUPT) & 0xff, &l);

    if (rc != 0 || l->nr == MAX_SHARERS)
        return rc != 0 ? rc : -XEN_ENOSPC;
    p->virtio.by_line = true;
    l->user[l->nr].isr = p->virtio.isr;
    l->user[l->nr].fn = fn;
    l->user[l->nr++].arg = arg;
    event_unmask(l->port);
    kprintf("driver: PCI %02x:%02x.%u interrupts by line %u\n", p->address >> 8,
            p->address >> 3 & 31, p->address & 7, l->number);
    return 0;
}

static long use_message(const struct pci_device *p, unsigned entry, event_fn fn, void *arg)
{
    struct physdev_map_pirq m = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_MSI_SEG, .pirq = -1, .bus = p->address >> 8,
        .devfn = p->address & 0xff, .entry_nr = (int)entry,
    };
    port_t port;
    long rc = xen_physdev_op(PHYSDEVOP_map_pirq, &m);

    if (rc == 0)
        rc = bind((uint32_t)m.pirq, &port);
    if (rc != 0)
        return rc;
    event_set_handler(port, fn, arg);
    event_unmask(port);
    return 0;
}

/* A function without MSI-X, or with a table that the hypervisor does not use, has no entry 0. */
bool pci_interrupt(struct pci_device *p, unsigned entry, event_fn fn, void *arg)
{
    long rc = p->virtio.by_line ? 0 : use_message(p, entry, fn, arg);

    if (rc == -XEN_EINVAL && entry == 0)
        rc = use_line(p, fn, arg);
    if (rc != 0)
        kprintf("driver: PCI %02x:%02x.%u: interrupt %u: error %ld\n", p->address >> 8,
                p->address >> 3 & 31, p->address & 7, entry, rc);
    return rc == 0;
}
