/* Emulation of privileged instructions: a guest kernel runs in ring 3, so those that need ring 0
 * raise #GP there. Called by pv/traps.c for that #GP, and for the #UD of the forced-emulation
 * prefix. An instruction that is not emulated leaves the fault to the guest. Instructions are
 * decoded in common/x86 and read by insn_access.c; what MSRs, CPUID, ports and debug registers
 * permit is decided in msr.c, cpuid.c, ioport.c and debugreg.c. */
#include "arch/arch.h"
#include "common/string.h"
#include "common/trace_format.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/core/trace.h"
#include "xen/cpu/control_regs.h"
#include "xen/cpu/cpuid.h"
#include "xen/cpu/debugreg.h"
#include "xen/cpu/emulate.h"
#include "xen/cpu/exceptions.h"
#include "xen/cpu/insn_access.h"
#include "xen/cpu/ioport.h"
#include "xen/cpu/msr.h"
#include "xen/cpu/segments.h"
#include "xen/cpu/upcall.h"

#define CR0_TS 8u
#define CR0_VISIBLE 0x80050033u         /* PG AM WP NE ET MP PE: fixed, whatever a guest writes */
#define CR4_TSD 4u

#define XCR0_X87 1u
#define XCR0_SSE 2u
#define XCR0_AVX 4u
#define XCR0_AVX512 0xe0u

static enum emulation write_cr(struct vcpu *v, unsigned cr, uint64_t value)
{
    switch (cr) {
    case 0:
        if ((value ^ CR0_VISIBLE) & ~(uint64_t)CR0_TS)
            return NOT_OURS;
        guest_set_ts(v, value & CR0_TS);
        return EMULATED;
    case 2:
        v->cr2 = value;
        v->info->arch.cr2 = value;
        return EMULATED;
    case 3:
        return cpu_hooks.write_cr3(v, value) ? EMULATED : NOT_OURS;
    case 4:
        guest_write_cr4(v, value);
        return EMULATED;
    }
    return NOT_OURS;
}

static enum emulation emulate_mov_cr(struct vcpu *v, struct cpu_user_regs *regs,
                                     const struct insn *in)
{
    unsigned cr = modrm_reg(in);
    uint64_t *reg = reg_by_number(saved_regs(regs), modrm_rm(in));

    if (in->opcode == 0x122)
        return write_cr(v, cr, in->mode == MODE_64 ? *reg : (uint32_t)*reg);
    switch (cr) {
    case 0:
        *reg = CR0_VISIBLE | (v->ts ? CR0_TS : 0);
        return EMULATED;
    case 2:
        *reg = v->cr2;
        return EMULATED;
    case 3:
        *reg = v->root_kernel;
        return EMULATED;
    case 4:
        *reg = guest_read_cr4(v);
        return EMULATED;
    }
    return NOT_OURS;
}

static enum emulation emulate_mov_dr(struct vcpu *v, struct cpu_user_regs *regs,
                                     const struct insn *in)
{
    uint64_t *reg = reg_by_number(saved_regs(regs), modrm_rm(in));
    unsigned dr = modrm_reg(in);
    int rc = 0;

    if (in->opcode == 0x123)
        rc = guest_set_debugreg(v, dr, in->mode == MODE_64 ? *reg : (uint32_t)*reg);
    else
        rc = guest_get_debugreg(v, dr, reg);
    if (rc != -ENODEV)
        return rc == 0 ? EMULATED : NOT_OURS;
    inject_trap(v, TRAP_UD, 0);         /* DR4 and DR5 with CR4.DE, and numbers beyond 7 */
    return FAULTED;
}

static enum emulation emulate_clts(struct vcpu *v, struct cpu_user_regs *regs,
                                   const struct insn *in)
{
    (void)regs, (void)in;
    guest_set_ts(v, false);
    return EMULATED;
}

static void set_edx_eax(struct cpu_user_regs *regs, uint64_t value)
{
    regs->rax = (uint32_t)value;
    regs->rdx = value >> 32;
}

static uint64_t edx_eax(const struct cpu_user_regs *regs)
{
    return (uint32_t)regs->rax | regs->rdx << 32;
}

