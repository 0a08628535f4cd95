/* Printing the state of a guest that crashed: crash.c. */
#ifndef XEN_CRASH_H
#define XEN_CRASH_H

#include "xen/core/domain.h"

/* v == current, on its way to the guest: prints registers and stack */
void domain_dump(struct vcpu *v);

#endif
