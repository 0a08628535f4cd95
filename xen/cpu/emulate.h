/* Privileged instructions of a guest: pure guest-visible CPU semantics. */
#ifndef XEN_EMULATE_H
#define XEN_EMULATE_H

#include "common/x86/insn.h"
#include "xen/core/domain.h"

/* Done, resume; reflect the original fault; another fault was injected. */
enum emulation { EMULATED, NOT_OURS, FAULTED };

/* The instruction at regs->rip raised #GP (or #UD for the forced-emulation prefix) at CPL 3. */
enum emulation emulate_privileged(struct vcpu *v, struct cpu_user_regs *regs);
enum emulation emulate_forced_cpuid(struct vcpu *v, struct cpu_user_regs *regs);

#endif
