/* Suite "pci" (only by name): the machine's devices as a guest sees them. It runs in an ordinary
 * guest beside a driver domain, where nothing may be reached, and in one with a function of its own
 * (the word pci=), where nothing else may. What the owner may do is in pci_owner.c. */
#include <string.h>
#include "gnttab.h"
#include "hypercall.h"
#include "pci.h"
#include "start.h"
#include "suite.h"

#define ADDRESS 0xcf8
#define DATA 0xcfc
#define NR_PIRQS 56u
#define LAST_LINE 24

struct owned owned;

/* --- Ports ------------------------------------------------------------------------------------ */

uint32_t pci_in(uint16_t port, unsigned bytes)
{
    uint32_t value = 0;

    if (bytes == 1)
        __asm__ volatile("inb %1, %b0" : "+a"(value) : "d"(port));
    else if (bytes == 2)
        __asm__ volatile("inw %1, %w0" : "+a"(value) : "d"(port));
    else
        __asm__ volatile("inl %1, %0" : "+a"(value) : "d"(port));
    return value;
}

void pci_out(uint16_t port, unsigned bytes, uint32_t value)
{
    if (bytes == 1)
        __asm__ volatile("outb %b0, %1" : : "a"(value), "d"(port));
    else if (bytes == 2)
        __asm__ volatile("outw %w0, %1" : : "a"(value), "d"(port));
    else
        __asm__ volatile("outl %0, %1" : : "a"(value), "d"(port));
}

static void name_register(uint16_t function, unsigned reg)
{
    pci_out(ADDRESS, 4, 0x80000000u | (uint32_t)function << 8 | reg);
}

uint32_t pci_read(uint16_t function, unsigned reg)
{
    name_register(function, reg);
    return pci_in(DATA, 4);
}

void pci_write(uint16_t function, unsigned reg, uint32_t value)
{
    name_register(function, reg);
    pci_out(DATA, 4, value);
}

/* --- Finding ---------------------------------------------------------------------------------- */

static void find_bars(void)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        unsigned reg = 0x10 + 4 * i, bar = i;
        uint32_t low = pci_read(owned.address, reg), mask;
        uint64_t at = low & ~0xfu;

        if (low & 1)
            continue;
        pci_write(owned.address, reg, ~0u);
        mask = pci_read(owned.address, reg) & ~0xfu;
        pci_write(owned.address, reg, low);
        if ((low & 6) == 4)
            at |= (uint64_t)pci_read(owned.address, 0x10 + 4 * ++i) << 32;
        if (at == 0 || mask == 0)
            continue;
        owned.first[bar] = at >> PAGE_SHIFT;
        owned.end[bar] = (at + ~mask + 1) >> PAGE_SHIFT;
    }
}

static void find_capabilities(void)
{
    unsigned cap = pci_read(owned.address, 0x34) & 0xfc;

    for (unsigned n = 0; cap >= 0x40 && n < 48; n++) {
        uint32_t head = pci_read(owned.address, cap);

        if ((head & 0xff) == 0x11) {
            owned.msix = cap;
            owned.nr_entries = (head >> 16 & 0x7ff) + 1;
            owned.table_bar = pci_read(owned.address, cap + 4) & 7;
        } else if ((head & 0xff) == 9 && head >> 24 == 1) {
            unsigned bar = pci_read(owned.address, cap + 4) & 0xff;

            owned.status_at = (owned.first[bar] << PAGE_SHIFT) + pci_read(owned.address, cap + 8) +
                              20;
        }
        cap = head >> 8 & 0xfc;
    }
}

bool pci_find_owned(void)
{
    struct physdev_set_iopl iopl = { .iopl = 1 };

    xen_physdev_op(PHYSDEVOP_set_iopl, &iopl);
    if (owned.id != 0)
        return true;
    for (unsigned at = 0; at < 0x100 && owned.id == 0; at++)
        if (pci_read((uint16_t)at, 0) != ~0u) {
            owned.address = (uint16_t)at;
            owned.id = pci_read((uint16_t)at, 0);
        }
    if (owned.id == 0)
        return false;
    find_bars();
    find_capabilities();
    return true;
}

bool pci_may_map(mfn_t mfn)
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (mfn >= owned.first[i] && mfn < owned.end[i])
            return owned.msix == 0 || i != owned.table_bar;
    return false;
}

/* --- What is not ours ------------------------------------------------------------------------- */

