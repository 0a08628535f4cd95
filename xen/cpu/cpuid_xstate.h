/* CPUID of the states that XSAVE saves, and of the instructions that need them: cpuid_xstate.c.
 * Also the names of a leaf's registers and bits for the files that have leaves. */
#ifndef XEN_CPUID_XSTATE_H
#define XEN_CPUID_XSTATE_H

#include "arch/arch.h"
#include "xen/core/domain.h"

enum { EAX, EBX, ECX, EDX };
#define B(n) (1u << (n))
#define B2(a, b) (B(a) | B(b))
#define B4(a, b, c, d) (B2(a, b) | B2(c, d))

/* Instructions whose registers need these bits of XCR0. */
struct xstate_feature {
    uint64_t needs;
    uint32_t features;
    unsigned reg;
};
#define AVX 0x4u
#define AVX512 0xe0u

/* Hides those for which guests cannot set the bits. */
static inline void hide_without_state(const struct xstate_feature *x, unsigned n,
                                      uint32_t out[4])
{
    uint64_t xcr0 = arch_xcr0_mask();

    for (; n-- > 0; x++)
        if ((xcr0 & x->needs) != x->needs)
            out[x->reg] &= ~x->features;
}

/* Leaf 0xd. */
void fix_xstate(const struct vcpu *v, uint32_t subleaf, uint32_t out[4]);

#endif
