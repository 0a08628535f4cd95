/* Suite "pagetables": changes of page tables that must work, and invalid requests: both mapping
 * hypercalls, pins, roots, flushes. Stores to tables are in writable.c, forbidden mappings in
 * protections.c. */
#include <string.h>
#include "area.h"
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"

#define NO_DOMAIN 0x7abc
#define UNMAPPED  0xffffff0000000000ul

static const volatile uint64_t *const m2p = (const volatile uint64_t *)HOLE_START;

static void update_va_mapping(void)
{
    static uint64_t vcpus[2] = { 1 };
    const uint64_t flags[] = { UVMF_INVLPG | UVMF_LOCAL, UVMF_INVLPG | UVMF_ALL, UVMF_TLB_FLUSH | UVMF_LOCAL,
                               UVMF_TLB_FLUSH | UVMF_ALL, UVMF_INVLPG | (uint64_t)vcpus,
                               UVMF_TLB_FLUSH | (uint64_t)vcpus };
    struct area x = area_new();
    uint64_t va = (uint64_t)x.va, pte = make_pte(pfn_to_mfn(x.a), PTE_KERNEL);

    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        pfn_t pfn = i % 2 ? x.a : x.b;

        EXPECT_EQ(xen_update_va_mapping(va, make_pte(pfn_to_mfn(pfn), PTE_KERNEL), flags[i]), 0);
        EXPECT_EQ(*x.va, i % 2 ? 0xaaaa : 0xbbbb);
    }
    EXPECT_EQ(xen_update_va_mapping(va, make_pte(pfn_to_mfn(x.a), PTE_RO), UVMF_INVLPG), 0);
    EXPECT_FAULT(try_write64(x.va, 1), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_EQ(xen_update_va_mapping(va, 0, UVMF_INVLPG), 0);
    EXPECT_FAULT(try_read64(x.va, NULL), TRAP_PF, 0);
    EXPECT_EQ(xen_update_va_mapping(va, 0x123456789abcde0, 0), 0);    /* not present: free to use */
    EXPECT_EQ(*x.slot & ~1ul, 0x123456789abcde0);
    EXPECT_EQ(xen_update_va_mapping(va, 0, UVMF_INVLPG | 0x7ff0000000000008ul), -XEN_EFAULT);
    EXPECT_EQ(xen_update_va_mapping(UNMAPPED, pte, 0), -XEN_EINVAL);
    EXPECT_EQ(xen_update_va_mapping(0x8000000000000000, pte, 0), -XEN_EINVAL);
    EXPECT_EQ(xen_update_va_mapping(HOLE_START, pte, 0), -XEN_EINVAL);
    EXPECT_EQ(xen_update_va_mapping(HOLE_END - PAGE_SIZE, pte, 0), -XEN_EINVAL);
    EXPECT_EQ(xen_update_va_mapping_otherdomain(va, pte, UVMF_INVLPG, DOMID_SELF), 0);
    EXPECT_EQ(*x.va, 0xaaaa);
    EXPECT_EQ(xen_update_va_mapping_otherdomain(va, pte, 0, NO_DOMAIN), -XEN_ESRCH);
    area_free(&x);
}

static void mmu_update_commands(void)
{
    struct area x = area_new();
    uint64_t clean = make_pte(pfn_to_mfn(x.a), PTE_P | PTE_RW);

    EXPECT_EQ(mmu_set(x.maddr, make_pte(pfn_to_mfn(x.b), PTE_KERNEL)), 0);
    flush_local();
    EXPECT_EQ(*x.va, 0xbbbb);
    EXPECT_EQ(mmu_set_cmd(x.maddr, clean, MMU_PT_UPDATE_NO_TRANSLATE), 0);
    flush_local();
    EXPECT_EQ(*x.slot & (PTE_A | PTE_D), 0);
    EXPECT_EQ(*x.va, 0xaaaa);
    *x.va = 1;
    EXPECT_EQ(*x.slot & (PTE_A | PTE_D), PTE_A | PTE_D);
    EXPECT_EQ(mmu_set_cmd(x.maddr, clean | 0x200, MMU_PT_UPDATE_PRESERVE_AD), 0);
    EXPECT_EQ(*x.slot & (PTE_A | PTE_D | 0x200), PTE_A | PTE_D | 0x200);
    EXPECT_EQ(mmu_set(x.maddr, clean), 0);
    EXPECT_EQ(*x.slot & (PTE_A | PTE_D | 0x200), 0);
    EXPECT_EQ(mmu_set(x.maddr, clean | 0xe00 | PTE_NX), 0);            /* the guest's own bits are kept */
    EXPECT_EQ(*x.slot & OURS, clean | 0xe00 | PTE_NX);
    if (!pte_nx) {                                                      /* reserved on this CPU */
        EXPECT_EQ(mmu_set(x.maddr, clean | PTE_NX_BIT), -XEN_EINVAL);
        EXPECT_EQ(*x.slot & OURS, clean | 0xe00);
    }
    flush_local();
    area_free(&x);
}

/* A frame that is no page table is simply stored to, whether a writable mapping of it exists or
 * not. */
