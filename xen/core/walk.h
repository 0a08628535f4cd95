/* The page tables of a guest as a CPU walks them: entries, indices, and where an address leads. Reading only: what a guest
 * may write into its tables is pv/'s. */
#ifndef XEN_WALK_H
#define XEN_WALK_H

#include "arch/arch.h"
#include "xen/core/domain.h"

/* Bits of an entry, Intel SDM vol. 3, 4.5. */
#define PTE_P (1ull << 0)
#define PTE_RW (1ull << 1)
#define PTE_US (1ull << 2)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)          /* L2 and L3: a superpage; L1: PAT */
#define PTE_G (1ull << 8)
#define PTE_NX (1ull << 63)
#define PTE_ADDR_MASK 0x000ffffffffff000ull
#define PTE_NO_MFN (PTE_ADDR_MASK >> PAGE_SHIFT)       /* all ones: what INVALID_MFN becomes in an entry */
#define PTE_MFN(pte) ((uint64_t)(pte) << 12 >> 24)     /* bits 12..51 */

static inline unsigned table_index(uint64_t va, unsigned level)
{
    return (va >> (PAGE_SHIFT + 9 * (level - 1))) & (PTES_PER_TABLE - 1);
}

/* walk_to_l1 where there are linear entries: at each level the table must be of the type that this
 * level has, so that a linear entry ends the walk. */
uint64_t *walk_typed(uint64_t root_maddr, uint64_t va);

/* The L1 slot that maps va under the root, in our own mapping of the table; NULL: no L1 there. What a linear
 * entry (frame.h, F10) shows at va as if it were an L1 is none. Inline, because each update_va_mapping is one. */
static inline uint64_t *walk_to_l1(uint64_t root_maddr, uint64_t va)
{
    const uint64_t *t = maddr_to_virt(root_maddr);
    uint64_t e;

    if (unlikely(!is_guest_va(va)))
        return NULL;
    if (unlikely(linear_tables))
        return walk_typed(root_maddr, va);
    _Pragma("GCC unroll 3") for (unsigned level = 4; level > 1; level--) {
        e = t[table_index(va, level)];
        if (unlikely(!(e & PTE_P)))
            return NULL;
        t = maddr_to_virt(e & PTE_ADDR_MASK);
    }
    return (uint64_t *)&t[table_index(va, 1)];
}

/* The L1 entry itself in v's current address space, read once; 0 when there is none. */
uint64_t read_guest_pte(const struct vcpu *v, uint64_t va);

#endif
