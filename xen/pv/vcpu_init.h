/* VCPUOP_initialise. */
#ifndef XEN_VCPU_INIT_H
#define XEN_VCPU_INIT_H

#include "xen/core/domain.h"

long vcpu_initialise(struct vcpu *v, uint64_t arg);

#endif