static enum emulation emulate_rdmsr(struct vcpu *v, struct cpu_user_regs *regs,
                                    const struct insn *in)
{
    uint64_t value;

    (void)in;
    if (!guest_rdmsr(v, (uint32_t)regs->rcx, &value))
        return NOT_OURS;
    set_edx_eax(regs, value);
    return EMULATED;
}

static enum emulation emulate_wrmsr(struct vcpu *v, struct cpu_user_regs *regs,
                                    const struct insn *in)
{
    (void)in;
    return guest_wrmsr(v, (uint32_t)regs->rcx, edx_eax(regs)) ? EMULATED : NOT_OURS;
}

/* CLI and STI do nothing here. A PV guest's interrupt flag is evtchn_upcall_mask, which it
 * writes itself. If CLI set that mask, the POPF that a kernel uses to undo a CLI would not clear
 * it, because POPF does not trap. */
static enum emulation emulate_cli_sti(struct vcpu *v, struct cpu_user_regs *regs,
                                      const struct insn *in)
{
    (void)regs, (void)in;
    return iopl_allows(v) ? EMULATED : NOT_OURS;
}

/* RDTSC faults only while CR4.TSD is set. If the guest itself set it, its user mode gets the
 * #GP. */
static enum emulation emulate_rdtsc(struct vcpu *v, struct cpu_user_regs *regs,
                                    const struct insn *in)
{
    if (!v->kernel_mode && (v->cr4_guest & CR4_TSD))
        return NOT_OURS;
    set_edx_eax(regs, arch_tsc());
    if (in->opcode != 0x131)
        regs->rcx = (uint32_t)v->tsc_aux;
    return EMULATED;
}

static bool xcr0_ok(uint64_t value)
{
    uint64_t avx512 = value & XCR0_AVX512;

    return (value & XCR0_X87) && !(value & ~arch_xcr0_mask()) &&
           (!(value & XCR0_AVX) || (value & XCR0_SSE)) &&
           (avx512 == 0 || (avx512 == XCR0_AVX512 && (value & XCR0_AVX)));
}

static enum emulation emulate_xsetbv(struct vcpu *v, struct cpu_user_regs *regs)
{
    uint64_t value = edx_eax(regs);

    if ((uint32_t)regs->rcx != 0 || !xcr0_ok(value) || !arch_xsetbv(value))
        return NOT_OURS;
    v->xcr0 = value;
    return EMULATED;
}

static enum emulation emulate_group7(struct vcpu *v, struct cpu_user_regs *regs,
                                     const struct insn *in)
{
    if (in->modrm == 0xf9)
        return emulate_rdtsc(v, regs, in);
    return in->modrm == 0xd1 && v->kernel_mode ? emulate_xsetbv(v, regs) : NOT_OURS;
}

static enum emulation emulate_nothing(struct vcpu *v, struct cpu_user_regs *regs,
                                      const struct insn *in)
{
    /* WBINVD: caches are coherent, and a guest without devices cannot notice */
    (void)v, (void)regs, (void)in;
    return EMULATED;
}

/* HLT, LGDT, LIDT, LLDT, LTR, INVLPG, SWAPGS, SYSRET and the rest are not here and stay #GP. */
static const struct {
    uint16_t opcode, mask;
    bool in_user_mode;
    enum emulation (*emulate)(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *in);
} privileged[] = {
    { 0x132, 0xffff, false, emulate_rdmsr },
    { 0x0fa, 0xfffe, true, emulate_cli_sti },
    { 0x131, 0xffff, true, emulate_rdtsc },
    { 0x101, 0xffff, true, emulate_group7 },
    { 0x130, 0xffff, false, emulate_wrmsr },
    { 0x120, 0xfffd, false, emulate_mov_cr },
    { 0x121, 0xfffd, false, emulate_mov_dr },
    { 0x106, 0xffff, false, emulate_clts },
    { 0x109, 0xffff, false, emulate_nothing },
};

/* Some emulators raise #GP(0) for a stack access at a non-canonical address, where a CPU raises
 * #SS(0). This finds such accesses. */
