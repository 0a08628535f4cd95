/* Page faults of guests: page_fault.c. */
#ifndef XEN_PAGE_FAULT_H
#define XEN_PAGE_FAULT_H

#include "xen/core/domain.h"

/* Bits of the error code. */
#define PF_PRESENT 1u
#define PF_WRITE 2u
#define PF_USER 4u
#define PF_RESERVED 8u
#define PF_FETCH 16u

/* A #PF of v at cr2 that is no store to a page table; regs are v's. */
void other_page_fault(struct vcpu *v, struct cpu_user_regs *regs, uint64_t cr2);
/* The tables that v runs on allow the access now. Called by bounce.S, too. */
bool page_fault_is_spurious(const struct vcpu *v, uint64_t va, uint32_t code);

#endif
