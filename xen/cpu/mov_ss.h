/* #DB that an emulator raises one instruction too early, after MOV SS or POP SS: mov_ss.c. */
#ifndef XEN_MOV_SS_H
#define XEN_MOV_SS_H

#include "xen/core/domain.h"

/* hold: true if this #DB (dr6: its bits of DR6) came too early; it is then held until the next
 * instruction is done. release: at the #DB after that instruction, returns the DR6 bits of both.
 * drop: at any other entry to the hypervisor, forgets the held one. */
bool hold_debug_trap(struct vcpu *v, struct cpu_user_regs *regs, uint64_t dr6);
uint64_t release_held_trap(struct vcpu *v, struct cpu_user_regs *regs, uint64_t dr6);
void drop_held_trap(struct vcpu *v, struct cpu_user_regs *regs);
/* The instruction after MOV SS has not run yet. */
bool is_held_at(const struct vcpu *v, const struct cpu_user_regs *regs);

#endif
