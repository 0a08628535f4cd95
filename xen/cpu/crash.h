/* What is printed of a guest that crashed. */
#ifndef XEN_CRASH_H
#define XEN_CRASH_H

#include "xen/core/domain.h"

void domain_dump(struct vcpu *v);       /* v == current, on its way out: registers and stack */

#endif
