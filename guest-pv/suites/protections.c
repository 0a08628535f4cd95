/* Suite "protections": mappings and types that no domain may ever get, tried by every hypercall
 * that could make them. Each attempt must be refused and leave the table as it was. Here are L1
 * entries; protections_tables.c has the higher levels, protections_hole.c the hypervisor's part of
 * the address space. Changes that must work are in pagetables.c. */
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "protections.h"
#include "start.h"
#include "user.h"

/* --- An entry tried in every way -------------------------------------------------------------- */

/* A live L1 entry that maps an ordinary page. */
static struct {
    volatile uint64_t *va, *slot;
    pfn_t pfn;
    uint64_t maddr, pte;
} l1;

static void l1_begin(void)
{
    l1.va = va_alloc(1);
    l1.pfn = frame_alloc();
    l1.pte = make_pte(pfn_to_mfn(l1.pfn), PTE_KERNEL);
    ASSERT_EQ(map_page(l1.va, l1.pte), 0);
    l1.maddr = pte_maddr(l1.va, 1);
    l1.slot = (volatile uint64_t *)pte_slot(l1.va, 1);
    writable_assist(true);
}

static void l1_end(void)
{
    writable_assist(false);
    EXPECT_EQ(unmap_page(l1.va), 0);
    frame_free(l1.pfn);
}

/* True if the result is one of the errors that the ABI allows here. */
static bool is_refusal(long rc)
{
    return rc == -XEN_EINVAL || rc == -XEN_EPERM || rc == -XEN_EBUSY;
}

/* Expects the live entry to be as before, and restores it if it is not. */
static void expect_unchanged(const char *what, const char *way)
{
    EXPECT_MSG(((*l1.slot ^ l1.pte) & OURS) == 0, "%s by %s: the entry is %#lx", what, way,
               *l1.slot);
    if ((*l1.slot ^ l1.pte) & OURS)
        mmu_set(l1.maddr, l1.pte);
}

/* Expects that no way sets pte: not in the live entry, by each hypercall and by a store, first
 * while the entry is present and then while it is zero; nor in a table that is pinned. */
static void l1_refused(const char *what, uint64_t pte)
{
    static const unsigned cmds[] = { MMU_NORMAL_PT_UPDATE, MMU_PT_UPDATE_PRESERVE_AD,
                                     MMU_PT_UPDATE_NO_TRANSLATE };
    uint64_t present = l1.pte;
    pfn_t table = frame_alloc();
    long rc;

    for (unsigned round = 0; round < 2; round++) {
        rc = map_page(l1.va, pte);
        EXPECT_MSG(is_refusal(rc), "%s by update_va_mapping: %ld", what, rc);
        expect_unchanged(what, "update_va_mapping");
        for (unsigned i = 0; i < 3; i++) {
            rc = mmu_set_cmd(l1.maddr, pte, cmds[i]);
            EXPECT_MSG(is_refusal(rc), "%s by mmu_update %u: %ld", what, cmds[i], rc);
            expect_unchanged(what, "mmu_update");
        }
        EXPECT_MSG(try_write64(l1.slot, pte).vector == TRAP_PF, "%s by a store: no fault", what);
        expect_unchanged(what, "a store");
        l1.pte = 0;
        ASSERT_EQ(unmap_page(l1.va), 0);
    }
    l1.pte = present;
    ASSERT_EQ(map_page(l1.va, present), 0);
    ((uint64_t *)p2v(table))[511] = pte;
    ASSERT_EQ(frame_set_ro(table), 0);
    rc = mmu_pin(1, table);
    EXPECT_MSG(is_refusal(rc), "%s by a pin: %ld", what, rc);
    if (!rc)
        mmu_unpin(table);
    table_free(table);
}

/* --- The tests -------------------------------------------------------------------------------- */

/* No table of any level is ever mapped writable, whether it is in use or only pinned. */
static void writable_tables(void)
{
    static const char *const names[] = { "live L1", "live L2", "live L3", "live L4" };
    pfn_t pinned = table_alloc();

    l1_begin();
    for (unsigned level = 1; level <= 4; level++)
        l1_refused(names[level - 1], make_pte(pte_maddr(l1.va, level) >> PAGE_SHIFT, PTE_KERNEL));
    l1_refused("user root", make_pte(pfn_to_mfn(user_root()), PTE_KERNEL));
    for (unsigned level = 1; level <= 4; level++) {
        ASSERT_EQ(mmu_pin(level, pinned), 0);
        l1_refused("pinned table", make_pte(pfn_to_mfn(pinned), PTE_USER | PTE_NX));
        EXPECT_EQ(mmu_unpin(pinned), 0);
    }
    table_free(pinned);
    l1_end();
}

/* While a writable mapping of a frame exists anywhere, the frame cannot become a table. */
static void mapped_writable(void)
{
    pfn_t pfn = table_alloc();
    volatile uint64_t *page = p2v(pfn);

    l1_begin();
    ASSERT_EQ(map_page(l1.va, make_pte(pfn_to_mfn(pfn), PTE_KERNEL)), 0);
    for (unsigned level = 1; level <= 4; level++)
        EXPECT_EQ(mmu_pin(level, pfn), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(pfn), 0), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_NEW_USER_BASEPTR, pfn_to_mfn(pfn), 0), -XEN_EINVAL);
    EXPECT(mmu_set(pte_maddr(l1.va, 2), make_pte(pfn_to_mfn(pfn), PTE_TABLE)) < 0);
    EXPECT_NO_FAULT(try_write64(l1.va, 1));
    EXPECT_EQ(page[0], 1);
    l1_end();
    ASSERT_EQ(mmuext(MMUEXT_CLEAR_PAGE, pfn_to_mfn(pfn), 0), 0);
    table_free(pfn);
}

