/* The second file of suite "pagetables": pins, roots, flushes, and the other operations of
 * mmuext_op. */
#include <string.h>
#include "area.h"
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"

#define UNMAPPED  0xffffff0000000000ul

/* --- Pins and roots --------------------------------------------------------------------------- */

static void pin_and_unpin(void)
{
    pfn_t pfn = table_alloc();

    for (unsigned level = 1; level <= 4; level++) {
        EXPECT_EQ(mmu_unpin(pfn), -XEN_EINVAL);             /* not pinned */
        ASSERT_EQ(mmu_pin(level, pfn), 0);
        EXPECT_EQ(mmu_pin(level, pfn), -XEN_EINVAL);        /* pinned already */
        EXPECT_EQ(mmu_pin(level % 4 + 1, pfn), -XEN_EINVAL);
        EXPECT_EQ(frame_set_rw(pfn), -XEN_EBUSY);
        EXPECT_EQ(mmu_unpin(pfn), 0);
    }
    EXPECT_EQ(frame_set_rw(pfn), 0);
    EXPECT_EQ(mmu_pin(1, pfn), -XEN_EINVAL);                /* it is writable now */
    EXPECT_EQ(frame_set_ro(pfn), 0);
    table_free(pfn);
    EXPECT_EQ(mmuext(MMUEXT_PIN_L1_TABLE, PTE_ADDR_MASK >> PAGE_SHIFT, 0), -XEN_EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_UNPIN_TABLE, PTE_ADDR_MASK >> PAGE_SHIFT, 0), -XEN_EINVAL);
}

/* Pinning a root gives all tables below it their types; unpinning ends all of these types. */
static void pin_a_tree(void)
{
    pfn_t t[5] = { frame_alloc(), frame_alloc(), frame_alloc(), frame_alloc(), frame_alloc() };
    uint64_t *leaf = p2v(t[0]);

    for (unsigned level = 1; level <= 4; level++) {
        uint64_t *table = p2v(t[level]);

        table[3] = make_pte(pfn_to_mfn(t[level - 1]), PTE_TABLE & ~PTE_A);
        ASSERT_EQ(frame_set_ro(t[level]), 0);
    }
    ASSERT_EQ(mmu_pin(4, t[4]), 0);
    for (unsigned level = 1; level <= 4; level++) {
        EXPECT_EQ(frame_set_rw(t[level]), -XEN_EBUSY);
        EXPECT_EQ(((uint64_t *)p2v(t[level]))[3] & OURS,
                  make_pte(pfn_to_mfn(t[level - 1]), PTE_TABLE) & OURS);
    }
    EXPECT_EQ(mmu_pin(1, t[0]), -XEN_EINVAL);               /* the leaf is mapped writable */
    *leaf = 5;
    EXPECT_EQ(mmu_pin(2, t[2]), 0);    /* this pin is kept when the root's ends */
    EXPECT_EQ(mmu_unpin(t[4]), 0);
    EXPECT_EQ(frame_set_rw(t[4]), 0);
    EXPECT_EQ(frame_set_rw(t[3]), 0);
    EXPECT_EQ(frame_set_rw(t[2]), -XEN_EBUSY);
    EXPECT_EQ(frame_set_rw(t[1]), -XEN_EBUSY);
    EXPECT_EQ(mmu_unpin(t[2]), 0);
    EXPECT_EQ(frame_set_rw(t[2]), 0);
    EXPECT_EQ(frame_set_rw(t[1]), 0);
    for (unsigned i = 0; i < 5; i++)
        frame_free(t[i]);
}

/* A table keeps its type as long as any entry refers to it. */
static void shared_table(void)
{
    pfn_t l2 = table_alloc(), l1 = table_alloc();
    uint64_t at = pfn_to_mfn(l2) << PAGE_SHIFT, entry = make_pte(pfn_to_mfn(l1), PTE_TABLE);

    ASSERT_EQ(mmu_pin(2, l2), 0);
    EXPECT_EQ(mmu_set(at, entry), 0);
    EXPECT_EQ(mmu_set(at + 8, entry), 0);
    EXPECT_EQ(mmu_set(at, 0), 0);
    EXPECT_EQ(frame_set_rw(l1), -XEN_EBUSY);
    EXPECT_EQ(mmu_set(at + 8, 0), 0);
    EXPECT_EQ(frame_set_rw(l1), 0);
    EXPECT_EQ(mmu_set(at, entry), -XEN_EINVAL);             /* mapped writable: cannot be a table */
    EXPECT_EQ(frame_set_ro(l1), 0);
    EXPECT_EQ(mmu_unpin(l2), 0);
    table_free(l1);
    table_free(l2);
}

static uint64_t read_cr3(void)
{
    uint64_t cr3;

    __asm__ volatile("movq %%cr3, %0" : "=r"(cr3));
    return cr3;
}

