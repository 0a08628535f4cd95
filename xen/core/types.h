/* Types and constants that all files share: frame numbers, page sizes, and the address range that
 * the ABI reserves for the hypervisor. */
#ifndef XEN_TYPES_H
#define XEN_TYPES_H

#include "common/x86/canonical.h"
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
#define HOLE_START 0xffff800000000000ull    /* "the hole": the reserved range */
#define HOLE_END 0xffff880000000000ull
#define HOLE_FIRST_SLOT 256u
#define HOLE_LAST_SLOT 271u

/* A set of CPUs, by number. */
#define MAX_CPU_NUMBERS 256u
struct cpu_set {
    uint64_t bits[MAX_CPU_NUMBERS / 64];
};

static inline bool cpu_in(const struct cpu_set *set, unsigned cpu)
{
    return set->bits[cpu / 64] >> cpu % 64 & 1;
}

#define MAX_VCPUS 32u       /* as many as shared_info has vcpu_info for */

/* A guest may pass [va, va + len) to a hypercall: no byte of it is in the hole, and it does not
 * wrap. Unmapped and non-canonical addresses are not refused here: the access faults, and returns
 * an error. For a range of constant length of at most a page it is enough to check va. If va is
 * right below the hole it is not canonical, and the access faults; if the range wraps, it continues
 * in the guest's own first page. */
static inline bool guest_range_ok(uint64_t va, uint64_t len)
{
    uint64_t end = va + len;

    if (__builtin_constant_p(len) && len <= PAGE_SIZE)
        return va >> 43 != HOLE_START >> 43;
    return end >= va && (end <= HOLE_START || va >= HOLE_END);
}

/* va is canonical and outside the hole. Such addresses, with wrap-around, are one range that begins
 * at the hole's end: the rest of the upper half, then the lower half. Its size is 31 times that of
 * the hole. */
static inline bool is_guest_va(uint64_t va)
{
    return (va - HOLE_END) >> 43 < (0x1000000000000ull - (HOLE_END - HOLE_START)) >> 43;
}

/* Through linear page tables (pv/linear.c) the hypervisor's entries of an L4 map addresses outside
 * the hole too. As soon as there are such tables, every read of guest memory by address is made by
 * linear_copy(), which fails if some byte of the range is mapped by an entry of the hypervisor.
 * Writes need no check: linear entries are without RW. Returns the number of bytes not copied. */
extern bool linear_tables;
uint64_t linear_copy(void *dst, uint64_t va, uint64_t len);

#endif