/* A removed writable mapping may still be in the TLB, as the guest has not asked for a flush. The
 * hypervisor must have flushed it when the frame becomes a table. */
static void stale_translation(void)
{
    pfn_t pfn = table_alloc();
    volatile uint64_t *page = p2v(pfn);

    l1_begin();
    for (unsigned level = 1; level <= 4; level++) {
        ASSERT_EQ(map_page(l1.va, make_pte(pfn_to_mfn(pfn), PTE_KERNEL)), 0);
        EXPECT_NO_FAULT(try_write64(&l1.va[9], 0));
        ASSERT_EQ(xen_update_va_mapping((uint64_t)l1.va, 0, UVMF_NONE), 0);
        ASSERT_EQ(mmu_pin(level, pfn), 0);
        EXPECT_FAULT(try_write64(&l1.va[9], 7), TRAP_PF, PF_WRITE);
        EXPECT_EQ(page[9], 0);
        EXPECT_EQ(mmu_unpin(pfn), 0);
    }
    l1_end();
    table_free(pfn);
}

static void foreign_frames(void)
{
    mfn_t mfn;

    if (hypervisor_frame(0) == NO_MFN)
        SKIP("our root shows no frame of the hypervisor");
    l1_begin();
    for (unsigned i = 0; i < 8 && (mfn = hypervisor_frame(i)) != NO_MFN; i++) {
        l1_refused("hypervisor frame, writable", make_pte(mfn, PTE_KERNEL));
        l1_refused("hypervisor frame, read-only", make_pte(mfn, PTE_RO));
        EXPECT(mmuext(MMUEXT_PIN_L4_TABLE, mfn, 0) < 0);
        EXPECT(mmu_set(mfn << PAGE_SHIFT, 0) < 0);
        EXPECT(mmuext(MMUEXT_CLEAR_PAGE, mfn, 0) < 0);
        EXPECT(mmuext(MMUEXT_COPY_PAGE, pfn_to_mfn(l1.pfn), mfn) < 0);
        EXPECT(mmuext(MMUEXT_NEW_BASEPTR, mfn, 0) < 0);
        EXPECT(mmu_set_cmd(mfn << PAGE_SHIFT, 0, MMU_MACHPHYS_UPDATE) < 0);
    }
    l1_end();
}

/* Reading the M2P may fault where the machine has no memory. */
static bool is_ours(mfn_t mfn)
{
    uint64_t pfn;
    struct fault f = try_read64((const void *)(MACH2PHYS_VIRT_START + 8 * mfn), &pfn);

    return f.vector == FAULT_NONE && mfn_to_pfn(mfn) != INVALID_MFN;
}

/* Frames anywhere in the machine: memory of other domains, devices, no memory. Domain 0 may map
 * devices, and what is not RAM may be one. */
static void wild_frames(void)
{
    /* No RAM, but for frame 0: VGA, ROM, I/O APIC, local APIC, firmware, beyond memory. */
    static const mfn_t places[] = { 0, 0xa0, 0xb8, 0xf0, 0xfec00, 0xfee00, 0xfffff, 0x1000000 };
    uint64_t random = 0x9e3779b97f4a7c15;
    /* The one frame that we may map but that has no pfn. */
    mfn_t grant_frame = gnttab() ? pte_mfn(pte_read(gnttab(), 1)) : INVALID_MFN;

    if (is_dom0())
        SKIP("domain 0 may map devices, and what is no RAM may be one");
    l1_begin();
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (!is_ours(places[i])) {
            l1_refused("wild frame", make_pte(places[i], PTE_RO));
            EXPECT_EQ(map_page(l1.va, make_pte(places[i], PTE_RO)), -XEN_EPERM);
        }
    EXPECT_EQ(map_page(l1.va, make_pte(NO_MFN, PTE_RO)), -XEN_EINVAL);
    for (unsigned i = 0; i < 512; i++) {
        mfn_t mfn;
        long rc;

        random = random * 6364136223846793005 + 1442695040888963407;
        mfn = (random >> 33) % 0x20000;         /* in the first 512 MiB: most likely RAM */
        if (is_ours(mfn) || mfn == start_info->shared_info >> PAGE_SHIFT || mfn == grant_frame)
            continue;
        rc = map_page(l1.va, make_pte(mfn, PTE_KERNEL));
        EXPECT_MSG(is_refusal(rc), "frame %#lx is not ours, mapping it: %ld", mfn, rc);
        if (!rc)
            map_page(l1.va, l1.pte);
    }
    l1_end();
}

static void l1_bits(void)
{
    static const uint64_t bad[] = { 1ul << 51, 1ul << 50, PTE_ADDR_MASK };

    l1_begin();
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        l1_refused("address beyond the CPU's", l1.pte | bad[i]);
    if (!is_dom0()) {                   /* cache attributes are for those with devices */
        l1_refused("PCD", l1.pte | PTE_PCD);
        l1_refused("PWT", l1.pte | PTE_PWT);
        l1_refused("PAT", l1.pte | PTE_PSE);
    }
    l1_end();
}

SUITE(protections, 21, 0, TEST(writable_tables), TEST(mapped_writable), TEST(stale_translation),
      TEST(foreign_frames), TEST(wild_frames), TEST(l1_bits));
