/* What instructions of the integer part leave to the system part, because they share an operation's
 * name with it: segment.c and system.c. Handlers, as in emulate.h. */
#ifndef VMM_CORE_SYSTEM_H
#define VMM_CORE_SYSTEM_H

#include "guest-pv/vmm/core/emulate.h"

/* MOV to a segment register (8E), and to and from control and debug registers (0F 20 to 0F 23). */
bool op_mov_system(struct exec *x);
/* POP FS, POP GS (0F A1, 0F A9) */
bool op_pop_segment(struct exec *x);

#endif
