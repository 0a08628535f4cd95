/* Finding PCI functions, and configuration space as their owner sees it. Not here: who may map
 * their registers, and what happens when the owner ends (test_pci_owner.c); interrupts
 * (test_pirq.c). */
#include "cmocka_main.h"
#include "pci_fixture.h"

/* --- Finding ---------------------------------------------------------------------------------- */

static struct domain *give(unsigned nr)
{
    struct domain *d;

    pci_init();
    d = guest_make(1, 1);
    assert_non_null(d);
    assert_int_equal(pci_give(d, &unnamed), nr);
    return d;
}

static void functions_are_found_behind_bridges(void **state)
{
    struct domain *d = give(2);
    const struct pci_function *f = pci_find(d, CARD >> 8, CARD & 0xff);

    (void)state;
    assert_non_null(pci_find(d, DISK >> 8, DISK & 0xff));
    assert_null(pci_find(d, OTHER >> 8, OTHER & 0xff));
    assert_non_null(f);
    assert_int_equal(f->bar[VIRTIO_BAR].first, CARD_AT >> PAGE_SHIFT);
    assert_int_equal(f->bar[VIRTIO_BAR].end, (CARD_AT + 0x8000) >> PAGE_SHIFT);
    assert_int_equal(f->nr_entries, ENTRIES);
    assert_int_equal(f->table, CARD_AT + TABLE_AT);
}

/* A bridge that says its own bus is behind it. */
static void buses_in_a_circle_end(void **state)
{
    (void)state;
    set_config(&bridge, PCI_BUSES, 0, 0);
    (void)give(1);
}

/* P4, from the start: the firmware's queues may be in use. */
static void masters_are_switched_off(void **state)
{
    (void)state;
    pci_init();
    assert_int_equal(command_of(&disk) & PCI_MASTER, 0);
    assert_int_equal(command_of(&card) & PCI_MASTER, 0);
    assert_int_equal(command_of(&other_disk) & PCI_MASTER, 0);
    assert_int_equal(command_of(&bridge) & PCI_MASTER, PCI_MASTER);
}

static void bars_stay_where_they_are(void **state)
{
    uint32_t before[6];

    (void)state;
    memcpy(before, &disk.pci.config[PCI_BAR0 / 4], sizeof(before));
    (void)give(2);
    assert_memory_equal(&disk.pci.config[PCI_BAR0 / 4], before, sizeof(before));
    assert_int_equal(command_of(&disk) & (PCI_MEMORY | PCI_IO), PCI_MEMORY);
}

/* Each of these makes the disk unusable, and has its line; the card is found still. */
static void unusable_functions_are_left_out(void **state)
{
    static const struct {
        unsigned reg;
        uint32_t value, writable;
        const char *why;
    } cases[] = {
        { PCI_BAR0, 0xfebf1800, 0xffffff00, "share a page" },
        { PCI_BAR0, 0xfebf1000, 0xffffff00, "share a page" },
        { PCI_BAR0, 0xfec00000, 0xfffff000, "interrupt controllers" },
        { PCI_BAR0, 0xfed00000, 0xfffff000, "interrupt controllers" },
        { PCI_BAR0, 0xfee00000, 0xfffff000, "interrupt controllers" },
        { PCI_BAR0 + 4 * VIRTIO_BAR + 4, 0x100, ~0u, "beyond the addresses" },
        { PCI_CAPABILITIES, 0, 0, "no modern virtio device" },
        { COMMON_CAP + 4, 6, 0, "no modern virtio device" },
        { COMMON_CAP + 4, 5, 0, "no modern virtio device" },    /* half of one */
        { COMMON_CAP + 4, 2, 0, "no modern virtio device" },    /* there is none */
        { COMMON_CAP + 8, 0x4000, 0, "no modern virtio device" },
        { COMMON_CAP + 8, ~0u - 3, 0, "no modern virtio device" },
        { COMMON_CAP, 0x40 << 8 | PCI_CAP_VENDOR, 0, "no modern virtio device" },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint32_t value = disk.pci.config[cases[i].reg / 4],
                 writable = disk.pci.writable[cases[i].reg / 4];

        set_config(&disk, cases[i].reg, cases[i].value, cases[i].writable);
        host.console_len = 0;
        guest_end(give(1));
        if (!console_has("00:04.0 [1af4:1001] is not used: ") || !console_has(cases[i].why))
            fail_msg("case %u: %s", i, host.console);
        set_config(&disk, cases[i].reg, value, writable);
    }
    (void)give(2);
}

