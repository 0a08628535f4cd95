/* Exceptions in guest mode: traps.c. */
#ifndef XEN_TRAPS_H
#define XEN_TRAPS_H

#include "xen/core/types.h"
#include "xen/core/vtimer.h"

/* Called by arch/: an exception or interrupt vector taken in guest mode. address: for #PF CR2;
 * for #DB the bits that it set in DR6, which the caller has cleared in the CPU. */
void handle_guest_trap(struct cpu_user_regs *regs, unsigned vector, uint64_t address);
/* The same for #PF, which is the most frequent: a way of its own from the entry. */
void handle_page_fault(struct cpu_user_regs *regs, uint64_t address);

#endif
