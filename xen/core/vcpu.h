/* The inside of vcpu_op: what its two files share. */
#ifndef XEN_VCPU_H
#define XEN_VCPU_H

#include "xen/core/domain.h"

long vcpu_initialise(struct vcpu *v, uint64_t arg);

#endif
