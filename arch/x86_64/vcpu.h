/* What the machine keeps of a domain and of a vCPU: behind the arch pointers of xen/core/domain.h. */
#ifndef ARCH_X86_VCPU_H
#define ARCH_X86_VCPU_H

#include "arch/arch.h"

struct arch_domain {
    uint64_t *l3, *l2, *l1[2];  /* of the per-domain slot; 32 vCPUs need 4 MiB of windows */
};

struct arch_vcpu {
    char *stack;
    uint64_t sp;                /* of switch_stack, while it does not run */
    void *fpu;                  /* XSAVE or FXSAVE image */
};

_Static_assert(MAX_VCPUS << VCPU_WINDOW_SHIFT <= 2u << 21, "two L1 tables");

#endif
