/* CR0.TS and CR4 of a guest. Called for emulated instructions, by hypercalls that stand for one,
 * and where a vCPU is set up. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/cpu/control_regs.h"

struct cpu_hooks cpu_hooks;

#define CR4_VISIBLE 0x660u              /* PAE MCE OSFXSR OSXMMEXCPT: the host's, shown to guests */
/* on in the CPU whenever we use XSAVE; guests keep their own idea */
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

/* Bits that are not the guest's choice are ignored, not refused: kernels write back what they
 * read plus a wish. */
void guest_write_cr4(struct vcpu *v, uint64_t value)
{
    v->cr4_guest = value & (arch_cr4_guest_mask() | (arch_cr4_host() & CR4_OSXSAVE));
    arch_load_cr4(v);
}
