/* vcpu_op: vcpu_op.c. */
#ifndef XEN_VCPU_OP_H
#define XEN_VCPU_OP_H

#include "xen/core/domain.h"

void vcpu_release_info(struct vcpu *v);     /* drops the frame of a registered vcpu_info */

#endif
