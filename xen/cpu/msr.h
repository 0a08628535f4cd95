/* The MSRs that guests may access: msr.c. */
#ifndef XEN_MSR_H
#define XEN_MSR_H

#include "xen/core/domain.h"

#define MSR_HYPERCALL_PAGE 0x40000000u

bool guest_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);    /* false: #GP(0) */
bool guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);

#endif
