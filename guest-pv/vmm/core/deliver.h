/* Exceptions and interrupts through the guest's IDT: deliver.c (SDM vol. 3, 6.14). One function for
 * all ways of running instructions. Memory is accessed with the supervisor's rights; a fault on the
 * way becomes #DF, and one during that stops the guest (STOP_SHUTDOWN). */
#ifndef VMM_CORE_DELIVER_H
#define VMM_CORE_DELIVER_H

#include "guest-pv/vmm/core/cpu.h"

/* c->fault, raised by the instruction at RIP. RIP is what is pushed: of traps (#DB, #BP of INT3,
 * INT n) the caller has set it behind the instruction. */
void deliver_fault(struct cpu *c);
/* #DB behind an instruction that ran with TF = 1 (SDM vol. 3, 17.3.1.4). RIP is behind it. */
void deliver_single_step(struct cpu *c);
/* From the interrupt controller: the caller has seen IF = 1 and no shadow. Ends a HLT. */
void deliver_interrupt(struct cpu *c, uint8_t vector);
/* INT n, INT3, INTO: checks the gate's DPL against the CPL. RIP is behind the instruction if it
 * returns true; false: c->fault is to be delivered, RIP is at the instruction. */
bool software_interrupt(struct cpu *c, uint8_t vector, uint64_t next_rip);

#endif
