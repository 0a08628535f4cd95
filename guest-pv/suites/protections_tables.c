/* The second file of suite "protections": entries of levels 2 to 4, tables that have entries for
 * themselves, and linear maps of all tables. */
#include "protections.h"

/* --- An entry tried in every way -------------------------------------------------------------- */

/* Expects that no way sets the entry: not at maddr, a slot that is zero of a live table of this
 * level; nor in a table that is pinned. */
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

/* Empty tables, pinned: live[n] is of level n, good[n] may be an entry of it. */
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

/* --- The tests -------------------------------------------------------------------------------- */

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

/* An entry must name a table of the next lower level. */
static void upper_targets(void)
{
    pfn_t ordinary = frame_alloc();

    upper_begin();
    for (unsigned level = 2; level <= 4; level++) {
        uint64_t maddr = (pfn_to_mfn(live[level]) << PAGE_SHIFT) + 8;

        upper_refused("ordinary page", level, maddr, make_pte(pfn_to_mfn(ordinary), PTE_TABLE));
        for (unsigned other = 1; other <= 4; other++)
            if (other != level - 1 && other != level)
                upper_refused("wrong level", level, maddr,
                              make_pte(pfn_to_mfn(live[other]), PTE_TABLE));
        if (hypervisor_frame(0) != NO_MFN)
            upper_refused("hypervisor frame", level, maddr,
                          make_pte(hypervisor_frame(0), PTE_TABLE));
        upper_refused("superpage of the machine", level, maddr, PTE_TABLE | PTE_PSE);
    }
    upper_end();
    frame_free(ordinary);
}

/* A table may have an entry for itself, or for another table of its level, but no writable one.
 * That other table may not have such an entry for a third: longer chains are refused. */
static void recursive_tables(void)
{
    upper_begin();
    for (unsigned level = 2; level <= 4; level++) {
        const uint64_t read_only = PTE_P | PTE_US | PTE_A;
        uint64_t maddr = (pfn_to_mfn(live[level]) << PAGE_SHIFT) + 8;
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
        upper_refused("another of its level, writable", level, maddr + 8, other | PTE_RW);
        EXPECT_EQ(mmu_set(maddr + 8, other), 0);
        EXPECT_EQ(mmu_set(second_maddr, self), -XEN_EINVAL);
        EXPECT_EQ(mmu_set(second_maddr, make_pte(pfn_to_mfn(third), read_only)), -XEN_EINVAL);
        EXPECT_EQ(mmu_set(pfn_to_mfn(third) << PAGE_SHIFT, self), -XEN_EINVAL);
        EXPECT_EQ(mmu_set(second_maddr, other), 0);                     /* for itself: no chain */
        EXPECT_EQ(mmu_set(pfn_to_mfn(third) << PAGE_SHIFT, other), 0);
        EXPECT_EQ(mmu_unpin(second), 0);
        EXPECT_EQ(frame_set_rw(second), -XEN_EBUSY);    /* two entries keep it a table */
        EXPECT_EQ(mmu_set(maddr + 8, 0), 0);
        EXPECT_EQ(frame_set_rw(second), -XEN_EBUSY);
        EXPECT_EQ(mmu_set(maddr, 0), 0);
        EXPECT_EQ(mmu_unpin(third), 0);
        EXPECT_EQ(frame_set_rw(second), 0);
        table_free(third);
        frame_free(second);
    }
    upper_end();
}

/* A table with an entry for itself can be pinned, and unpinned. */
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

/* --- A root that has an entry for itself: a linear map of all tables -------------------------- */

#define VIEW 0xffffd5eaf57ab000ul       /* the same slot, 427, at each level: the root itself */
_Static_assert(PT_INDEX(VIEW, 4) == PT_INDEX(VIEW, 1), "one slot for all");
#define IN_VIEW(l3, l2, l1)                                                             \
    ((VIEW & ~((1ul << 39) - 1)) | (uint64_t)(l3) << 30 | (uint64_t)(l2) << 21 | (l1) << 12)

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

/* Through the linear map all tables can be read. None can be written, even where all entries above
 * allow writes. */
static void linear_map(void)
{
    pfn_t old = kernel_root(), root;
    unsigned slot = PT_INDEX(VIEW, 4), top = PT_INDEX(VIRT_BASE, 4);
    volatile uint64_t *view = (volatile uint64_t *)VIEW;
    volatile uint64_t *low =
        (volatile uint64_t *)IN_VIEW(top, PT_INDEX(VIRT_BASE, 3), PT_INDEX(VIRT_BASE, 2));
    uint64_t maddr, entry;

    root = view_begin(&maddr);
    upper_refused("root in itself, writable", 4, maddr + 8,
                  make_pte(pfn_to_mfn(root), PTE_TABLE));
    EXPECT_NO_FAULT(try_read64(&view[slot], &entry));
    EXPECT_EQ(pte_mfn(entry), pfn_to_mfn(root));
    EXPECT_NO_FAULT(try_read64(&low[PT_INDEX(VIRT_BASE, 1)], &entry));
    EXPECT_EQ(entry & OURS, pte_read((void *)VIRT_BASE, 1) & OURS);
    EXPECT_FAULT(try_write64(&view[slot], 0), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_FAULT(try_write64(&view[slot + 1], PTE_TABLE | PTE_PSE), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_FAULT(try_write64(&low[0], entry), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_EQ(xen_update_va_mapping(VIEW, make_pte(pfn_to_mfn(root), PTE_KERNEL), UVMF_INVLPG),
              -XEN_EINVAL);
    EXPECT_EQ(xen_update_va_mapping(VIEW, 0, UVMF_NONE), -XEN_EINVAL);
    EXPECT_EQ(xen_update_va_mapping((uint64_t)low, 0, UVMF_NONE), -XEN_EINVAL);
    EXPECT_EQ(xen_update_va_mapping(IN_VIEW(PT_INDEX(HOLE_START, 4), 0, 0), 0, UVMF_NONE),
              -XEN_EINVAL);
    view_end(root, old, maddr);
}

/* Through the linear map the hypervisor's own entries are reachable, too, at addresses outside the
 * hole. They lack the user bit, which stops the guest. The hypervisor must refuse to read a
 * hypercall's arguments there by a check of its own. */
static void linear_map_of_the_hypervisor(void)
{
    pfn_t old = kernel_root(), root;
    unsigned self = PT_INDEX(VIEW, 4), seen = 0;
    uint64_t maddr;

    root = view_begin(&maddr);
    /* The first slot is the M2P's, which the guest may read. */
    for (unsigned slot = PT_INDEX(HOLE_START, 4) + 1; slot < PT_INDEX(HOLE_END, 4); slot++)
        for (unsigned i = 0; i < 512; i++) {
            const uint64_t places[] = { IN_VIEW(slot, 0, i), IN_VIEW(slot, i, 0),
                                        IN_VIEW(self, slot, i) };

            for (unsigned p = 0; p < 3; p++)
                seen += xen_memory_op(XENMEM_current_reservation, (void *)places[p]) !=
                        -XEN_EFAULT;
        }
    EXPECT_MSG(seen == 0, "%u pages of the hypervisor were read as an argument", seen);
    view_end(root, old, maddr);
}

SUITE_PART(protections, 21, 1, TEST(upper_bits), TEST(upper_targets), TEST(recursive_tables),
           TEST(recursive_table_pinned), TEST(linear_map), TEST(linear_map_of_the_hypervisor));
