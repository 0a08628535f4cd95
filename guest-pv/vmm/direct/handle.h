/* Traps of guest code that runs directly: handle.c. */
#ifndef VMM_DIRECT_HANDLE_H
#define VMM_DIRECT_HANDLE_H

#include "guest-pv/vmm/direct/direct.h"

/* c->regs are the guest's. Afterwards RIP is where the guest goes on. */
void handle_exit(struct cpu *c, const struct exit *e);

/* One instruction by the core, with the #DB behind it when TF is set (SDM vol. 3, 17.3.1.4). */
void step_by_core(struct cpu *c);

#endif
