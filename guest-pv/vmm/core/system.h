/* What the integer part and the system part share: handlers of operations with one name, and the
 * checks of privilege. Handlers are as in emulate.h. */
#ifndef VMM_CORE_SYSTEM_H
#define VMM_CORE_SYSTEM_H

#include "guest-pv/vmm/core/emulate.h"

/* MOV to a segment register (8E), and to and from control and debug registers (0F 20 to 0F 23):
 * registers.c. The first of them is segment.c's. */
bool op_mov_system(struct exec *x);
bool mov_to_segment(struct exec *x);
/* POP FS, POP GS (0F A1, 0F A9): segment.c */
bool op_pop_segment(struct exec *x);

/* False: #GP(0). */
static inline bool check_cpl_0(struct exec *x)
{
    return x->c->cpl == 0 || raise_gp(x->c, 0);
}
/* May the CPL do I/O and change IF? */
static inline bool cpl_has_io(const struct cpu *c)
{
    return c->cpl <= (c->regs[REG_RFLAGS] & FLAG_IOPL) >> FLAG_IOPL_SHIFT;
}

#endif
