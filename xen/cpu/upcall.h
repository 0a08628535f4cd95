/* Entering the guest kernel for traps, events and callbacks, and leaving it by iret: upcall.c.
 * Nothing but these functions and emulate.c changes where a guest continues. */
#ifndef XEN_UPCALL_H
#define XEN_UPCALL_H

#include "common/x86/flags.h"
#include "xen/core/domain.h"

/* v is always current, regs are its saved registers. Delivers the vector through the guest's
 * trap table, with error_code if the vector has one. If the guest has no handler the domain is
 * crashed. */
void inject_trap(struct vcpu *v, unsigned vector, uint32_t error_code);
/* INT n: never with an error code */
void inject_software_interrupt(struct vcpu *v, unsigned vector);
/* #PF with cr2 and the guest's U/S bit */
void inject_page_fault(struct vcpu *v, uint64_t va, uint32_t error_code);
/* Completes an emulated instruction: rip becomes next and RF is cleared. If the guest
 * single-steps or the instruction hit a breakpoint (dr6: DR6.B0..B3) it gets a #DB. */
void debug_after_instruction(struct vcpu *v, const struct cpu_user_regs *regs, uint64_t dr6);
static inline void instruction_done(struct vcpu *v, struct cpu_user_regs *regs, uint64_t next,
                                    uint64_t dr6)
{
    regs->rip = next;
    regs->rflags &= ~(uint64_t)FLAG_RF;
    if (unlikely((regs->rflags & FLAG_TF) || dr6 != 0))
        debug_after_instruction(v, regs, dr6);
}
#define SYSCALL_FRAME_BYTES 56u         /* rcx r11 rip cs rflags rsp ss */

/* Sets the stack for entries from user mode (stack_switch, VCPUOP_initialise, the builder). It
 * is not checked whether the stack can be written: that is found when a frame is pushed. But
 * entry.S pushes below sp without a check for the hypervisor's part of the address space, so a
 * stack there is replaced by an address at which every push faults. */
static inline void set_kernel_stack(struct vcpu *v, uint64_t sp)
{
    if (unlikely(sp - HOLE_START < HOLE_END - HOLE_START + 128))
        sp = 1ull << 63;
    v->kernel_sp = sp;
    v->syscall_frame = (sp & ~15ull) - SYSCALL_FRAME_BYTES;
}

/* SYSCALL from user mode, slow path (no callback registered, bad stack) */
void handle_user_syscall(struct vcpu *v);
void handle_syscall32(struct vcpu *v);
void handle_sysenter(struct vcpu *v);
/* A selector reload faulted. */
void handle_failsafe(struct vcpu *v, uint16_t ds, uint16_t es, uint16_t fs, uint16_t gs);
long do_iret(void);                             /* the hypercall: rax of the guest */
/* The way out to the guest when v->work is set or an upcall is due; interrupts are off. */
void exit_to_guest_work(void);

#endif
