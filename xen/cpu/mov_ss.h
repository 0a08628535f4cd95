/* Debug traps that come one instruction early: see mov_ss.c. */
#ifndef XEN_MOV_SS_H
#define XEN_MOV_SS_H

#include "xen/core/domain.h"

/* A #DB with these bits of DR6 that comes too early is held back until the next instruction is
 * done: true. Later, at the #DB after that one, release gives what DR6 has to say for both; at
 * any other entry, drop. */
bool hold_debug_trap(struct vcpu *v, struct cpu_user_regs *regs, uint64_t dr6);
uint64_t release_held_trap(struct vcpu *v, struct cpu_user_regs *regs, uint64_t dr6);
void drop_held_trap(struct vcpu *v, struct cpu_user_regs *regs);
/* the next instruction is still to come */
bool is_held_at(const struct vcpu *v, const struct cpu_user_regs *regs);

#endif
