/* Writable page tables. */
#ifndef XEN_PTWR_H
#define XEN_PTWR_H

#include "xen/core/domain.h"

/* Writable page tables: a write fault by v's kernel at va on a present read-only entry. True: it
 * is done, and the guest resumes at regs. */
bool ptwr_fault(struct vcpu *v, uint64_t va, struct cpu_user_regs *regs);

#endif
