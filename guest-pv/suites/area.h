/* A page of address space whose mapping is changed, for the suites about page tables. */
#ifndef GUEST_SUITES_AREA_H
#define GUEST_SUITES_AREA_H

#include "hypercall.h"
#include "mm.h"
#include "suite.h"

/* The bits of an entry that the guest sets; the hypervisor may add others, and the CPU sets A and
 * D. */
#define OURS      (PTE_ADDR_MASK | PTE_P | PTE_RW | PTE_NX_BIT | 0xe00)

/* A page of address space with frame a behind it, frame b to replace it, and its L1 entry. */
struct area {
    volatile uint64_t *va;
    pfn_t a, b;
    uint64_t maddr;
    volatile uint64_t *slot;            /* read-only, as all tables are */
};

static inline struct area area_new(void)
{
    struct area x = { .va = va_alloc(1), .a = frame_alloc(), .b = frame_alloc() };

    *(uint64_t *)p2v(x.a) = 0xaaaa;
    *(uint64_t *)p2v(x.b) = 0xbbbb;
    ASSERT_EQ(map_page(x.va, make_pte(pfn_to_mfn(x.a), PTE_KERNEL)), 0);
    x.maddr = pte_maddr(x.va, 1);
    x.slot = (volatile uint64_t *)pte_slot(x.va, 1);
    return x;
}

static inline void area_free(struct area *x)
{
    EXPECT_EQ(unmap_page(x->va), 0);
    frame_free(x->a);
    frame_free(x->b);
}

/* Writable page tables: whether the hypervisor emulates stores to tables. */
static inline void writable_assist(bool on)
{
    ASSERT_EQ(xen_vm_assist(on ? VMASST_CMD_enable : VMASST_CMD_disable,
                            VMASST_TYPE_writable_pagetables), 0);
}
#endif
