/* Debug registers of a guest, and the breakpoints that an emulated instruction hits: debugreg.c. */
#ifndef XEN_DEBUGREG_H
#define XEN_DEBUGREG_H

#include "xen/core/domain.h"

int guest_set_debugreg(struct vcpu *v, unsigned reg, uint64_t value);
int guest_get_debugreg(const struct vcpu *v, unsigned reg, uint64_t *value);
/* The breakpoints that the access hits, as bits B0 to B3 of DR6. */
uint64_t io_breakpoints_hit(const struct vcpu *v, uint16_t port, unsigned bytes);
/* The same for a read of memory. */
uint64_t data_breakpoints_hit(const struct vcpu *v, uint64_t va, unsigned bytes);

#endif
