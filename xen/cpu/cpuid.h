/* What CPUID shows to a guest; the functions of cpuid.c. */
#ifndef XEN_CPUID_H
#define XEN_CPUID_H

#include "xen/core/domain.h"

/* The version of Xen whose ABI is offered, as CPUID and XENVER_version report it. */
#define ABI_MAJOR 4u
#define ABI_MINOR 17u

/* The vendor of this CPU: some MSRs and CPUID leaves exist with one vendor only. Hygon counts as
 * AMD. */
enum cpu_vendor { CPU_INTEL = 1, CPU_AMD = 2, CPU_OTHER = 4 };
enum cpu_vendor cpu_vendor(void);

void guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

#endif
