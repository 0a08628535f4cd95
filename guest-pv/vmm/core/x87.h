/* What the x87's instructions share: x87.c executes those that compute, x87_control.c those that
 * set or store the state, fx.c has FXSAVE and FXRSTOR. */
#ifndef VMM_CORE_X87_H
#define VMM_CORE_X87_H

#include "guest-pv/vmm/core/sse.h"

#define FCW_AT_RESET 0x37fu
#define FSW_EXCEPTIONS 0x3fu            /* IE to PE; FCW has their masks in the same places */
#define FSW_SF 0x40u
#define FSW_B 0x8000u                   /* the same as ES */

/* False: #NM, or for the waiting instructions #MF, is raised. */
bool x87_usable(struct exec *x, bool waits);

/* As the CPU keeps the words: fixed bits of FCW, ES and B of FSW by what FCW does not mask. */
void set_x87_control(struct fx_state *fx, uint16_t fcw);
void set_x87_status(struct fx_state *fx, uint16_t fsw);

#endif
