/* The second file of suite "pci": the guest owns a PCI function, by the word pci=. What it may do
 * with it, and what not. */
#include <string.h>
#include "event.h"
#include "hypercall.h"
#include "pci.h"
#include "suite.h"

#define UNCACHED (PTE_PCD | PTE_PWT | PTE_NX)
#define COMMAND 4u
#define BITS 0x404u                     /* bus mastering, INTx disable */
#define MEMORY 2u

static void need_function(void)
{
    if (!pci_find_owned())
        SKIP("no function of its own");
    test_diag("pci: %02x:%02x.%u is its own", owned.address >> 8, owned.address >> 3 & 31,
              owned.address & 7);
}

/* --- Registers -------------------------------------------------------------------------------- */

static void map_frame(volatile void *va, mfn_t mfn)
{
    struct mmu_update u = { pte_maddr(va, 1), make_pte(mfn, PTE_RO) };

    EXPECT_EQ(xen_update_va_mapping((uint64_t)va, make_pte(mfn, PTE_KERNEL), UVMF_INVLPG), 0);
    EXPECT_EQ(pte_read(va, 1) & UNCACHED, UNCACHED);
    (void)*(volatile uint32_t *)va;
    EXPECT_EQ(xen_update_va_mapping((uint64_t)va, make_pte(mfn, PTE_KERNEL | PTE_PSE), 0),
              -XEN_EINVAL);                     /* bit 7 is PAT there */
    EXPECT_EQ(xen_mmu_update(&u, 1, NULL, DOMID_IO), 0);
    EXPECT_EQ(pte_read(va, 1) & (UNCACHED | PTE_RW), UNCACHED);
    EXPECT_EQ(xen_update_va_mapping((uint64_t)va, make_pte(mfn, PTE_RO | UNCACHED), 0), 0);
    EXPECT_EQ(xen_update_va_mapping((uint64_t)va, 0, UVMF_INVLPG), 0);
}

static void own_registers(void)
{
    volatile void *va = va_alloc(1);
    unsigned n = 0;

    need_function();
    ensure_tables(va, 1);
    for (unsigned i = 0; i < PCI_BARS; i++)
        for (mfn_t mfn = owned.first[i]; mfn < owned.end[i]; mfn++)
            if (pci_may_map(mfn)) {
                map_frame(va, mfn);
                n++;
            }
    EXPECT(n != 0);
}

/* It was reset before it was given to us. */
static void function_was_reset(void)
{
    volatile uint8_t *va = va_alloc(1);

    need_function();
    ASSERT(owned.status_at != 0);
    ASSERT_EQ(map_page(va, make_pte(owned.status_at >> PAGE_SHIFT, PTE_KERNEL)), 0);
    EXPECT_EQ(va[owned.status_at & (PAGE_SIZE - 1)], 0);
    unmap_page(va);
}

/* Registers as an entry of a table that is validated, and the MSI-X table there. */
static void tables_with_registers(void)
{
    pfn_t good = frame_alloc(), bad = frame_alloc();
    uint64_t *entries = p2v(good), *hidden = p2v(bad);

    need_function();
    entries[3] = owned.status_at & PTE_ADDR_MASK;
    entries[3] |= PTE_KERNEL;
    ASSERT_EQ(frame_set_ro(good), 0);
    ASSERT_EQ(mmu_pin(1, good), 0);
    EXPECT_EQ(entries[3] & UNCACHED, UNCACHED);
    EXPECT_EQ(mmu_unpin(good), 0);
    EXPECT_EQ(frame_set_rw(good), 0);
    if (owned.msix != 0) {
        hidden[5] = make_pte(owned.first[owned.table_bar], PTE_RO);
        ASSERT_EQ(frame_set_ro(bad), 0);
        EXPECT_EQ(mmu_pin(1, bad), -XEN_EPERM);
        EXPECT_EQ(frame_set_rw(bad), 0);
    }
    entries[3] = hidden[5] = 0;
    frame_free(good);
    frame_free(bad);
}

/* --- Configuration space ---------------------------------------------------------------------- */

