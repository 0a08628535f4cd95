/* Between two stretches of guest code that runs directly: pending.c. Ways 2 and 3 call it. */
#ifndef VMM_DIRECT_PENDING_H
#define VMM_DIRECT_PENDING_H

#include "guest-pv/vmm/core/cpu.h"

/* Polls the platform (always when `now`, else now and then), waits while the guest is halted, steps
 * over the shadow of STI, delivers an interrupt that is due, and asks for an event at the
 * platform's next deadline. */
void deliver_pending(struct cpu *c, bool now);
/* The last of it alone; `now`: although the deadline is that of the last call. */
void set_platform_alarm(struct cpu *c, bool now);

#endif
