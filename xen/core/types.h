/* Words that every subsystem shares: frame numbers, domain ids, page geometry and the reserved hole of the ABI. */
#ifndef XEN_TYPES_H
#define XEN_TYPES_H

#include <stdbool.h>
#include "xen/core/abi.h"
#include "xen/core/types.h"

typedef uint64_t mfn_t;     /* machine frame number */
typedef uint64_t pfn_t;     /* a guest's pseudo-physical frame number; the guest's own business */

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PTES_PER_TABLE 512u
#define INVALID_MFN (~0ull)
#define INVALID_M2P_ENTRY (~0ull)

/* L4 slots 256..271 are the hypervisor's, in every address space (public/arch-x86/xen-x86_64.h). */
#define HOLE_START 0xffff800000000000ull
#define HOLE_END 0xffff880000000000ull
#define HOLE_FIRST_SLOT 256u
#define HOLE_LAST_SLOT 271u

#define MAX_VCPUS 32u       /* what shared_info has vcpu_info for */

static inline bool is_canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* May a guest name [va, va + len)? Only the hole is refused here: an unmapped or non-canonical address faults in the
 * access itself and is an error there. A range may not wrap. For a short range of known length its start decides: what
 * lies right below the hole is not canonical, and what wraps lands in the guest's own first page. */
static inline bool guest_range_ok(uint64_t va, uint64_t len)
{
    uint64_t end = va + len;

    if (__builtin_constant_p(len) && len <= PAGE_SIZE)
        return va >> 43 != HOLE_START >> 43;
    return end >= va && (end <= HOLE_START || va >= HOLE_END);
}

/* The guest's part of the address space, canonical and outside the hole. Counted from the hole's end on, with wrapping,
 * it is one range: the rest of the upper half, then the lower half; 31 parts as large as the hole. */
static inline bool is_guest_va(uint64_t va)
{
    return (va - HOLE_END) >> 43 < (0x1000000000000ull - (HOLE_END - HOLE_START)) >> 43;
}

/* Linear page tables show the hypervisor's part of an L4 outside the hole too. Every read of guest memory by address asks
 * this, once there are such tables; writes meet the missing RW bit. linear.c */
extern bool linear_tables;
bool linear_hides(uint64_t va, uint64_t len);

#endif
