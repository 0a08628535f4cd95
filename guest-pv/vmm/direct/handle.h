/* Traps of guest code that runs directly: handle.c. */
#ifndef VMM_DIRECT_HANDLE_H
#define VMM_DIRECT_HANDLE_H

#include "guest-pv/vmm/direct/direct.h"

/* c->regs are the guest's. Afterwards RIP is where the guest goes on. */
void handle_exit(struct cpu *c, const struct exit *e);

#endif
