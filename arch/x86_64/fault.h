/* Traps of the hypervisor itself that cannot be fixed up. */
#ifndef ARCH_X86_FAULT_H
#define ARCH_X86_FAULT_H

#include "common/compiler.h"

struct cpu_user_regs;

/* Shows the registers, and panics. Takes no lock, and trusts neither the stack nor current. */
_Noreturn void fatal_trap(const struct cpu_user_regs *regs, const char *why);
extern uint64_t last_hypervisor_db;     /* rip of the last #DB in ring 0 */

#endif