static void other_functions_are_not_there(void)
{
    bool has = pci_find_owned();

    for (unsigned at = 0; at < 0x1000; at++) {
        if (has && at == owned.address)
            continue;
        if (!EXPECT_EQ(pci_read((uint16_t)at, 0), ~0u))
            break;
        pci_write((uint16_t)at, 4, ~0u);
        pci_write((uint16_t)at, 4, 0);
    }
    pci_out(ADDRESS, 4, (uint32_t)owned.address << 8);  /* without the bit that enables it */
    EXPECT_EQ(pci_in(DATA, 4), ~0u);
    for (unsigned bit = 24; bit < 31; bit++) {
        pci_out(ADDRESS, 4, 0x80000000u | 1u << bit | (uint32_t)owned.address << 8);
        EXPECT_EQ(pci_in(DATA, 4), ~0u);
    }
    name_register(owned.address, 0);
    pci_out(ADDRESS + 1, 1, 6);                 /* this resets some chipsets */
    EXPECT_EQ(pci_in(ADDRESS, 4), 0x80000000u | (uint32_t)owned.address << 8);
    EXPECT_EQ(pci_in(ADDRESS, 1), 0xff);
    EXPECT_EQ(pci_in(DATA + 1, 4), ~0u);        /* it ends beyond the register */
    EXPECT_EQ(pci_in(DATA + 3, 2), 0xffff);
}

/* By all ways to make an entry. */
static void expect_no_mapping(volatile void *va, mfn_t mfn)
{
    struct mmu_update u = { pte_maddr(va, 1), make_pte(mfn, PTE_KERNEL) };

    EXPECT_EQ(xen_update_va_mapping((uint64_t)va, make_pte(mfn, PTE_KERNEL), 0), -XEN_EPERM);
    EXPECT_EQ(xen_update_va_mapping((uint64_t)va, make_pte(mfn, PTE_RO), 0), -XEN_EPERM);
    EXPECT_EQ(xen_update_va_mapping((uint64_t)va, make_pte(mfn, PTE_RO | PTE_PCD | PTE_PWT), 0),
              -XEN_EINVAL);
    EXPECT_EQ(xen_mmu_update(&u, 1, NULL, DOMID_SELF), -XEN_EPERM);
    EXPECT_EQ(xen_mmu_update(&u, 1, NULL, DOMID_IO), -XEN_EPERM);
    EXPECT_EQ(xen_update_va_mapping_otherdomain((uint64_t)va, make_pte(mfn, PTE_RO), 0, DOMID_IO),
              -XEN_EPERM);
    EXPECT_EQ(pte_read(va, 1), 0);
}

static void frames_of_devices_are_not_mapped(void)
{
    volatile void *va = va_alloc(1);
    unsigned nr_own = 0;

    (void)pci_find_owned();
    ensure_tables(va, 1);
    for (mfn_t mfn = DEVICES_FIRST; mfn < DEVICES_END; mfn++) {
        if (pci_may_map(mfn)) {
            nr_own++;
            continue;
        }
        if (!EXPECT_EQ(xen_update_va_mapping((uint64_t)va, make_pte(mfn, PTE_KERNEL), 0),
                       -XEN_EPERM))
            break;
    }
    expect_no_mapping(va, 0xfec00);     /* I/O APIC */
    expect_no_mapping(va, 0xfee00);     /* local APIC */
    if (owned.msix != 0)
        expect_no_mapping(va, owned.first[owned.table_bar]);
    test_diag("pci: %u frames of its own", nr_own);
}

/* --- As something else than memory ------------------------------------------------------------ */

static void frames_are_nothing_else(mfn_t mfn)
{
    static struct vcpu_register_vcpu_info info;
    unsigned long gdt[1] = { mfn };
    pfn_t table = table_alloc();
    volatile void *va = va_alloc(512 * 512);
    struct mmu_update in_it = { mfn << PAGE_SHIFT, 0 };

    for (unsigned level = MMUEXT_PIN_L1_TABLE; level <= MMUEXT_PIN_L4_TABLE; level++)
        EXPECT_EQ(mmuext(level, mfn, 0), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn, 0), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_NEW_BASEPTR, mfn, 0), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn, 0), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_CLEAR_PAGE, mfn, 0), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_COPY_PAGE, mfn, pfn_to_mfn(table)), -XEN_EINVAL);
    EXPECT_EQ(xen_mmu_update(&in_it, 1, NULL, DOMID_SELF), -XEN_EINVAL);
    in_it.ptr |= MMU_MACHPHYS_UPDATE;
    EXPECT_EQ(xen_mmu_update(&in_it, 1, NULL, DOMID_SELF), -XEN_EINVAL);
    EXPECT_EQ(xen_set_gdt(gdt, 512), -XEN_EINVAL);
    info.mfn = mfn;
    EXPECT_EQ(xen_vcpu_op(VCPUOP_register_vcpu_info, 0, &info), -XEN_EINVAL);
    ensure_tables(va, 2);
    EXPECT_EQ(mmu_set(pte_maddr(va, 2), make_pte(mfn, PTE_TABLE)), -XEN_EINVAL);
    table_free(table);
}

