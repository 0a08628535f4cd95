/* The third file of suite "protections": the hypervisor's slots of a root, the M2P, which is
 * read-only, and stores of user mode to a table. */
#include "protections.h"
#include "user.h"

#define USER_PAGE  ((volatile void *)0x900000)

/* --- The hypervisor's slots of a root --------------------------------------------------------- */

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
        EXPECT_FAULT(try_write64((volatile uint64_t *)&l4[i], entry), TRAP_PF,
                     PF_PRESENT | PF_WRITE);
        EXPECT_EQ(l4[i], before);
    }
    EXPECT_EQ(((const volatile uint64_t *)HOLE_START)[pfn_to_mfn(1)], 1);
}

/* What a new root holds in those slots is replaced, not checked. */
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

/* --- User mode -------------------------------------------------------------------------------- */

USER_ASM void user_store(void)
{
    __asm__("movq %rsi, (%rdi)\n\tret");
}

/* A table mapped readable for user mode. User mode's stores to it are not emulated; only the
 * kernel's are. */
static void user_store_to_table(void)
{
    struct area x = area_new();
    uint64_t before = *x.slot;
    struct user_result res;

    writable_assist(true);
    ASSERT_EQ(map_user(USER_PAGE, make_pte(x.maddr >> PAGE_SHIFT, PTE_RO | PTE_US)), 0);
    res = user_run(user_store, (uint64_t)USER_PAGE + x.maddr % PAGE_SIZE, 0, 0);
    EXPECT(!res.exited);
    EXPECT_FAULT(res.fault, TRAP_PF, PF_PRESENT | PF_WRITE | PF_USER);
    EXPECT_EQ((*x.slot ^ before) & OURS, 0);
    EXPECT_EQ(unmap_page(USER_PAGE), 0);
    writable_assist(false);
    area_free(&x);
}

SUITE_PART(protections, 21, 2, TEST(hole_slots), TEST(hole_slots_of_new_root),
           TEST(m2p_is_read_only), TEST(user_store_to_table));