static enum emulation stack_fault(struct vcpu *v, const struct cpu_user_regs *regs,
                                  const struct insn *in)
{
    if (!stack_access_not_canonical(in, saved_regs(regs)))
        return NOT_OURS;
    inject_trap(v, TRAP_SS, 0);
    return FAULTED;
}

/* On AMD's CPUs a far CALL or JMP through memory always reads a pointer with a 32-bit offset,
 * even with REX.W. An emulator that reads a 64-bit offset looks for the selector 4 bytes too
 * far, usually finds a null selector, and raises #GP(0) where the CPU's error code would name
 * the selector. */
static enum emulation far_pointer_fault(struct vcpu *v, const struct cpu_user_regs *regs,
                                        const struct insn *in)
{
    struct segment s;
    uint16_t selector;
    uint64_t va;
    unsigned reg = in->modrm >> 3 & 7;

    if (in->opcode != 0xff || (reg != 3 && reg != 5) || !in->memory || in->op_bytes != 8 ||
        cpu_vendor() != CPU_AMD)
        return NOT_OURS;
    if (linear_address(in, operand_segment(in), operand_offset(in, saved_regs(regs)) + 4, 2, false,
                       &va) != 0 ||
        read_guest(&selector, va, 2) != 0 || selector <= 3 || read_segment(v, selector, &s))
        return NOT_OURS;
    inject_trap(v, TRAP_GP, selector & ~3u);
    return FAULTED;
}

/* The bytes are read after the fault, so another vCPU may have changed them since. That is
 * harmless: everything is decided on this one copy. */
enum emulation emulate_privileged(struct vcpu *v, struct cpu_user_regs *regs)
{
    enum emulation result;
    enum cpu_mode mode;
    uint8_t bytes[16];
    struct insn in;
    unsigned len = fetch_insn(v, regs, bytes, &mode);

    if (!decode_insn(bytes, len, mode, &in))
        return NOT_OURS;
    if (likely(is_port_io(in.opcode) && !in.lock)) {
        uint64_t rip = regs->rip;

        result = emulate_port_io(v, regs, &in);
        if (tracing(TRACE_EMUL) && result != NOT_OURS)
            trace_emulated(TRC_PV_EMULATE_PRIVOP, rip, bytes, in.length);
        return result;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(privileged) && !in.lock; i++) {
        if ((in.opcode & privileged[i].mask) != privileged[i].opcode)
            continue;
        if (!v->kernel_mode && !privileged[i].in_user_mode)
            return NOT_OURS;
        result = privileged[i].emulate(v, regs, &in);
        if (tracing(TRACE_EMUL) && result != NOT_OURS)
            trace_emulated(TRC_PV_EMULATE_PRIVOP, regs->rip, bytes, in.length);
        if (result == EMULATED)
            instruction_done(v, regs, next_rip(&in, regs->rip), 0);
        return result;
    }
    result = stack_fault(v, regs, &in);
    return result != NOT_OURS ? result : far_pointer_fault(v, regs, &in);
}

/* The forced-emulation prefix: UD2, the bytes "xen", CPUID. A PV guest uses it to get the
 * hypervisor's CPUID values instead of the host's (public/arch-x86/xen.h). */
enum emulation emulate_forced_cpuid(struct vcpu *v, struct cpu_user_regs *regs)
{
    static const uint8_t forced[8] = { 0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2 };
    const unsigned length = 7;
    enum cpu_mode mode;
    uint8_t bytes[16];
    uint64_t found, wanted;
    uint32_t out[4];

    if (fetch_insn(v, regs, bytes, &mode) < length)
        return NOT_OURS;
    memcpy(&found, bytes, sizeof(found));
    memcpy(&wanted, forced, sizeof(wanted));
    if (found << 8 != wanted << 8)
        return NOT_OURS;
    if (tracing(TRACE_EMUL))
        trace_emulated(TRC_PV_FORCED_INVALID_OP, regs->rip, forced, length);
    guest_cpuid(v, (uint32_t)regs->rax, (uint32_t)regs->rcx, out);
    regs->rax = out[0];
    regs->rbx = out[1];
    regs->rcx = out[2];
    regs->rdx = out[3];
    instruction_done(v, regs, mode == MODE_64 ? regs->rip + length : (uint32_t)(regs->rip + length),
                     0);
    return EMULATED;
}