/* Granted to ourselves, or named in a copy. */
static void frames_are_not_granted(mfn_t mfn)
{
    const grant_ref_t ref = gnttab_entries() - 1;
    volatile void *va = va_alloc(1);
    pfn_t page = frame_alloc();
    struct gnttab_copy to = { .source = { .u.gmfn = pfn_to_mfn(page), .domid = DOMID_SELF },
                              .dest = { .u.gmfn = mfn, .domid = DOMID_SELF }, .len = 8 },
                       from = { .source = to.dest, .dest = to.source, .len = 8 };
    grant_handle_t handle;

    ensure_tables(va, 1);
    grant_offer(ref, own_domid(), mfn, 0);
    EXPECT_EQ(grant_map((uint64_t)va, GNTMAP_host_map, own_domid(), ref, &handle),
              GNTST_bad_page);
    EXPECT_EQ(grant_map((uint64_t)va, GNTMAP_host_map | GNTMAP_readonly, own_domid(), ref, &handle),
              GNTST_bad_page);
    EXPECT_EQ(grant_map(0, GNTMAP_device_map, own_domid(), ref, &handle), GNTST_bad_page);
    EXPECT(grant_revoke(ref));
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_copy, &to, 1), 0);
    EXPECT_EQ(xen_grant_table_op(GNTTABOP_copy, &from, 1), 0);
    EXPECT_EQ(to.status, GNTST_bad_page);
    EXPECT_EQ(from.status, GNTST_bad_page);
    frame_free(page);
}

static void check_frame(mfn_t mfn)
{
    frames_are_nothing_else(mfn);
    frames_are_not_granted(mfn);
}

static void frames_of_devices_are_nothing_else(void)
{
    ASSERT(gnttab() != NULL);
    if (!pci_find_owned()) {
        check_frame(0xfebf0);
        check_frame(0xfee00);
        return;
    }
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (owned.first[i] != owned.end[i])
            check_frame(owned.first[i]);
}

/* --- Interrupts ------------------------------------------------------------------------------- */

long pci_map_message(uint16_t function, int entry, int *pirq)
{
    struct physdev_map_pirq m = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_MSI_SEG, .pirq = -1, .bus = function >> 8,
        .devfn = function & 0xff, .entry_nr = entry,
    };
    long rc = xen_physdev_op(PHYSDEVOP_map_pirq, &m);

    *pirq = m.pirq;
    return rc;
}

long pci_map_line(int line)
{
    struct physdev_map_pirq m = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .pirq = line,
                                  .index = line };

    return xen_physdev_op(PHYSDEVOP_map_pirq, &m);
}

static void interrupts_of_others(void)
{
    bool has = pci_find_owned();
    int pirq, own_line = has ? (int)(pci_read(owned.address, 0x3c) & 0xff) : -1;

    for (unsigned at = 0; at < 0x100; at++)
        if (!has || at != owned.address)
            EXPECT_EQ(pci_map_message((uint16_t)at, 0, &pirq), -XEN_EPERM);
    for (int line = -1; line <= LAST_LINE; line++)
        if (line != own_line)
            EXPECT_EQ(pci_map_line(line), -XEN_EPERM);
    for (unsigned i = 0; i < NR_PIRQS + 2; i++) {
        struct evtchn_bind_pirq b = { .pirq = i };
        struct physdev_eoi eoi = { .irq = i };
        struct physdev_unmap_pirq u = { .domid = DOMID_SELF, .pirq = (int)i };

        EXPECT_EQ(xen_event_channel_op(EVTCHNOP_bind_pirq, &b),
                  i < NR_PIRQS ? -XEN_EPERM : -XEN_EINVAL);
        EXPECT_EQ(xen_physdev_op(PHYSDEVOP_eoi, &eoi), -XEN_EINVAL);
        EXPECT_EQ(xen_physdev_op(PHYSDEVOP_unmap_pirq, &u), has ? -XEN_EINVAL : -XEN_EPERM);
    }
}

SUITE(pci, 94, SUITE_NAMED_ONLY | SUITE_NEEDS_DOMU, TEST(other_functions_are_not_there),
      TEST(frames_of_devices_are_not_mapped), TEST(frames_of_devices_are_nothing_else),
      TEST(interrupts_of_others));
