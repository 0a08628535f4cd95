/* Suite "pagetables": changes of page tables that must work, and invalid requests. Here are the
 * mapping hypercalls; pins, roots and flushes are in pagetables_pins.c, stores to tables in
 * writable.c, forbidden mappings in protections.c. */
#include <string.h>
#include "area.h"
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"

#define UNMAPPED  0xffffff0000000000ul

static const volatile uint64_t *const m2p = (const volatile uint64_t *)HOLE_START;

static void update_va_mapping(void)
{
    static uint64_t vcpus[2] = { 1 };
    const uint64_t flags[] = { UVMF_INVLPG | UVMF_LOCAL, UVMF_INVLPG | UVMF_ALL,
                               UVMF_TLB_FLUSH | UVMF_LOCAL, UVMF_TLB_FLUSH | UVMF_ALL,
                               UVMF_INVLPG | (uint64_t)vcpus, UVMF_TLB_FLUSH | (uint64_t)vcpus };
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
    EXPECT_EQ(xen_update_va_mapping(va, 0x123456789abcde0, 0), 0);    /* not present: any bits */
    EXPECT_EQ(*x.slot & ~1ul, 0x123456789abcde0);
    EXPECT_EQ(xen_update_va_mapping(va, 0, UVMF_INVLPG | 0x7ff0000000000008ul), -XEN_EFAULT);
    EXPECT_EQ(xen_update_va_mapping(UNMAPPED, pte, 0), -XEN_EINVAL);
    EXPECT_EQ(xen_update_va_mapping(0x8000000000000000, pte, 0), -XEN_EINVAL);
    EXPECT_EQ(xen_update_va_mapping(HOLE_START, pte, 0), -XEN_EINVAL);
    EXPECT_EQ(xen_update_va_mapping(HOLE_END - PAGE_SIZE, pte, 0), -XEN_EINVAL);
    EXPECT_EQ(xen_update_va_mapping_otherdomain(va, pte, UVMF_INVLPG, DOMID_SELF), 0);
    EXPECT_EQ(*x.va, 0xaaaa);
    EXPECT_EQ(xen_update_va_mapping_otherdomain(va, pte, 0, NO_SUCH_DOMAIN), -XEN_ESRCH);
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
    EXPECT_EQ(mmu_set(x.maddr, clean | 0xe00 | PTE_NX), 0);        /* bits that the CPU ignores */
    EXPECT_EQ(*x.slot & OURS, clean | 0xe00 | PTE_NX);
    if (!pte_nx) {                        /* then the bit is reserved */
        EXPECT_EQ(mmu_set(x.maddr, clean | PTE_NX_BIT), -XEN_EINVAL);
        EXPECT_EQ(*x.slot & OURS, clean | 0xe00);
    }
    flush_local();
    area_free(&x);
}

/* A frame that is no page table is written without checks, also if no writable mapping of it
 * exists. */
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

/* A batch ends at the first error, and *done tells how many requests were done before. */
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
    EXPECT_EQ(xen_mmu_update(req, 1, NULL, NO_SUCH_DOMAIN), -XEN_ESRCH);
    req[0].ptr = PTE_ADDR_MASK & ~0xffful;                  /* no such frame */
    EXPECT_EQ(xen_mmu_update(req, 1, &done, DOMID_SELF), -XEN_EINVAL);
    EXPECT_EQ(done, 0);
    flush_local();
    area_free(&x);
}

#define IN_THE_HOLE ((void *)0xffff830000000000)

/* The low two bits of ptr are the command, the third must be 0. An invalid pdone is no error. */
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

/* The error if several things are wrong, and what is then written to *done. */
static void errors_in_order(void)
{
    struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    struct area x = area_new();
    uint64_t pte = make_pte(pfn_to_mfn(x.a), PTE_KERNEL);
    struct mmu_update req = { x.maddr, pte };
    domid_t own = own_domid();
    unsigned done = 77;

    EXPECT_EQ(xen_mmu_update(&req, 1, &done, own), -XEN_ESRCH);     /* only as DOMID_SELF */
    EXPECT_EQ(done, 0);
    EXPECT_EQ(xen_mmu_update(&req, 1, &done, DOMID_SELF | (own + 1u) << 16), 0);
    EXPECT_EQ(done, 1);
    EXPECT_EQ(xen_mmuext_op(&op, 1, &done, own), -XEN_ESRCH);
    EXPECT_EQ(xen_update_va_mapping_otherdomain((uint64_t)x.va, pte, 0, own), -XEN_ESRCH);
    EXPECT_EQ(xen_update_va_mapping_otherdomain(UNMAPPED, pte, 0, own), -XEN_ESRCH);
    done = 77;
    EXPECT_EQ(xen_mmu_update(IN_THE_HOLE, 1, &done, NO_SUCH_DOMAIN), -XEN_EFAULT);
    EXPECT_EQ(xen_mmuext_op(IN_THE_HOLE, 0, &done, NO_SUCH_DOMAIN), -XEN_EFAULT);
    EXPECT_EQ(xen_mmu_update(&req, 1, &done, DOMID_SELF | (NO_SUCH_DOMAIN + 1u) << 16), -XEN_ESRCH);
    EXPECT_EQ(xen_mmuext_op(&op, 1, &done, NO_SUCH_DOMAIN), -XEN_ESRCH);
    EXPECT_EQ(done, 77);
    EXPECT_EQ(xen_mmu_update((void *)UNMAPPED, 1, &done, NO_SUCH_DOMAIN), -XEN_ESRCH);
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

/* The hypervisor makes pages of the guest's user mode global, and marks the others, whose entries
 * get US, too. The guest sees that, and may write back what it has read. */
static void user_pages_are_global(void)
{
    static const struct {
        uint64_t written, stored;
    } rows[] = {
        { PTE_USER, PTE_USER | PTE_G },
        { PTE_KERNEL, PTE_USER | PTE_GUEST_KERNEL },
        { PTE_USER | PTE_G, PTE_USER | PTE_G },
        { PTE_USER | PTE_GUEST_KERNEL, PTE_USER | PTE_GUEST_KERNEL },
        { PTE_KERNEL | PTE_GUEST_KERNEL, PTE_USER | PTE_GUEST_KERNEL },
    };
    struct area x = area_new();
    mfn_t mfn = pfn_to_mfn(x.a);

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_EQ(mmu_set(x.maddr, make_pte(mfn, rows[i].written)), 0);
        EXPECT_EQ(*x.slot, make_pte(mfn, rows[i].stored));
        EXPECT_EQ(xen_update_va_mapping((uint64_t)x.va, *x.slot, UVMF_INVLPG), 0);
        EXPECT_EQ(*x.slot, make_pte(mfn, rows[i].stored));
        EXPECT_EQ(*x.va, 0xaaaa);
    }
    EXPECT_EQ(mmu_set(x.maddr, PTE_USER & ~PTE_P), 0);
    EXPECT_EQ(*x.slot, PTE_USER & ~PTE_P);
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

SUITE(pagetables, 20, 0, TEST(update_va_mapping), TEST(mmu_update_commands),
      TEST(mmu_update_ordinary), TEST(mmu_update_batches), TEST(mmu_update_form),
      TEST(errors_in_order), TEST(user_pages_are_global), TEST(machphys_update));
