/* What the files of suite "protections" share. */
#ifndef GUEST_PROTECTIONS_H
#define GUEST_PROTECTIONS_H

#include "area.h"
#include "hypercall.h"

#define NO_MFN     (PTE_ADDR_MASK >> PAGE_SHIFT)

/* A table of the hypervisor's that its part of our root names, after `skip` others; or NO_MFN. */
static inline mfn_t hypervisor_frame(unsigned skip)
{
    const volatile uint64_t *l4 = p2v(kernel_root());

    for (unsigned i = PT_INDEX(HOLE_START, 4); i < PT_INDEX(HOLE_END, 4); i++)
        if ((l4[i] & PTE_P) && mfn_to_pfn(pte_mfn(l4[i])) == INVALID_MFN && !skip--)
            return pte_mfn(l4[i]);
    return NO_MFN;
}
#endif
