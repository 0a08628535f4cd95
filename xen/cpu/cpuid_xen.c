/* The hypervisor's own CPUID leaves (public/arch-x86/cpuid.h): its signature and version, the
 * clock, the features for PV guests. All other leaves are in cpuid.c, which calls this with out
 * all zeros. */
#include "arch/arch.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/cpu/cpuid.h"
#include "xen/cpu/cpuid_xen.h"
#include "xen/cpu/msr.h"

enum { EAX, EBX, ECX, EDX };
#define TSC_MODE_DEFAULT 0u             /* of leaf 3, EBX */
#define TSC_MODE_NEVER_EMULATE 2u

/* RDTSC is never emulated. But kernels conclude from the mode that says so that the TSC is a good
 * clock (Linux 6.12 prefers it then), so that mode is shown only where that is known. */
static void time_leaf(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    uint32_t khz = (uint32_t)(arch_tsc_hz() / 1000), features[4];

    if (subleaf == 0) {
        arch_cpuid(0x80000001, 0, features);
        out[EAX] = (arch_tsc_is_stable() ? 1u << 1 : 0) |
                   ((features[EDX] & 1u << 27) ? 1u << 2 : 0);
        out[EBX] = arch_tsc_is_invariant() ? TSC_MODE_NEVER_EMULATE : TSC_MODE_DEFAULT;
        out[ECX] = khz;
    } else if (subleaf == 1) {
        out[ECX] = v->info->time.tsc_to_system_mul;
        out[EDX] = (uint32_t)v->info->time.tsc_shift;      /* as a signed number */
    } else if (subleaf == 2) {
        out[EAX] = khz;
    }
}

void xen_cpuid_leaf(const struct vcpu *v, uint32_t index, uint32_t subleaf, uint32_t out[4])
{
    switch (index) {
    case 0:
        out[EAX] = XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES);
        out[EBX] = XEN_CPUID_SIGNATURE_EBX;
        out[ECX] = XEN_CPUID_SIGNATURE_ECX;
        out[EDX] = XEN_CPUID_SIGNATURE_EDX;
        break;
    case 1:
        out[EAX] = ABI_MAJOR << 16 | ABI_MINOR;
        break;
    case 2:
        out[EAX] = 1;
        out[EBX] = MSR_HYPERCALL_PAGE;
        out[ECX] = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;
        break;
    case 3:
        time_leaf(v, subleaf, out);
        break;
    case 5:
        if (subleaf == 0)
            out[EBX] = 64 - (unsigned)__builtin_clzll((max_mfn << PAGE_SHIFT) | 1);
        break;
    }
}
