/* Way 1, emulation: run.c executes a guest's instructions, delivers what the platform raises, and
 * waits while the guest is halted. */
#ifndef VMM_EMULATE_RUN_H
#define VMM_EMULATE_RUN_H

#include "guest-pv/vmm/core/cpu.h"

/* Until c->stop is set. */
void run_emulated(struct cpu *c);

#endif
