/* Port I/O of a guest: ioport.c. */
#ifndef XEN_IOPORT_H
#define XEN_IOPORT_H

#include "xen/core/domain.h"
#include "xen/cpu/emulate.h"

uint32_t guest_port_in(struct vcpu *v, uint16_t port, unsigned bytes);
void guest_port_out(struct vcpu *v, uint16_t port, unsigned bytes, uint32_t value);
bool guest_io_allowed(struct vcpu *v, uint16_t port, unsigned bytes);
/* Whether v's virtual IOPL permits CLI, STI and every port in its present mode. The guest kernel
 * counts as ring 1, as on Xen, or as ring 0 with VMASST_TYPE_architectural_iopl; user mode
 * counts as ring 3. */
static inline bool iopl_allows(const struct vcpu *v)
{
    unsigned cpl = v->kernel_mode ? !(v->domain->vm_assist & (1u << VMASST_TYPE_architectural_iopl))
                                  : 3;

    return v->iopl >= cpl;
}
enum emulation emulate_port_io(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *in);

#endif