/* RAM begins in the middle of this BAR. */
static void registers_over_ram_are_refused(void **state)
{
    uint64_t at = host_first_mfn() << PAGE_SHIFT;

    (void)state;
    assert_in_range(at, 0x100000001, 0x1007fffff);
    set_config(&disk, PCI_BAR0 + 4 * VIRTIO_BAR, 0xc, 0xff800000);
    set_config(&disk, PCI_BAR0 + 4 * VIRTIO_BAR + 4, 1, ~0u);
    (void)give(1);
    assert_true(console_has("registers lie over RAM"));
}

/* Two functions at one address: neither knows which of them answers. The second one decodes nothing
 * any more; of one that is no virtio device only the first address is known. */
static void overlapping_registers_are_refused(void **state)
{
    uint32_t table = disk.pci.config[(PCI_BAR0 + 4 * MSIX_BAR) / 4];
    struct domain *d;

    (void)state;
    set_config(&card, PCI_BAR0, (uint32_t)DISK_AT + 0x3000, 0xfffff000);
    d = give(1);
    assert_non_null(pci_find(d, 0, DISK));
    assert_true(console_has("01:00.0 [1af4:1041] is not used: its registers lie over those of"));
    assert_int_equal(command_of(&card) & (PCI_MEMORY | PCI_IO | PCI_MASTER), 0);
    guest_end(d);

    set_config(&disk, PCI_BAR0 + 4 * MSIX_BAR, (uint32_t)DISK_AT + 0x1000, 0xfffff000);
    d = give(1);                        /* one function's own: nothing is left */
    assert_null(pci_find(d, 0, DISK));
    guest_end(d);
    set_config(&disk, PCI_BAR0 + 4 * MSIX_BAR, table, 0xfffff000);
    set_config(&disk, PCI_COMMAND, 0x00100107, 0x0547);
    set_config(&card, PCI_BAR0, 0xc001, 0xffffff81);
    set_config(&card, PCI_COMMAND, 0x00100107, 0x0547);

    host.console_len = 0;
    set_config(&other_disk, PCI_BAR0 + 4, (uint32_t)CARD_AT | 4, 0);
    set_config(&other_disk, PCI_BAR0 + 8, CARD_AT >> 32, 0);
    set_config(&bridge, PCI_BAR0, (uint32_t)DISK_AT + 0x2000, 0);
    set_config(&bridge, PCI_BAR0 + 16, (uint32_t)DISK_AT, 0);   /* a bridge's window: no BAR */
    guest_end(give(0));
    assert_true(console_has("00:04.0 is not used: its registers lie over those of another"));
    assert_true(console_has("01:00.0 is not used: its registers lie over those of another"));
    set_config(&bridge, PCI_BAR0, 0, 0);
    set_config(&other_disk, PCI_COMMAND, 0x00100105, 0x0547);   /* it decodes no memory */
    (void)give(2);
}

/* A table that is not in one page, or not in a BAR, is not used. */
static void unusable_messages_are_left_out(void **state)
{
    static const struct {
        unsigned reg;
        uint32_t value;
    } cases[] = {
        { MSIX_CAP, 0x7ff << 16 | PCI_CAP_MSIX }, { MSIX_CAP, 256 << 16 | PCI_CAP_MSIX },
        { MSIX_CAP + 4, 6 }, { MSIX_CAP + 4, 0xfd8 | VIRTIO_BAR },
        { MSIX_CAP + 4, 0xfd8 | MSIX_BAR }, { MSIX_CAP + 4, 0x1000 | MSIX_BAR },
        { MSIX_CAP + 8, 0x1000 | MSIX_BAR }, { MSIX_CAP + 8, 7 },
    };
    struct domain *d;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint32_t value = disk.pci.config[cases[i].reg / 4];

        set_config(&disk, cases[i].reg, cases[i].value, 0);
        d = give(2);
        assert_int_equal(pci_find(d, 0, DISK)->msix, 0);
        guest_end(d);
        set_config(&disk, cases[i].reg, value, 0xc0000000);
    }
}

