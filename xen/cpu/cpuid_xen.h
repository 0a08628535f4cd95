/* The hypervisor's own CPUID leaves. */
#ifndef XEN_CPUID_XEN_H
#define XEN_CPUID_XEN_H

#include "xen/core/domain.h"

void xen_cpuid_leaf(const struct vcpu *v, uint32_t index, uint32_t subleaf, uint32_t out[4]);

#endif
