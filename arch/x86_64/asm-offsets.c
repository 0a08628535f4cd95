/* Offsets and constants for entry.S, iret.S, traps.S and bounce.S. This file is compiled to
 * assembler text, of which the Makefile keeps the marked lines and makes asm-offsets.h; nothing of
 * it is linked.
 *
 *   R_x    in struct cpu_user_regs          V_x   in struct vcpu, C_x in struct cpu
 *   S_x    in struct stack_top, from &regs  I_x   in struct vcpu_info
 *   X_x    in struct iret_context           B_x   in struct bounce_frame */
#include "xen/core/cpu.h"
#include "xen/core/trace.h"
#include "xen/core/domain.h"
#include "xen/cpu/exceptions.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/hypercalls.h"
#include "arch/arch.h"

#define VALUE(name, value) __asm__ volatile("\n.ascii \"->" #name " %0\"" : : "i"(value))
#define REG(name) VALUE(R_##name, offsetof(struct cpu_user_regs, name))
#define IRET(name) VALUE(X_##name, offsetof(struct iret_context, name))
#define BOUNCE(name) VALUE(B_##name, offsetof(struct bounce_frame, name))

/* What the guest kernel finds on its stack at its SYSCALL callback. */
struct bounce_frame {
    uint64_t rcx, r11, rip, cs, rflags, rsp, ss;
};

_Static_assert(sizeof(struct bounce_frame) == SYSCALL_FRAME_BYTES, "set_kernel_stack()");
_Static_assert(offsetof(struct vcpu, work) == offsetof(struct vcpu, iret_slow) + 4 &&
               offsetof(struct vcpu, iopl_in_frames) == offsetof(struct vcpu, work) + 4 &&
               offsetof(struct vcpu, iret_slow) % 64 <= 64 - 12,
               "compared with 0 at once, in one cache line");

#define USED __attribute__((used)) static

/* The top of a vCPU's stack. */
USED void stack_offsets(void)
{
    REG(r15);
    REG(rbx);
    REG(r14);
    REG(r13);
    REG(r12);
    REG(rbp);
    REG(r11);
    REG(r10);
    REG(r9);
    REG(r8);
    REG(rax);
    REG(rcx);
    REG(rdx);
    REG(rsi);
    REG(rdi);
    REG(error_code);
    REG(entry_vector);
    REG(rip);
    REG(cs);
    REG(rflags);
    REG(rsp);
    REG(ss);
    REG(es);
    VALUE(STACK_TOP_SIZE, sizeof(struct stack_top));
    VALUE(S_vcpu, offsetof(struct stack_top, vcpu));
}

USED void vcpu_offsets(void)
{
    VALUE(V_cpu, offsetof(struct vcpu, cpu));
    VALUE(C_id, offsetof(struct cpu, id));
    VALUE(V_info, offsetof(struct vcpu, info));
    VALUE(V_root_kernel, offsetof(struct vcpu, root_kernel));
    VALUE(V_root_user, offsetof(struct vcpu, root_user));
    VALUE(V_syscall_frame, offsetof(struct vcpu, syscall_frame));
    VALUE(V_kernel_sp, offsetof(struct vcpu, kernel_sp));
    VALUE(V_cb_event, offsetof(struct vcpu, callback) + CB_EVENT * sizeof(uint64_t));
    VALUE(V_cb_syscall, offsetof(struct vcpu, callback) + CB_SYSCALL * sizeof(uint64_t));
    VALUE(V_cb_masks, offsetof(struct vcpu, cb_masks_events));
    VALUE(V_calls, offsetof(struct vcpu, calls));
    VALUE(V_work, offsetof(struct vcpu, work));
    VALUE(V_kernel_mode, offsetof(struct vcpu, kernel_mode));
    VALUE(V_cr2, offsetof(struct vcpu, cr2));
    VALUE(V_trap_pf, offsetof(struct vcpu, traps[TRAP_PF].address));
    VALUE(V_trap_pf_flags, offsetof(struct vcpu, traps[TRAP_PF].flags));
    VALUE(V_trap_80, offsetof(struct vcpu, traps[0x80].address));
    VALUE(V_trap_80_flags, offsetof(struct vcpu, traps[0x80].flags));
    VALUE(V_iret_slow_and_work, offsetof(struct vcpu, iret_slow));
    VALUE(V_work_and_iopl, offsetof(struct vcpu, work));
}

/* What a guest can read or write. */
USED void guest_offsets(void)
{
    VALUE(I_pending, offsetof(struct vcpu_info, evtchn_upcall_pending));
    VALUE(I_cr2, offsetof(struct vcpu_info, arch.cr2));
    VALUE(I_mask, offsetof(struct vcpu_info, evtchn_upcall_mask));
    IRET(rax);
    IRET(r11);
    IRET(rcx);
    IRET(flags);
    IRET(rip);
    IRET(cs);
    IRET(rflags);
    IRET(rsp);
    IRET(ss);
    BOUNCE(rcx);
    BOUNCE(r11);
    BOUNCE(rip);
    BOUNCE(cs);
    BOUNCE(rflags);
    BOUNCE(rsp);
    BOUNCE(ss);
}

USED void constants(void)
{
    VALUE(CB_SYSCALL_BIT, 1 << CB_SYSCALL);
    VALUE(IN_SYSCALL, VGCF_in_syscall);
    VALUE(HOLE_SHIFT, 43);
    VALUE(HOLE_NUMBER, HOLE_START >> 43);
    VALUE(MINUS_ENOSYS, -ENOSYS);
    VALUE(HYPERCALLS, NR_HYPERCALLS);
    VALUE(HYPERCALL_iret, __HYPERVISOR_iret);
    VALUE(TRACE_HYPERCALL_BYTE, TRACE_HYPERCALL);
    VALUE(TRACE_TRAP_BYTE, TRACE_TRAP);
    VALUE(TRACE_EVENT_BYTE, TRACE_EVENT);
}