/* --- Configuration space ---------------------------------------------------------------------- */

static uint32_t in(struct domain *d, uint16_t port, unsigned bytes)
{
    uint32_t mask = bytes == 4 ? ~0u : (1u << 8 * bytes) - 1;

    return guest_port_in(d->vcpu[0], port, bytes) & mask;
}

static void out(struct domain *d, uint16_t port, unsigned bytes, uint32_t value)
{
    guest_port_out(d->vcpu[0], port, bytes, value);
}

static void name(struct domain *d, uint16_t function, unsigned reg)
{
    out(d, 0xcf8, 4, 0x80000000u | (uint32_t)function << 8 | reg);
}

static void owner_reads_all_in_every_width(void **state)
{
    (void)state;
    for (unsigned reg = 0; reg < 0x100; reg += 4) {
        uint32_t word = disk.pci.config[reg / 4];

        name(driver, DISK, reg);
        assert_int_equal(in(driver, 0xcfc, 4), word);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(in(driver, (uint16_t)(0xcfc + i), 1), word >> 8 * i & 0xff);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(in(driver, (uint16_t)(0xcfc + i), 2), word >> 8 * i & 0xffff);
    }
    name(driver, DISK, 0);
    assert_int_equal(in(driver, 0xcfd, 4), ~0u);        /* they end beyond the register */
    assert_int_equal(in(driver, 0xcff, 2), 0xffff);
}

/* Only a whole access to 0xcf8 sets the address. */
static void address_is_a_latch_of_four_bytes(void **state)
{
    uint32_t address = 0x80000000u | DISK << 8;

    (void)state;
    out(driver, 0xcf8, 4, address);
    out(driver, 0xcf8, 2, 0x1234);
    out(driver, 0xcf8, 1, 0x12);
    out(driver, 0xcf9, 1, 6);                           /* chipsets reset by this one */
    out(driver, 0xcfa, 2, 0);
    out(driver, 0xcf9, 4, 0);
    assert_int_equal(in(driver, 0xcf8, 4), address);
    assert_int_equal(in(driver, 0xcf8, 1), 0xff);
    assert_int_equal(in(driver, 0xcfc, 4), 0x10011af4);
    out(driver, 0xcf8, 4, address | 3);                 /* these two bits are not looked at */
    assert_int_equal(in(driver, 0xcfc, 4), 0x10011af4);
    out(driver, 0xcf8, 4, address & ~0x80000000u);
    assert_int_equal(in(driver, 0xcfc, 4), ~0u);
    for (unsigned bit = 24; bit < 31; bit++) {
        out(driver, 0xcf8, 4, address | 1u << bit);
        assert_int_equal(in(driver, 0xcfc, 4), ~0u);
    }
}

static void others_are_not_there(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 0x10000; at++)
        if (at != DISK && at != CARD) {
            name(driver, (uint16_t)at, 0);
            assert_int_equal(in(driver, 0xcfc, 4), ~0u);
        }
    name(guest, DISK, 0);
    assert_int_equal(in(guest, 0xcfc, 4), ~0u);
    name(guest, DISK, PCI_COMMAND);
    out(guest, 0xcfc, 4, ~0u);
    out(guest, 0xcfc, 2, 0);
    assert_int_equal(command_of(&disk) & (PCI_MASTER | PCI_NO_INTX), 0);
    name(driver, DISK, 0);                              /* each domain has a latch of its own */
    assert_int_equal(in(driver, 0xcfc, 4), 0x10011af4);
}

