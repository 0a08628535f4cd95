/* Way 2, trap and emulate: run.c. All of the guest, its kernel too, runs in ring 3 on shadow
 * tables; what traps is executed by the core, and what does not trap is wrong: PUSHF reads IF = 1,
 * POPF leaves IF alone, CPUID, SGDT, LAR and MOV from CS tell of the real CPU. That is what this
 * way is there to show. */
#ifndef VMM_TRAP_RUN_H
#define VMM_TRAP_RUN_H

#include "guest-pv/vmm/core/cpu.h"

/* Until c->stop is set. The shadows are there. */
void run_trapped(struct cpu *c);

#endif