static void mmu_update_ordinary(void)
{
    pfn_t pfn = frame_alloc();
    volatile uint64_t *page = p2v(pfn);

    EXPECT_EQ(mmu_set(v2maddr((void *)&page[7]), 0x1122334455667788), 0);
    EXPECT_EQ(page[7], 0x1122334455667788);
    EXPECT_EQ(mmu_set_cmd(v2maddr((void *)&page[8]), ~0ul, MMU_PT_UPDATE_PRESERVE_AD), 0);
    EXPECT_EQ(page[8], ~0ul);
    ASSERT_EQ(frame_set_ro(pfn), 0);
    EXPECT_EQ(mmu_set(v2maddr((void *)&page[511]), 42), 0);
    EXPECT_EQ(page[511], 42);
    EXPECT_EQ(page[510] | page[6] | page[9], 0);
    EXPECT_EQ(frame_set_rw(pfn), 0);
    frame_free(pfn);
}

/* The first error ends a batch; the count says where. */
static void mmu_update_batches(void)
{
    struct area x = area_new();
    uint64_t before = *x.slot & OURS;
    unsigned done = 77;
    struct mmu_update req[] = {
        { x.maddr, make_pte(pfn_to_mfn(x.b), PTE_KERNEL) },
        { x.maddr, make_pte(pfn_to_mfn(x.b), PTE_KERNEL) | PTE_ADDR_MASK },
        { x.maddr, 0 },
    };

    EXPECT(xen_mmu_update(req, 3, &done, DOMID_SELF) < 0);
    EXPECT_EQ(done, 1);
    EXPECT_EQ(*x.slot & OURS, req[0].val & OURS);
    req[1].val = before;
    EXPECT_EQ(xen_mmu_update(req, 2, &done, DOMID_SELF), 0);
    EXPECT_EQ(done, 2);
    EXPECT_EQ(*x.slot & OURS, before);
    EXPECT_EQ(xen_mmu_update(req, 2, NULL, DOMID_SELF), 0);
    EXPECT_EQ(xen_mmu_update(req, 0, &done, DOMID_SELF), 0);
    EXPECT_EQ(xen_mmu_update((void *)UNMAPPED, 1, &done, DOMID_SELF), -XEN_EFAULT);
    EXPECT_EQ(xen_mmu_update((void *)0xffff830000000000, 1, NULL, DOMID_SELF), -XEN_EFAULT);
    EXPECT_EQ(xen_mmu_update(req, 1, NULL, NO_DOMAIN), -XEN_ESRCH);
    req[0].ptr = PTE_ADDR_MASK & ~0xffful;                  /* no such frame */
    EXPECT_EQ(xen_mmu_update(req, 1, &done, DOMID_SELF), -XEN_EINVAL);
    EXPECT_EQ(done, 0);
    flush_local();
    area_free(&x);
}

#define IN_THE_HOLE ((void *)0xffff830000000000)

/* The low three bits of ptr are the command; where pdone points to does not matter. */
static void mmu_update_form(void)
{
    struct area x = area_new();
    uint64_t before = *x.slot & OURS;
    struct mmu_update req = { x.maddr, make_pte(pfn_to_mfn(x.a), PTE_KERNEL) };

    for (unsigned command = 4; command < 8; command++)
        EXPECT_EQ(mmu_set_cmd(x.maddr, 0, command), -XEN_ENOSYS);
    EXPECT_EQ(*x.slot & OURS, before);
    EXPECT_EQ(xen_mmu_update(&req, 1, (void *)UNMAPPED, DOMID_SELF), 0);
    EXPECT_EQ(xen_mmu_update(&req, 1, IN_THE_HOLE, DOMID_SELF), 0);
    area_free(&x);
}

