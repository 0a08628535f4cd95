/* Writable page tables. */
#ifndef XEN_PTWR_H
#define XEN_PTWR_H

#include "xen/core/domain.h"

/* A write fault by v's kernel at va, on a present read-only entry. If it is a store to a page table
 * it is done, and the guest resumes at regs; otherwise other_page_fault() goes on with it. */
void ptwr_fault(struct vcpu *v, struct cpu_user_regs *regs, uint64_t va);

#endif
