/* Page-table entries, and the walk from an address to its L1 entry. Only reading: which entries a
 * guest may write is checked in pv/. */
#ifndef XEN_WALK_H
#define XEN_WALK_H

#include "arch/arch.h"
#include "xen/core/domain.h"

/* Bits of an entry: Intel SDM vol. 3, 4.5. */
#define PTE_P (1ull << 0)
#define PTE_RW (1ull << 1)
#define PTE_US (1ull << 2)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)          /* L2 and L3: a superpage; L1: PAT */
#define PTE_G (1ull << 8)
#define PTE_GUEST_KERNEL (1ull << 52)   /* a bit that CPUs ignore: F12 of frame.h */
#define PTE_NX (1ull << 63)
#define PTE_ADDR_MASK 0x000ffffffffff000ull
/* All ones: INVALID_MFN, cut to the bits of an entry. */
#define PTE_NO_MFN (PTE_ADDR_MASK >> PAGE_SHIFT)
#define PTE_MFN(pte) ((uint64_t)(pte) << 12 >> 24)     /* bits 12..51 */

static inline unsigned table_index(uint64_t va, unsigned level)
{
    return (va >> (PAGE_SHIFT + 9 * (level - 1))) & (PTES_PER_TABLE - 1);
}

/* walk_to_l1 for systems with linear entries: the table at each level must have the type of that
 * level. NULL also where a linear entry is met. */
uint64_t *walk_typed(uint64_t root_maddr, uint64_t va);

/* The address, in the hypervisor's mapping of all RAM, of the L1 entry for va in the page tables
 * with this L4. NULL: there is no L1 table for va; a table that a linear entry (frame.h, F10) makes
 * the CPU use as an L1 does not count. The caller holds the mm_lock of the tables' domain. Inline,
 * because each update_va_mapping does it. */
static inline uint64_t *walk_to_l1(uint64_t root_maddr, uint64_t va)
{
    const uint64_t *t = maddr_to_virt(root_maddr);
    uint64_t e;

    if (unlikely(!is_guest_va(va)))
        return NULL;
    if (unlikely(linear_tables))
        return walk_typed(root_maddr, va);
    _Pragma("GCC unroll 3") for (unsigned level = 4; level > 1; level--) {
        e = READ_ONCE(t[table_index(va, level)]);
        if (unlikely(!(e & PTE_P)))
            return NULL;
        t = maddr_to_virt(e & PTE_ADDR_MASK);
    }
    return (uint64_t *)&t[table_index(va, 1)];
}

/* The value of the L1 entry for va in v's current address space; 0: there is no L1 table. Takes the
 * domain's mm_lock. */
uint64_t read_guest_pte(const struct vcpu *v, uint64_t va);

#endif
