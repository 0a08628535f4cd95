/* Suite "protections": mappings and types that no domain may ever get, tried by every hypercall
 * that could make them. Each attempt must be refused and leave the table as it was. What must work
 * is in pagetables.c. */
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"
#include "user.h"

#define OURS       (PTE_ADDR_MASK | PTE_P | PTE_RW | PTE_NX_BIT | 0xe00)
#define USER_PAGE  ((volatile void *)0x900000)
#define NO_MFN     (PTE_ADDR_MASK >> PAGE_SHIFT)

static void writable_assist(bool on)
{
    ASSERT_EQ(xen_vm_assist(on ? VMASST_CMD_enable : VMASST_CMD_disable, VMASST_TYPE_writable_pagetables), 0);
}

/* A frame of the hypervisor's own, as found in its part of our root; NO_MFN if nothing is mapped
 * there. */
static mfn_t hypervisor_frame(unsigned skip)
{
    const volatile uint64_t *l4 = p2v(kernel_root());

    for (unsigned i = PT_INDEX(HOLE_START, 4); i < PT_INDEX(HOLE_END, 4); i++)
        if ((l4[i] & PTE_P) && mfn_to_pfn(pte_mfn(l4[i])) == INVALID_MFN && !skip--)
            return pte_mfn(l4[i]);
    return NO_MFN;
}

/* --- L1 entries ------------------------------------------------------------------------------- */

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

/* Is this result an error, and one that the ABI allows here? */
static bool refusal(long rc)
{
    return rc == -XEN_EINVAL || rc == -XEN_EPERM || rc == -XEN_EBUSY;
}

static void untouched(const char *what, const char *way)
{
    EXPECT_MSG(((*l1.slot ^ l1.pte) & OURS) == 0, "%s by %s: the entry is %#lx", what, way, *l1.slot);
    if ((*l1.slot ^ l1.pte) & OURS)
        mmu_set(l1.maddr, l1.pte);
}

/*
 * Tries pte in a live entry in each of the ways, over an entry and over nothing, and in a table to
 * be pinned.
 */
static void l1_refused(const char *what, uint64_t pte)
{
    static const unsigned cmds[] = { MMU_NORMAL_PT_UPDATE, MMU_PT_UPDATE_PRESERVE_AD,
                                     MMU_PT_UPDATE_NO_TRANSLATE };
    uint64_t present = l1.pte;
    pfn_t table = frame_alloc();
    long rc;

    for (unsigned round = 0; round < 2; round++) {
        rc = map_page(l1.va, pte);
        EXPECT_MSG(refusal(rc), "%s by update_va_mapping: %ld", what, rc);
        untouched(what, "update_va_mapping");
        for (unsigned i = 0; i < 3; i++) {
            rc = mmu_set_cmd(l1.maddr, pte, cmds[i]);
            EXPECT_MSG(refusal(rc), "%s by mmu_update %u: %ld", what, cmds[i], rc);
            untouched(what, "mmu_update");
        }
        EXPECT_MSG(try_write64(l1.slot, pte).vector == TRAP_PF, "%s by a store: went through", what);
        untouched(what, "a store");
        l1.pte = 0;
        ASSERT_EQ(unmap_page(l1.va), 0);
    }
    l1.pte = present;
    ASSERT_EQ(map_page(l1.va, present), 0);
    ((uint64_t *)p2v(table))[511] = pte;
    ASSERT_EQ(frame_set_ro(table), 0);
    rc = mmu_pin(1, table);
    EXPECT_MSG(refusal(rc), "%s by a pin: %ld", what, rc);
    if (!rc)
        mmu_unpin(table);
    table_free(table);
}

/* No table of any level is ever mapped writable, in use or only pinned. */
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

/*
 * A writable translation may still be in the TLB, since nobody asked for a flush: when its frame
 * becomes a table, it must be gone.
 */
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

/* Where the M2P has no entry, reading may fault. */
static bool is_ours(mfn_t mfn)
{
    uint64_t pfn;
    struct fault f = try_read64((const void *)(MACH2PHYS_VIRT_START + 8 * mfn), &pfn);

    return f.vector == FAULT_NONE && mfn_to_pfn(mfn) != INVALID_MFN;
}

/* Frames anywhere in the machine: RAM of others, devices, no memory. Privileged domains may map
 * devices. */