/* Which of several errors is returned, and what is written back then. */
static void errors_in_order(void)
{
    struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    struct area x = area_new();
    uint64_t pte = make_pte(pfn_to_mfn(x.a), PTE_KERNEL);
    struct mmu_update req = { x.maddr, pte };
    domid_t own = own_domid();
    unsigned done = 77;

    EXPECT_EQ(xen_mmu_update(&req, 1, &done, own), -XEN_ESRCH);             /* DOMID_SELF is its only name here */
    EXPECT_EQ(done, 0);
    EXPECT_EQ(xen_mmu_update(&req, 1, &done, DOMID_SELF | (own + 1u) << 16), 0);
    EXPECT_EQ(done, 1);
    EXPECT_EQ(xen_mmuext_op(&op, 1, &done, own), -XEN_ESRCH);
    EXPECT_EQ(xen_update_va_mapping_otherdomain((uint64_t)x.va, pte, 0, own), -XEN_ESRCH);
    EXPECT_EQ(xen_update_va_mapping_otherdomain(UNMAPPED, pte, 0, own), -XEN_ESRCH);
    done = 77;
    EXPECT_EQ(xen_mmu_update(IN_THE_HOLE, 1, &done, NO_DOMAIN), -XEN_EFAULT);
    EXPECT_EQ(xen_mmuext_op(IN_THE_HOLE, 0, &done, NO_DOMAIN), -XEN_EFAULT);
    EXPECT_EQ(xen_mmu_update(&req, 1, &done, DOMID_SELF | (NO_DOMAIN + 1u) << 16), -XEN_ESRCH);
    EXPECT_EQ(xen_mmuext_op(&op, 1, &done, NO_DOMAIN), -XEN_ESRCH);
    EXPECT_EQ(done, 77);
    EXPECT_EQ(xen_mmu_update((void *)UNMAPPED, 1, &done, NO_DOMAIN), -XEN_ESRCH);
    EXPECT_EQ(done, 0);
    done = 77;
    EXPECT_EQ(xen_mmuext_op((void *)UNMAPPED, 1, &done, DOMID_SELF), -XEN_EFAULT);
    EXPECT_EQ(done, 0);
    EXPECT_EQ(xen_mmuext_op(&op, 1, (void *)UNMAPPED, DOMID_SELF), 0);
    if (!is_dom0()) {
        EXPECT_EQ(xen_mmu_update(&req, 1, &done, DOMID_XEN), -XEN_EPERM);
        EXPECT_EQ(xen_mmu_update(&req, 0, &done, DOMID_XEN), 0);
        EXPECT_EQ(xen_mmuext_op(&op, 0, &done, DOMID_IO), -XEN_EPERM);
        EXPECT_EQ(xen_update_va_mapping_otherdomain(UNMAPPED, pte, 0, DOMID_IO), -XEN_EPERM);
    }
    area_free(&x);
}

static void machphys_update(void)
{
    pfn_t pfn = frame_alloc();
    mfn_t mfn = pfn_to_mfn(pfn);

    EXPECT_EQ(m2p[mfn], pfn);
    EXPECT_EQ(mmu_set_cmd(mfn << PAGE_SHIFT, 0x12345, MMU_MACHPHYS_UPDATE), 0);
    EXPECT_EQ(m2p[mfn], 0x12345);
    EXPECT_EQ(mmu_set_cmd(mfn << PAGE_SHIFT, pfn, MMU_MACHPHYS_UPDATE), 0);
    EXPECT_EQ(m2p[mfn], pfn);
    EXPECT_EQ(mmu_set_cmd(PTE_ADDR_MASK, pfn, MMU_MACHPHYS_UPDATE), -XEN_EINVAL);
    frame_free(pfn);
}

/* --- pins ------------------------------------------------------------------------------------- */

static void pin_and_unpin(void)
{
    pfn_t pfn = table_alloc();

    for (unsigned level = 1; level <= 4; level++) {
        EXPECT_EQ(mmu_unpin(pfn), -XEN_EINVAL);             /* not pinned */
        ASSERT_EQ(mmu_pin(level, pfn), 0);
        EXPECT_EQ(mmu_pin(level, pfn), -XEN_EINVAL);        /* once is all */
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

/* Pinning a root types the whole tree below it, unpinning takes all of it back. */
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
        EXPECT_EQ(((uint64_t *)p2v(t[level]))[3] & OURS, make_pte(pfn_to_mfn(t[level - 1]),
                                                                  PTE_TABLE) & OURS);
    }
    EXPECT_EQ(mmu_pin(1, t[0]), -XEN_EINVAL);               /* the leaf is mapped writable, twice */
    *leaf = 5;
    EXPECT_EQ(mmu_pin(2, t[2]), 0);                         /* a pin of its own outlives the root's */
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
    EXPECT_EQ(mmu_set(at, entry), -XEN_EINVAL);             /* writable: no table */
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
    EXPECT_EQ(m2p[pfn_to_mfn(root)], root);                 /* the hypervisor's slots came with it */
    EXPECT_EQ(mmu_unpin(root), 0);                          /* in use: still an L4 */
    EXPECT_EQ(frame_set_rw(root), -XEN_EBUSY);
    ASSERT_EQ(set_kernel_root(old), 0);
    EXPECT_EQ(mmu_unpin(l1), 0);
    table_free(l1);
    table_free(root);
    frame_free(pfn);
}

/* --- the other extended operations ------------------------------------------------------------ */

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
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, HOLE_START, 0), 0);       /* harmless, whatever is there */
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
    EXPECT_EQ(xen_mmuext_op(ops, 1, NULL, NO_DOMAIN), -XEN_ESRCH);
    EXPECT_EQ(mmuext(MMUEXT_MARK_SUPER, 0, 0), -XEN_EOPNOTSUPP);
    EXPECT_EQ(mmuext(MMUEXT_UNMARK_SUPER, 0, 0), -XEN_EOPNOTSUPP);
}

SUITE(pagetables, 20, 0, TEST(update_va_mapping), TEST(mmu_update_commands), TEST(mmu_update_ordinary),
      TEST(mmu_update_batches), TEST(mmu_update_form), TEST(errors_in_order), TEST(machphys_update),
      TEST(pin_and_unpin), TEST(pin_a_tree), TEST(shared_table), TEST(new_baseptr), TEST(flushes), TEST(clear_and_copy), TEST(mmuext_batches));
