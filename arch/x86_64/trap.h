/* What is left to do when a trap of our own cannot be mended. */
#ifndef ARCH_X86_TRAP_H
#define ARCH_X86_TRAP_H

#include "common/compiler.h"

struct cpu_user_regs;
struct vcpu;

/* Shows the registers, and panics. Takes no lock, and trusts neither the stack nor current. */
_Noreturn void fatal_trap(const struct cpu_user_regs *regs, const char *why);
/* fault.c: where the last #DB in ring 0 was. */
extern uint64_t last_hypervisor_db;
/* segments.c: the vCPU that runs here, wherever the stack pointer is; NULL before there is one. */
struct vcpu *running_vcpu(void);
/* segments.c: whether a stack pointer is on a stack that this CPU uses now. */
bool on_known_stack(uint64_t sp);

#endif
