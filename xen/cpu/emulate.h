/* Emulation of a guest's privileged instructions: emulate.c. */
#ifndef XEN_EMULATE_H
#define XEN_EMULATE_H

#include "common/x86/insn.h"
#include "xen/core/domain.h"

/* In this order: the instruction is done, resume the guest; deliver the original fault to the
 * guest; another exception was injected already. */
enum emulation { EMULATED, NOT_OURS, FAULTED };

/* The instruction at regs->rip raised #GP (or #UD for the forced-emulation prefix) at CPL 3. */
enum emulation emulate_privileged(struct vcpu *v, struct cpu_user_regs *regs);
enum emulation emulate_forced_cpuid(struct vcpu *v, struct cpu_user_regs *regs);

#endif
