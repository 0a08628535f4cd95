/* CPUID of the states that XSAVE saves, and of the instructions that need them. Called by cpuid.c,
 * which has the other leaves. */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/cpu/cpuid_xstate.h"

/* Size in bytes of an XSAVE image with these states, in the standard format or in the compacted
 * one. */
static uint32_t xsave_bytes(uint64_t states, bool compact)
{
    uint32_t size = 512 + 64, out[4];

    for (unsigned i = 2; i < 63; i++) {
        if (!(states >> i & 1))
            continue;
        arch_cpuid(0xd, i, out);
        if (!compact)
            size = MAX(size, out[EAX] + out[EBX]);
        else
            size = ((out[ECX] & 2) ? ALIGN_UP(size, 64u) : size) + out[EAX];
    }
    return size;
}

/* Only the states that guests may use are shown; supervisor states and XSAVES are never shown. */
void fix_xstate(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    uint64_t offered = arch_xcr0_mask();

    if (offered == 0 || (subleaf > 1 && (subleaf > 62 || !(offered >> subleaf & 1)))) {
        memset(out, 0, 4 * sizeof(out[0]));
    } else if (subleaf == 0) {
        out[EAX] = (uint32_t)offered;
        out[EBX] = xsave_bytes(v->xcr0, false);
        out[ECX] = xsave_bytes(offered, false);
        out[EDX] = (uint32_t)(offered >> 32);
    } else if (subleaf == 1) {
        out[EAX] &= B(0) | B2(1, 2);            /* XSAVEOPT, XSAVEC, XGETBV(1) */
        out[EBX] = (out[EAX] & B(1)) ? xsave_bytes(v->xcr0, true) : 0;
        out[ECX] = out[EDX] = 0;
    } else {
        out[ECX] &= 2;
        out[EDX] = 0;
    }
}
