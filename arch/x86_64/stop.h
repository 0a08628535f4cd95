/* Stopping all CPUs but one. */
#ifndef ARCH_X86_STOP_H
#define ARCH_X86_STOP_H

#include "arch/arch.h"

/* In the NMI handler: does not return if another CPU stops this one. */
void stop_if_wanted(const struct cpu_user_regs *regs);

#endif
