/* CR0.TS and CR4 as a guest sees them. The instructions that read and write them are emulated in
 * emulate.c; fpu_taskswitch is in pv/registers.c. Called by both, and by pv/vcpu_init.c and
 * boot/ when a vCPU gets its first state. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/cpu/control_regs.h"

struct cpu_hooks cpu_hooks;

#define CR4_VISIBLE 0x660u              /* PAE MCE OSFXSR OSXMMEXCPT: the host's, shown to guests */
/* Always on in the CPU when the hypervisor uses XSAVE; what a guest wrote is kept in cr4_guest. */
#define CR4_OSXSAVE (1u << 18)

void guest_set_ts(struct vcpu *v, bool on)
{
    v->ts = on;
    arch_set_ts(on);
}

uint64_t guest_read_cr4(const struct vcpu *v)
{
    return (arch_cr4_host() & CR4_VISIBLE) | v->cr4_guest;
}

/* Bits that a guest may not choose are ignored, not refused: kernels write the value that they
 * read, with one bit changed. */
void guest_write_cr4(struct vcpu *v, uint64_t value)
{
    v->cr4_guest = value & (arch_cr4_guest_mask() | (arch_cr4_host() & CR4_OSXSAVE));
    arch_load_cr4(v);
}