static void wild_frames(void)
{
    static const mfn_t places[] = { 0, 0xa0, 0xb8, 0xf0, 0xfec00, 0xfee00, 0xfffff, 0x1000000 };
    uint64_t random = 0x9e3779b97f4a7c15;
    mfn_t grant_frame = gnttab() ? pte_mfn(pte_read(gnttab(), 1)) : INVALID_MFN;     /* ours, with no pfn */

    if (is_dom0())
        SKIP("domain 0 may map devices, and what is no RAM may be one");
    l1_begin();
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (!is_ours(places[i])) {
            l1_refused("wild frame", make_pte(places[i], PTE_RO));
            EXPECT_EQ(map_page(l1.va, make_pte(places[i], PTE_RO)), -XEN_EPERM);    /* it is no RAM */
        }
    EXPECT_EQ(map_page(l1.va, make_pte(NO_MFN, PTE_RO)), -XEN_EINVAL);
    for (unsigned i = 0; i < 512; i++) {
        mfn_t mfn;
        long rc;

        random = random * 6364136223846793005 + 1442695040888963407;
        mfn = (random >> 33) % 0x20000;                     /* of the first 512 MiB: most likely RAM */
        if (is_ours(mfn) || mfn == start_info->shared_info >> PAGE_SHIFT || mfn == grant_frame)
            continue;
        rc = map_page(l1.va, make_pte(mfn, PTE_KERNEL));
        EXPECT_MSG(refusal(rc), "frame %#lx is not ours, mapping it: %ld", mfn, rc);
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

/* --- higher levels ---------------------------------------------------------------------------- */

/* Tries an entry in the free slot at `maddr` of a live table of this level, and in a table to be
 * pinned. */
static void upper_refused(const char *what, unsigned level, uint64_t maddr, uint64_t entry)
{
    const volatile uint64_t *slot =
        (uint64_t *)((uint64_t)p2v(mfn_to_pfn(maddr >> PAGE_SHIFT)) + maddr % PAGE_SIZE);
    pfn_t table = frame_alloc();
    long rc = mmu_set(maddr, entry);

    EXPECT_MSG(rc < 0, "%s at level %u: %ld", what, level, rc);
    rc = mmu_set_cmd(maddr, entry, MMU_PT_UPDATE_PRESERVE_AD);
    EXPECT_MSG(rc < 0, "%s at level %u, preserving: %ld", what, level, rc);
    EXPECT_MSG(*slot == 0, "%s at level %u: the entry is %#lx", what, level, *slot);
    EXPECT_FAULT(try_write64((volatile uint64_t *)slot, entry), TRAP_PF, PF_PRESENT | PF_WRITE);
    if (*slot)
        mmu_set(maddr, 0);
    ((uint64_t *)p2v(table))[5] = entry;
    ASSERT_EQ(frame_set_ro(table), 0);
    rc = mmu_pin(level, table);
    EXPECT_MSG(rc < 0, "%s in a table pinned at level %u: %ld", what, level, rc);
    if (!rc)
        mmu_unpin(table);
    table_free(table);
}

/*
 * Tables of levels 2..4 with nothing in them, hooked or pinned so that they are live; good[n] fits
 * level n.
 */
static pfn_t live[5], good[5];

static void upper_begin(void)
{
    for (unsigned level = 1; level <= 4; level++) {
        live[level] = table_alloc();
        good[level] = table_alloc();
        ASSERT_EQ(mmu_pin(level, live[level]), 0);
        if (level > 1)
            ASSERT_EQ(mmu_pin(level - 1, good[level]), 0);
    }
    writable_assist(true);
}

static void upper_end(void)
{
    writable_assist(false);
    for (unsigned level = 1; level <= 4; level++) {
        EXPECT_EQ(mmu_unpin(live[level]), 0);
        if (level > 1)
            EXPECT_EQ(mmu_unpin(good[level]), 0);
        table_free(live[level]);
        table_free(good[level]);
    }
}

static void upper_bits(void)
{
    static const struct { const char *name; uint64_t bits; } bad[] = {
        { "PSE", PTE_PSE }, { "PCD", PTE_PCD }, { "PWT", PTE_PWT }, { "G", PTE_G },
        { "address bit 51", 1ul << 51 }, { "all address bits", PTE_ADDR_MASK },
    };

    upper_begin();
    for (unsigned level = 2; level <= 4; level++) {
        uint64_t maddr = (pfn_to_mfn(live[level]) << PAGE_SHIFT) + 8;
        uint64_t entry = make_pte(pfn_to_mfn(good[level]), PTE_TABLE);

        EXPECT_EQ(mmu_set(maddr, entry), 0);
        EXPECT_EQ(mmu_set(maddr, 0), 0);
        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
            upper_refused(bad[i].name, level, maddr, entry | bad[i].bits);
    }
    upper_end();
}

/* Only a table of the level below fits below. */
static void upper_targets(void)
{
    pfn_t ordinary = frame_alloc();

    upper_begin();
    for (unsigned level = 2; level <= 4; level++) {
        uint64_t maddr = (pfn_to_mfn(live[level]) << PAGE_SHIFT) + 8;

        upper_refused("ordinary page", level, maddr, make_pte(pfn_to_mfn(ordinary), PTE_TABLE));
        for (unsigned other = 1; other <= 4; other++)
            if (other != level - 1 && other != level)
                upper_refused("wrong level", level, maddr, make_pte(pfn_to_mfn(live[other]), PTE_TABLE));
        if (hypervisor_frame(0) != NO_MFN)
            upper_refused("hypervisor frame", level, maddr, make_pte(hypervisor_frame(0), PTE_TABLE));
        upper_refused("superpage of the machine", level, maddr, PTE_TABLE | PTE_PSE);
    }
    upper_end();
    frame_free(ordinary);
}

/* A table in a table of its own level is never writable through it. Read-only, it may contain
 * itself, or another one that contains no third; longer chains are refused. */
static void recursive_tables(void)
{
    upper_begin();
    for (unsigned level = 2; level <= 4; level++) {
        uint64_t maddr = (pfn_to_mfn(live[level]) << PAGE_SHIFT) + 8, read_only = PTE_P | PTE_US | PTE_A;
        uint64_t self = make_pte(pfn_to_mfn(live[level]), read_only), other;
        pfn_t second = table_alloc(), third = table_alloc();
        uint64_t second_maddr = pfn_to_mfn(second) << PAGE_SHIFT;

        other = make_pte(pfn_to_mfn(second), read_only);
        upper_refused("itself, writable", level, maddr, self | PTE_RW);
        EXPECT_EQ(mmu_set(maddr, self), 0);
        EXPECT_EQ(mmu_set(maddr, self | PTE_RW), -XEN_EINVAL);
        EXPECT_EQ(mmu_set(maddr, self | PTE_D), 0);
        ASSERT_EQ(mmu_pin(level, second), 0);
        ASSERT_EQ(mmu_pin(level, third), 0);
        upper_refused("its like, writable", level, maddr + 8, other | PTE_RW);
        EXPECT_EQ(mmu_set(maddr + 8, other), 0);
        EXPECT_EQ(mmu_set(second_maddr, self), -XEN_EINVAL);
        EXPECT_EQ(mmu_set(second_maddr, make_pte(pfn_to_mfn(third), read_only)), -XEN_EINVAL);
        EXPECT_EQ(mmu_set(pfn_to_mfn(third) << PAGE_SHIFT, self), -XEN_EINVAL);
        EXPECT_EQ(mmu_set(second_maddr, other), 0);                     /* its own is no chain */
        EXPECT_EQ(mmu_set(pfn_to_mfn(third) << PAGE_SHIFT, other), 0);
        EXPECT_EQ(mmu_unpin(second), 0);
        EXPECT_EQ(frame_set_rw(second), -XEN_EBUSY);                    /* the entries keep it what it is, */
        EXPECT_EQ(mmu_set(maddr + 8, 0), 0);
        EXPECT_EQ(frame_set_rw(second), -XEN_EBUSY);
        EXPECT_EQ(mmu_set(maddr, 0), 0);
        EXPECT_EQ(mmu_unpin(third), 0);
        EXPECT_EQ(frame_set_rw(second), 0);                             /* and only they */
        table_free(third);
        frame_free(second);
    }
    upper_end();
}

/* A table can be pinned with such an entry in it, and given back with it. */
static void recursive_table_pinned(void)
{
    for (unsigned level = 2; level <= 4; level++) {
        pfn_t table = frame_alloc();
        volatile uint64_t *slot = (volatile uint64_t *)p2v(table) + 17;

        *slot = make_pte(pfn_to_mfn(table), PTE_P);
        ASSERT_EQ(frame_set_ro(table), 0);
        ASSERT_EQ(mmu_pin(level, table), 0);
        EXPECT_EQ(*slot & OURS, make_pte(pfn_to_mfn(table), PTE_P));
        EXPECT_EQ(mmu_unpin(table), 0);
        EXPECT_EQ(frame_set_rw(table), 0);
        frame_free(table);
    }
}

#define VIEW 0xffffd5eaf57ab000ul       /* slot 427, four times over */
_Static_assert(PT_INDEX(VIEW, 4) == PT_INDEX(VIEW, 1), "one slot for all");
#define IN_VIEW(l3, l2, l1) ((VIEW & ~((1ul << 39) - 1)) | (uint64_t)(l3) << 30 | (uint64_t)(l2) << 21 | (l1) << 12)

static pfn_t view_begin(uint64_t *maddr)
{
    pfn_t root = root_clone();

    *maddr = (pfn_to_mfn(root) << PAGE_SHIFT) + PT_INDEX(VIEW, 4) * 8;
    EXPECT_EQ(mmu_set(*maddr, make_pte(pfn_to_mfn(root), PTE_P | PTE_US | PTE_A)), 0);
    ASSERT_EQ(set_kernel_root(root), 0);
    return root;
}

static void view_end(pfn_t root, pfn_t old, uint64_t maddr)
{
    ASSERT_EQ(set_kernel_root(old), 0);
    EXPECT_EQ(mmu_set(maddr, 0), 0);
    EXPECT_EQ(mmu_unpin(root), 0);
    table_free(root);
}

/* When a root maps itself, its tables can be read as pages, but not written, whatever the flags of
 * the entries above. */
static void linear_map(void)
{
    pfn_t old = kernel_root(), root;
    unsigned slot = PT_INDEX(VIEW, 4), top = PT_INDEX(VIRT_BASE, 4);
    volatile uint64_t *view = (volatile uint64_t *)VIEW;
    volatile uint64_t *low = (volatile uint64_t *)IN_VIEW(top, PT_INDEX(VIRT_BASE, 3), PT_INDEX(VIRT_BASE, 2));
    uint64_t maddr, entry;

    root = view_begin(&maddr);
    upper_refused("root in itself, writable", 4, maddr + 8, make_pte(pfn_to_mfn(root), PTE_TABLE));
    EXPECT_NO_FAULT(try_read64(&view[slot], &entry));
    EXPECT_EQ(pte_mfn(entry), pfn_to_mfn(root));
    EXPECT_NO_FAULT(try_read64(&low[PT_INDEX(VIRT_BASE, 1)], &entry));
    EXPECT_EQ(entry & OURS, pte_read((void *)VIRT_BASE, 1) & OURS);
    EXPECT_FAULT(try_write64(&view[slot], 0), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_FAULT(try_write64(&view[slot + 1], PTE_TABLE | PTE_PSE), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_FAULT(try_write64(&low[0], entry), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_EQ(xen_update_va_mapping(VIEW, make_pte(pfn_to_mfn(root), PTE_KERNEL), UVMF_INVLPG), -XEN_EINVAL);
    EXPECT_EQ(xen_update_va_mapping(VIEW, 0, UVMF_NONE), -XEN_EINVAL);
    EXPECT_EQ(xen_update_va_mapping((uint64_t)low, 0, UVMF_NONE), -XEN_EINVAL);
    EXPECT_EQ(xen_update_va_mapping(IN_VIEW(PT_INDEX(HOLE_START, 4), 0, 0), 0, UVMF_NONE), -XEN_EINVAL);
    view_end(root, old, maddr);
}

/* A root also holds the hypervisor's entries, and a root in the place of a lower table shows them
 * outside the hole. They lack the user bit, which stops the guest; the hypervisor has to refuse to
 * read through them by its own check. */
static void linear_map_of_the_hypervisor(void)
{
    pfn_t old = kernel_root(), root;
    unsigned self = PT_INDEX(VIEW, 4), seen = 0;
    uint64_t maddr;

    root = view_begin(&maddr);
    for (unsigned slot = PT_INDEX(HOLE_START, 4) + 1; slot < PT_INDEX(HOLE_END, 4); slot++)     /* behind the M2P */
        for (unsigned i = 0; i < 512; i++) {
            const uint64_t places[] = { IN_VIEW(slot, 0, i), IN_VIEW(slot, i, 0), IN_VIEW(self, slot, i) };

            for (unsigned p = 0; p < 3; p++)
                seen += xen_memory_op(XENMEM_current_reservation, (void *)places[p]) != -XEN_EFAULT;
        }
    EXPECT_MSG(seen == 0, "%u pages of the hypervisor were read as an argument", seen);
    view_end(root, old, maddr);
}

/* --- the hypervisor's slots ------------------------------------------------------------------- */

static void hole_slots(void)
{
    uint64_t root = pfn_to_mfn(kernel_root()) << PAGE_SHIFT;
    const volatile uint64_t *l4 = p2v(kernel_root());
    uint64_t entry = l4[PT_INDEX(VIRT_BASE, 4)];

    for (unsigned i = PT_INDEX(HOLE_START, 4); i < PT_INDEX(HOLE_END, 4); i++) {
        uint64_t before = l4[i];

        EXPECT_EQ(mmu_set(root + i * 8, entry), -XEN_EINVAL);
        EXPECT_EQ(mmu_set(root + i * 8, 0), -XEN_EINVAL);
        EXPECT_EQ(mmu_set_cmd(root + i * 8, entry, MMU_PT_UPDATE_PRESERVE_AD), -XEN_EINVAL);
        EXPECT_FAULT(try_write64((volatile uint64_t *)&l4[i], entry), TRAP_PF, PF_PRESENT | PF_WRITE);
        EXPECT_EQ(l4[i], before);
    }
    EXPECT_EQ(((const volatile uint64_t *)HOLE_START)[pfn_to_mfn(1)], 1);
}

/* The entries that a new root has in those slots are replaced, not checked. */
static void hole_slots_of_new_root(void)
{
    pfn_t old = kernel_root(), root = frame_alloc();
    const volatile uint64_t *from = p2v(old);
    uint64_t *to = p2v(root), garbage = make_pte(pfn_to_mfn(old), PTE_TABLE | PTE_PSE | PTE_PCD);

    for (unsigned i = 0; i < 512; i++)
        to[i] = i < PT_INDEX(HOLE_START, 4) || i >= PT_INDEX(HOLE_END, 4) ? from[i] : garbage;
    ASSERT_EQ(frame_set_ro(root), 0);
    ASSERT_EQ(mmu_pin(4, root), 0);
    ASSERT_EQ(set_kernel_root(root), 0);
    for (unsigned i = PT_INDEX(HOLE_START, 4); i < PT_INDEX(HOLE_END, 4); i++)
        EXPECT(((volatile uint64_t *)to)[i] != garbage);
    EXPECT_EQ(((const volatile uint64_t *)HOLE_START)[pfn_to_mfn(1)], 1);
    EXPECT_EQ(try_read64((void *)(HOLE_END - PAGE_SIZE), NULL).vector, TRAP_PF);
    ASSERT_EQ(set_kernel_root(old), 0);
    EXPECT_EQ(mmu_unpin(root), 0);
    table_free(root);
}

static void m2p_is_read_only(void)
{
    volatile uint64_t *entry = (volatile uint64_t *)HOLE_START + pfn_to_mfn(1);

    writable_assist(true);
    EXPECT_FAULT(try_write64(entry, 2), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_FAULT(try_write64(entry, 1), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT(xen_update_va_mapping((uint64_t)entry, make_pte(pfn_to_mfn(1), PTE_KERNEL), 0) < 0);
    writable_assist(false);
    EXPECT_EQ(*entry, 1);
}

/* --- user mode -------------------------------------------------------------------------------- */

static USER_CODE __attribute__((naked)) void user_store(void) { __asm__("movq %rsi, (%rdi)\n\tret"); }

/* A table mapped readable for user mode. User mode's stores to it are not emulated; only the
 * kernel's are. */
static void user_store_to_table(void)
{
    struct user_result res;

    l1_begin();
    ASSERT_EQ(map_user(USER_PAGE, make_pte(l1.maddr >> PAGE_SHIFT, PTE_RO | PTE_US)), 0);
    res = user_run(user_store, (uint64_t)USER_PAGE + l1.maddr % PAGE_SIZE, 0, 0);
    EXPECT(!res.exited);
    EXPECT_FAULT(res.fault, TRAP_PF, PF_PRESENT | PF_WRITE | PF_USER);
    untouched("zero", "a user's store");
    EXPECT_EQ(unmap_page(USER_PAGE), 0);
    l1_end();
}

SUITE(protections, 21, 0, TEST(writable_tables), TEST(mapped_writable), TEST(stale_translation),
      TEST(foreign_frames), TEST(wild_frames), TEST(l1_bits), TEST(upper_bits), TEST(upper_targets),
      TEST(recursive_tables), TEST(recursive_table_pinned), TEST(linear_map), TEST(linear_map_of_the_hypervisor),
      TEST(hole_slots), TEST(hole_slots_of_new_root), TEST(m2p_is_read_only), TEST(user_store_to_table));