static void new_baseptr(void)
{
    pfn_t old = kernel_root(), root = root_clone(), l1 = table_alloc(), pfn = frame_alloc();

    EXPECT_EQ(mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(pfn), 0), -XEN_EINVAL);     /* ordinary */
    EXPECT_EQ(mmu_pin(1, l1), 0);
    EXPECT_EQ(mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(l1), 0), -XEN_EINVAL);      /* not an L4 */
    EXPECT_EQ(mmuext(MMUEXT_NEW_BASEPTR, PTE_ADDR_MASK >> PAGE_SHIFT, 0), -XEN_EINVAL);
    EXPECT_EQ(pte_mfn(read_cr3()), pfn_to_mfn(old));
    ASSERT_EQ(set_kernel_root(root), 0);
    EXPECT_EQ(pte_mfn(read_cr3()), pfn_to_mfn(root));
    EXPECT_EQ(mfn_to_pfn(pfn_to_mfn(root)), root);    /* it has the hypervisor's slots */
    EXPECT_EQ(mmu_unpin(root), 0);                          /* in use: still an L4 */
    EXPECT_EQ(frame_set_rw(root), -XEN_EBUSY);
    ASSERT_EQ(set_kernel_root(old), 0);
    EXPECT_EQ(mmu_unpin(l1), 0);
    table_free(l1);
    table_free(root);
    frame_free(pfn);
}

/* --- The other operations of mmuext_op -------------------------------------------------------- */

static long flush(unsigned cmd, uint64_t va, const void *vcpumask)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.linear_addr = va };

    set_xen_guest_handle(op.arg2.vcpumask, vcpumask);
    return xen_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void flushes(void)
{
    static uint64_t vcpus[2] = { 1 };
    struct area x = area_new();
    const struct { unsigned cmd; uint64_t va; void *vcpumask; } ops[] = {
        { MMUEXT_TLB_FLUSH_LOCAL, 0, NULL },
        { MMUEXT_INVLPG_LOCAL, (uint64_t)x.va, NULL },
        { MMUEXT_TLB_FLUSH_MULTI, 0, vcpus },
        { MMUEXT_INVLPG_MULTI, (uint64_t)x.va, vcpus },
        { MMUEXT_TLB_FLUSH_ALL, 0, NULL },
        { MMUEXT_INVLPG_ALL, (uint64_t)x.va, NULL },
    };

    for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        pfn_t pfn = i % 2 ? x.a : x.b;

        EXPECT_EQ(mmu_set(x.maddr, make_pte(pfn_to_mfn(pfn), PTE_KERNEL)), 0);
        EXPECT_EQ(flush(ops[i].cmd, ops[i].va, ops[i].vcpumask), 0);
        EXPECT_EQ(*x.va, i % 2 ? 0xaaaa : 0xbbbb);
    }
    EXPECT(flush(MMUEXT_TLB_FLUSH_MULTI, 0, (void *)UNMAPPED) < 0);
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, HOLE_START, 0), 0);       /* any address is accepted */
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, 0x8000000000000000, 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_FLUSH_CACHE, 0, 0), is_dom0() ? 0 : -XEN_EACCES);
    EXPECT_EQ(mmuext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0), is_dom0() ? 0 : -XEN_EINVAL);
    area_free(&x);
}

static void clear_and_copy(void)
{
    struct area x = area_new();
    mfn_t table = pfn_to_mfn(kernel_root());

    memset(p2v(x.a), 0x5a, PAGE_SIZE);
    EXPECT_EQ(mmuext(MMUEXT_COPY_PAGE, pfn_to_mfn(x.b), pfn_to_mfn(x.a)), 0);
    EXPECT_EQ(memcmp(p2v(x.a), p2v(x.b), PAGE_SIZE), 0);
    EXPECT_EQ(mmuext(MMUEXT_CLEAR_PAGE, pfn_to_mfn(x.a), 0), 0);
    EXPECT_EQ(*x.va | x.va[511], 0);
    EXPECT_EQ(x.va[0] == *(uint64_t *)p2v(x.b), 0);
    EXPECT(mmuext(MMUEXT_CLEAR_PAGE, table, 0) < 0);                /* never a table */
    EXPECT(mmuext(MMUEXT_COPY_PAGE, table, pfn_to_mfn(x.b)) < 0);
    EXPECT(mmuext(MMUEXT_COPY_PAGE, pfn_to_mfn(x.b), PTE_ADDR_MASK >> PAGE_SHIFT) < 0);
    area_free(&x);
}

static void mmuext_batches(void)
{
    struct mmuext_op ops[] = { { .cmd = MMUEXT_TLB_FLUSH_LOCAL }, { .cmd = 99 },
                               { .cmd = MMUEXT_TLB_FLUSH_LOCAL } };
    unsigned done = 77;

    EXPECT_EQ(xen_mmuext_op(ops, 3, &done, DOMID_SELF), -XEN_ENOSYS);
    EXPECT_EQ(done, 1);
    EXPECT_EQ(xen_mmuext_op(ops, 1, &done, DOMID_SELF), 0);
    EXPECT_EQ(done, 1);
    EXPECT_EQ(xen_mmuext_op(ops, 0, NULL, DOMID_SELF), 0);
    EXPECT_EQ(xen_mmuext_op((void *)UNMAPPED, 1, NULL, DOMID_SELF), -XEN_EFAULT);
    EXPECT_EQ(xen_mmuext_op(ops, 1, NULL, NO_SUCH_DOMAIN), -XEN_ESRCH);
    EXPECT_EQ(mmuext(MMUEXT_MARK_SUPER, 0, 0), -XEN_EOPNOTSUPP);
    EXPECT_EQ(mmuext(MMUEXT_UNMARK_SUPER, 0, 0), -XEN_EOPNOTSUPP);
}

SUITE_PART(pagetables, 20, 1, TEST(pin_and_unpin), TEST(pin_a_tree), TEST(shared_table),
           TEST(new_baseptr), TEST(flushes), TEST(clear_and_copy), TEST(mmuext_batches));
