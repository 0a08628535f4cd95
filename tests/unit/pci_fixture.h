/* A machine with three PCI functions, as QEMU makes them, and two guests: a virtio disk, a virtio
 * network card behind a bridge, and a disk controller that is no virtio device. Included by the
 * tests of PCI and of its interrupts. */
#ifndef PCI_FIXTURE_H
#define PCI_FIXTURE_H

#include <string.h>
#include "support.h"
#include "xen/core/pci.h"
#include "xen/core/pci_regs.h"
#include "xen/core/walk.h"
#include "xen/cpu/ioport.h"
#include "xen/pv/hypercalls.h"

#define DISK 0x0020u                    /* 00:04.0 */
#define BRIDGE 0x0008u                  /* 00:01.0, to bus 1 */
#define CARD 0x0100u                    /* 01:00.0 */
#define OTHER 0x0009u                   /* 00:01.1, of the same device */
#define DISK_AT 0xfebf0000ull
#define CARD_AT 0xe000000000ull         /* beyond all frame numbers */
#define REGISTERS 0x5000u               /* 4 pages of virtio's registers, then one of MSI-X */
#define TABLE_AT 0x4000u                /* of the MSI-X table; the pending bits are at 0x4800 */
#define ENTRIES 4u
#define VIRTIO_BAR 4u
#define MSIX_BAR 1u
#define COMMON_CAP 0x40u
#define WINDOW_CAP 0x84u
#define MSIX_CAP 0x98u
#define LINE 11u                        /* both functions' interrupt line */

struct test_function {
    struct host_pci pci;
    uint8_t memory[REGISTERS] __attribute__((aligned(8)));
};
static struct test_function disk, card, other_disk, bridge;
static struct domain *driver, *guest;
static const struct pci_choice unnamed;

static inline void set_config(struct test_function *f, unsigned reg, uint32_t value,
                              uint32_t writable)
{
    f->pci.config[reg / 4] = value;
    f->pci.writable[reg / 4] = writable;
}

static inline uint32_t command_of(const struct test_function *f)
{
    return f->pci.config[PCI_COMMAND / 4] & 0xffff;
}

static inline void set_capability(struct test_function *f, unsigned at, unsigned next,
                                  unsigned type, uint32_t offset, uint32_t bytes)
{
    set_config(f, at, type << 24 | 16 << 16 | next << 8 | PCI_CAP_VENDOR, 0);
    set_config(f, at + 4, VIRTIO_BAR, 0);
    set_config(f, at + 8, offset, 0);
    set_config(f, at + 12, bytes, 0);
}

static inline void plug(struct test_function *f, uint16_t address, uint32_t id, uint32_t class)
{
    struct host_pci **last = &host.pci;

    memset(f, 0, sizeof(*f));
    f->pci.address = address;
    set_config(f, PCI_ID, id, 0);
    set_config(f, PCI_COMMAND, 0x00100107, 0x0547);     /* as SeaBIOS leaves it */
    set_config(f, PCI_CLASS, class << 24, 0);
    while (*last != NULL)
        last = &(*last)->next;
    *last = &f->pci;
}

static inline void plug_virtio(struct test_function *f, uint16_t address, uint32_t id,
                               uint32_t class, uint64_t at)
{
    plug(f, address, id, class);
    f->pci.memory = f->memory;
    f->pci.memory_at = at;
    f->pci.memory_bytes = sizeof(f->memory);
    memset(f->memory, 0xff, sizeof(f->memory));
    set_config(f, PCI_BAR0, 0xc001, 0xffffff81);        /* the legacy registers, by ports */
    set_config(f, PCI_BAR0 + 4 * MSIX_BAR, (uint32_t)(at + TABLE_AT), 0xfffff000);
    set_config(f, PCI_BAR0 + 4 * VIRTIO_BAR, (uint32_t)at | 0xc, 0xffffc000);
    set_config(f, PCI_BAR0 + 4 * VIRTIO_BAR + 4, (uint32_t)(at >> 32), ~0u);
    set_config(f, PCI_CAPABILITIES, COMMON_CAP, 0);
    set_config(f, PCI_INTERRUPT, 1 << 8 | LINE, 0xff);
    set_capability(f, COMMON_CAP, 0x50, VIRTIO_COMMON, 0, 0x1000);
    set_capability(f, 0x50, 0x60, 3, 0x1000, 0x1000);
    set_capability(f, 0x60, 0x70, 4, 0x2000, 0x1000);
    set_capability(f, 0x70, WINDOW_CAP, 2, 0x3000, 0x1000);
    set_capability(f, WINDOW_CAP, MSIX_CAP, 5, 0, 4);
    set_config(f, MSIX_CAP, (ENTRIES - 1) << 16 | PCI_CAP_MSIX, 0xc0000000);
    set_config(f, MSIX_CAP + 4, MSIX_BAR, 0);
    set_config(f, MSIX_CAP + 8, 0x800 | MSIX_BAR, 0);
}

static inline int plug_all(void **state)
{
    machine_up(state);
    plug(&bridge, BRIDGE, 0x00011b36, 6);
    set_config(&bridge, PCI_HEADER, 0x810000, 0);
    set_config(&bridge, PCI_BUSES, 0x00000100, 0);
    plug(&other_disk, OTHER, 0x70108086, PCI_CLASS_STORAGE);
    plug_virtio(&disk, DISK, 0x10011af4, PCI_CLASS_STORAGE, DISK_AT);
    /* A 32-bit BAR cannot be up there: the card's table is in the BAR of its registers. */
    plug_virtio(&card, CARD, 0x10411af4, PCI_CLASS_NETWORK, CARD_AT);
    set_config(&card, PCI_BAR0 + 4 * MSIX_BAR, 0, 0);
    set_config(&card, PCI_BAR0 + 4 * VIRTIO_BAR, (uint32_t)CARD_AT | 0xc, 0xffff8000);
    set_config(&card, MSIX_CAP + 4, TABLE_AT | VIRTIO_BAR, 0);
    set_config(&card, MSIX_CAP + 8, (TABLE_AT + 0x800) | VIRTIO_BAR, 0);
    return 0;
}

/* The driver domain has all functions, and is current. */
static inline int with_driver(void **state)
{
    plug_all(state);
    pci_init();
    driver = guest_make(1, 1);
    guest = guest_make(2, 1);
    assert_true(driver != NULL && guest != NULL);
    assert_int_equal(pci_give(driver, &unnamed), 2);
    host_become(driver->vcpu[0]);
    return 0;
}

#define plugged(test) cmocka_unit_test_setup_teardown(test, plug_all, machine_down)
#define driven(test) cmocka_unit_test_setup_teardown(test, with_driver, machine_down)

#endif
