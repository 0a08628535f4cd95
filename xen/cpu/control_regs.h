/* Control registers as a guest sees them. */
#ifndef XEN_CONTROL_REGS_H
#define XEN_CONTROL_REGS_H

#include "xen/core/domain.h"

uint64_t guest_read_cr4(const struct vcpu *v);
void guest_write_cr4(struct vcpu *v, uint64_t value);
void guest_set_ts(struct vcpu *v, bool on);

/* Two emulated instructions need functions of xen/pv. xen/hooks.c sets these pointers once,
 * before any guest is built. False: the instruction raises #GP(0). */
struct cpu_hooks {
    bool (*write_cr3)(struct vcpu *v, uint64_t value);
    bool (*hypercall_page)(struct vcpu *v, uint64_t value);    /* value: of the MSR */
};
extern struct cpu_hooks cpu_hooks;

#endif
