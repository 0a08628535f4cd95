/* What CPUID tells a guest. */
#ifndef XEN_CPUID_H
#define XEN_CPUID_H

#include "xen/core/domain.h"

/* The interface that guests are offered; also what CPUID and XENVER_version say. */
#define ABI_MAJOR 4u
#define ABI_MINOR 17u

/* Whose CPU it is: some MSRs and CPUID leaves are one vendor's own. Hygon's CPUs are AMD's. */
enum cpu_vendor { CPU_INTEL = 1, CPU_AMD = 2, CPU_OTHER = 4 };
enum cpu_vendor cpu_vendor(void);

void guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

#endif
