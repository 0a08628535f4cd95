/* Privileged instructions of the guest kernel and CPUID/MSR/port policy: pure guest-visible CPU semantics. */
#ifndef XEN_EMULATE_H
#define XEN_EMULATE_H

#include "common/x86/insn.h"
#include "xen/core/domain.h"
#include "xen/pv/upcall.h"

/* Done, resume; reflect the original fault; another fault was injected. */
enum emulation { EMULATED, NOT_OURS, FAULTED };

/* The instruction at regs->rip raised #GP (or #UD for the forced-emulation prefix) at CPL 3. */
enum emulation emulate_privileged(struct vcpu *v, struct cpu_user_regs *regs);
enum emulation emulate_forced_cpuid(struct vcpu *v, struct cpu_user_regs *regs);

/* The interface that guests are offered; also what CPUID and XENVER_version say. */
#define ABI_MAJOR 4u
#define ABI_MINOR 17u
#define MSR_HYPERCALL_PAGE 0x40000000u

/* Whose CPU it is: some MSRs and CPUID leaves are one vendor's own. Hygon's CPUs are AMD's. */
enum cpu_vendor { CPU_INTEL = 1, CPU_AMD = 2, CPU_OTHER = 4 };
enum cpu_vendor cpu_vendor(void);

void guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
void xen_cpuid_leaf(const struct vcpu *v, uint32_t index, uint32_t subleaf, uint32_t out[4]);
bool guest_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);    /* false: #GP(0) */
bool guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);
uint64_t guest_read_cr4(const struct vcpu *v);
void guest_write_cr4(struct vcpu *v, uint64_t value);
int guest_set_debugreg(struct vcpu *v, unsigned reg, uint64_t value);
int guest_get_debugreg(const struct vcpu *v, unsigned reg, uint64_t *value);
void guest_set_ts(struct vcpu *v, bool on);
uint32_t guest_port_in(struct vcpu *v, uint16_t port, unsigned bytes);
void guest_port_out(struct vcpu *v, uint16_t port, unsigned bytes, uint32_t value);
bool guest_io_allowed(struct vcpu *v, uint16_t port, unsigned bytes);

/* An emulated instruction is complete, and rip is next; RF goes; a single step, or a breakpoint that it hit (dr6:
 * DR6.B0..B3), becomes the guest's #DB. */
void debug_after_instruction(struct vcpu *v, const struct cpu_user_regs *regs, uint64_t dr6);
static inline void instruction_done(struct vcpu *v, struct cpu_user_regs *regs, uint64_t next, uint64_t dr6)
{
    regs->rip = next;
    regs->rflags &= ~(uint64_t)EFLAGS_RF;
    if (unlikely((regs->rflags & EFLAGS_TF) || dr6 != 0))
        debug_after_instruction(v, regs, dr6);
}
uint64_t io_breakpoints_hit(const struct vcpu *v, uint16_t port, unsigned bytes);   /* as DR6.B0..B3 */
uint64_t data_breakpoints_hit(const struct vcpu *v, uint64_t va, unsigned bytes);          /* by a read; likewise */
/* The virtual IOPL covers v's mode: CLI, STI and any port. The guest kernel counts as ring 1, since it runs on what it
 * thinks is a rung below the hypervisor; as ring 0 if it asked for that; user mode as ring 3. */
static inline bool iopl_allows(const struct vcpu *v)
{
    unsigned cpl = v->kernel_mode ? !(v->domain->vm_assist & (1u << VMASST_TYPE_architectural_iopl)) : 3;

    return v->iopl >= cpl;
}
enum emulation emulate_port_io(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *in);

#endif