static void two_bits_are_written(void)
{
    uint32_t before, now;

    need_function();
    before = pci_read(owned.address, COMMAND) & 0xffff;
    EXPECT_EQ(before & MEMORY, MEMORY);
    for (unsigned i = 0; i < 4; i++) {
        pci_write(owned.address, COMMAND, i % 2 ? 0 : ~0u);
        now = pci_read(owned.address, COMMAND) & 0xffff;
        EXPECT_EQ(now & BITS, i % 2 ? 0 : BITS);
        EXPECT_EQ(now & ~BITS, before & ~BITS);
    }
    for (unsigned reg = 0; reg < 0x100; reg += 4) {
        if (reg == COMMAND)
            continue;
        before = pci_read(owned.address, reg);
        pci_write(owned.address, reg, before ^ 0x55555555);
        EXPECT_MSG(pci_read(owned.address, reg) == before, "register %#x changes", reg);
        pci_out(0xcfd, 1, 0xff);
        pci_out(0xcfe, 2, 0);
        EXPECT_MSG(pci_read(owned.address, reg) == before, "register %#x changes", reg);
    }
}

static void every_width_is_read(void)
{
    need_function();
    for (unsigned reg = 0; reg < 0x100; reg += 4) {
        uint32_t word = pci_read(owned.address, reg);

        for (unsigned i = 0; i < 4; i++)
            EXPECT_EQ(pci_in((uint16_t)(0xcfc + i), 1), word >> 8 * i & 0xff);
        for (unsigned i = 0; i < 3; i++)
            EXPECT_EQ(pci_in((uint16_t)(0xcfc + i), 2), word >> 8 * i & 0xffff);
    }
}

/* --- Interrupts ------------------------------------------------------------------------------- */

static long bind(int pirq, uint32_t *port)
{
    struct evtchn_bind_pirq b = { .pirq = (uint32_t)pirq };
    long rc = xen_event_channel_op(EVTCHNOP_bind_pirq, &b);

    *port = b.port;
    return rc;
}

static void bound_and_unbound(int pirq)
{
    struct physdev_eoi eoi = { .irq = (uint32_t)pirq };
    struct physdev_unmap_pirq u = { .domid = DOMID_SELF, .pirq = pirq };
    struct evtchn_close c;
    uint32_t port, other;

    ASSERT_EQ(bind(pirq, &port), 0);
    EXPECT_EQ(bind(pirq, &other), -XEN_EEXIST);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_eoi, &eoi), 0);
    c.port = port;
    EXPECT_EQ(xen_event_channel_op(EVTCHNOP_close, &c), 0);
    ASSERT_EQ(bind(pirq, &port), 0);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_unmap_pirq, &u), 0);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_unmap_pirq, &u), -XEN_EINVAL);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_eoi, &eoi), -XEN_EINVAL);
    c.port = port;
    EXPECT_EQ(xen_event_channel_op(EVTCHNOP_close, &c), 0);
    EXPECT_EQ(bind(pirq, &other), -XEN_EPERM);
}

static void own_interrupts(void)
{
    struct physdev_pirq_eoi_gmfn page = { 0 };
    int pirq, line, other;

    need_function();
    for (unsigned entry = 0; entry < owned.nr_entries; entry++) {
        ASSERT_EQ(pci_map_message(owned.address, (int)entry, &pirq), 0);
        EXPECT_EQ(pci_map_message(owned.address, (int)entry, &other), -XEN_EEXIST);
        bound_and_unbound(pirq);
    }
    EXPECT_EQ(pci_map_message(owned.address, (int)owned.nr_entries, &pirq), -XEN_EINVAL);
    EXPECT_EQ(pci_map_message(owned.address, -1, &pirq), -XEN_EINVAL);
    line = (int)(pci_read(owned.address, 0x3c) & 0xff);
    ASSERT_EQ(pci_map_line(line), 0);
    EXPECT_EQ(pci_map_line(line), -XEN_EEXIST);
    bound_and_unbound(line);
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_pirq_eoi_gmfn_v2, &page), -XEN_ENOSYS);
}

SUITE_PART(pci, 94, 1, TEST(own_registers), TEST(function_was_reset), TEST(tables_with_registers),
           TEST(two_bits_are_written), TEST(every_width_is_read), TEST(own_interrupts));