/* Of all that a device would let be written, only two bits are. */
static void owner_writes_two_bits(void **state)
{
    uint32_t before[64];

    (void)state;
    memset(disk.pci.writable, 0xff, sizeof(disk.pci.writable));
    memcpy(before, disk.pci.config, sizeof(before));
    for (unsigned i = 0; i < 2; i++)
        for (unsigned reg = 0; reg < 0x100; reg += 4) {
            uint32_t value = i == 0 ? ~0u : 0;

            name(driver, DISK, reg);
            out(driver, 0xcfc, 4, value);
            before[1] = i == 0 && reg >= 4 ? (before[1] & 0xffff) | PCI_MASTER | PCI_NO_INTX
                        : reg >= 4         ? before[1] & 0xffff & ~(PCI_MASTER | PCI_NO_INTX)
                                           : before[1];
            assert_memory_equal(disk.pci.config, before, sizeof(before));
        }
}

static void bytes_of_the_command_are_written(void **state)
{
    (void)state;
    name(driver, DISK, PCI_COMMAND);
    out(driver, 0xcfc, 1, 0xff);
    assert_int_equal(command_of(&disk), PCI_MEMORY | PCI_MASTER | 0x100);
    out(driver, 0xcfd, 1, 0xff);
    assert_int_equal(command_of(&disk), PCI_MEMORY | PCI_MASTER | PCI_NO_INTX | 0x100);
    out(driver, 0xcfe, 2, 0);
    out(driver, 0xcfe, 1, 0);
    out(driver, 0xcff, 1, 0);
    out(driver, 0xcfd, 4, 0);                           /* it ends beyond the register */
    out(driver, 0xcff, 2, 0);
    assert_int_equal(command_of(&disk), PCI_MEMORY | PCI_MASTER | PCI_NO_INTX | 0x100);
    out(driver, 0xcfc, 2, 0);
    assert_int_equal(command_of(&disk), PCI_MEMORY | 0x100);
    out(driver, 0xcfd, 2, 4);
    assert_int_equal(command_of(&disk), PCI_MEMORY | PCI_NO_INTX | 0x100);
}

/* All ones, and then the size is shown; the device has the address all the time. */
static void bars_show_their_size(void **state)
{
    static const struct { uint16_t function; unsigned bar; uint32_t size; } bars[] = {
        { DISK, MSIX_BAR, 0xfffff000 }, { DISK, VIRTIO_BAR, 0xffffc00c }, { DISK, 5, ~0u },
        { CARD, VIRTIO_BAR, 0xffff800c }, { CARD, 5, ~0u },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bars); i++) {
        const struct test_function *f = bars[i].function == DISK ? &disk : &card;
        uint32_t address = f->pci.config[PCI_BAR0 / 4 + bars[i].bar];

        name(driver, bars[i].function, PCI_BAR0 + 4 * bars[i].bar);
        out(driver, 0xcfc, 2, 0xffff);                  /* half of it */
        assert_int_equal(in(driver, 0xcfc, 4), address);
        out(driver, 0xcfc, 4, ~0u);
        assert_int_equal(in(driver, 0xcfc, 4), bars[i].size);
        assert_int_equal(in(driver, 0xcfe, 2), bars[i].size >> 16);
        assert_int_equal(f->pci.config[PCI_BAR0 / 4 + bars[i].bar], address);
        out(driver, 0xcfc, 4, address);
        assert_int_equal(in(driver, 0xcfc, 4), address);
    }
    for (unsigned reg = 0; reg < 0x100; reg += 4)       /* of what is no memory BAR: as it is */
        if (reg < PCI_BAR0 + 4 || reg >= PCI_BAR0 + 24) {
            name(driver, DISK, reg);
            out(driver, 0xcfc, 4, ~0u);
            assert_int_equal(in(driver, 0xcfc, 4), disk.pci.config[reg / 4]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        plugged(functions_are_found_behind_bridges),
        plugged(buses_in_a_circle_end),
        plugged(masters_are_switched_off),
        plugged(bars_stay_where_they_are),
        plugged(unusable_functions_are_left_out),
        plugged(registers_over_ram_are_refused),
        plugged(overlapping_registers_are_refused),
        plugged(unusable_messages_are_left_out),
        driven(owner_reads_all_in_every_width),
        driven(address_is_a_latch_of_four_bytes),
        driven(others_are_not_there),
        driven(owner_writes_two_bits),
        driven(bytes_of_the_command_are_written),
        driven(bars_show_their_size),
    };

    return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
