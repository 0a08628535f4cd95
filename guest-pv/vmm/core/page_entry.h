/* Entries of the guest's page tables (SDM vol. 3, 4.5.4): their bits, and how one is read. What a
 * walk makes of them is paging.c's. */
#ifndef VMM_CORE_PAGE_ENTRY_H
#define VMM_CORE_PAGE_ENTRY_H

#include "guest-pv/vmm/core/ram.h"

#define PTE_P (1ull << 0)
#define PTE_RW (1ull << 1)
#define PTE_US (1ull << 2)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_NX (1ull << 63)
#define PHYSICAL_BITS 40
#define PTE_ADDRESS 0x000ffffffffff000ull
#define PTE_RESERVED (PTE_ADDRESS & ~((1ull << PHYSICAL_BITS) - 1))

/* Of the table in that frame; 0 in absent memory. Read once. */
static inline uint64_t read_page_entry(const struct ram *r, uint64_t frame, unsigned index)
{
    uint64_t entry;

    __builtin_memcpy(&entry, frame_to_read(r, frame) + 8 * index, sizeof(entry));
    return entry;
}

#endif
