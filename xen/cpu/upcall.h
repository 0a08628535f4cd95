/* Everything that changes where the guest runs: traps, events, callbacks and iret. Guest-visible
 * CPU semantics of entering and leaving the guest kernel live here and in emulate.c and nowhere
 * else. */
#ifndef XEN_UPCALL_H
#define XEN_UPCALL_H

#include "xen/core/domain.h"
#include "xen/cpu/exceptions.h"

/* v is always current; regs its guest frame. Delivers the vector through the guest's trap table,
 * with the error code where the vector has one. No handler: the domain crashes. */
void inject_trap(struct vcpu *v, unsigned vector, uint32_t error_code);
/* INT n: never with an error code */
void inject_software_interrupt(struct vcpu *v, unsigned vector);
/* #PF with cr2 and the guest's U/S bit */
void inject_page_fault(struct vcpu *v, uint64_t va, uint32_t error_code);
/* An emulated instruction is complete, and rip is next; RF goes; a single step, or a breakpoint
 * that it hit (dr6: DR6.B0..B3), becomes the guest's #DB. */
void debug_after_instruction(struct vcpu *v, const struct cpu_user_regs *regs, uint64_t dr6);
static inline void instruction_done(struct vcpu *v, struct cpu_user_regs *regs, uint64_t next,
                                    uint64_t dr6)
{
    regs->rip = next;
    regs->rflags &= ~(uint64_t)EFLAGS_RF;
    if (unlikely((regs->rflags & EFLAGS_TF) || dr6 != 0))
        debug_after_instruction(v, regs, dr6);
}
/* The stack of entries from user mode (stack_switch, VCPUOP_initialise, the builder). Whether it
 * can take a frame shows when one is pushed. But entry.S relies on a push below sp not to touch
 * the hole, so a stack there is replaced by an address at which every push faults. */
static inline void set_kernel_stack(struct vcpu *v, uint64_t sp)
{
    v->kernel_sp = guest_range_ok(sp, 1) && guest_range_ok(sp - 128, 1) ? sp : 1ull << 63;
}

/* SYSCALL from user mode, slow path (no callback registered, bad stack) */
void handle_user_syscall(struct vcpu *v);
void handle_syscall32(struct vcpu *v);
void handle_sysenter(struct vcpu *v);
/* a selector reload faulted */
void handle_failsafe(struct vcpu *v, uint16_t ds, uint16_t es, uint16_t fs, uint16_t gs);
long do_iret(void);                             /* the hypercall: rax of the guest */
/* The way out to the guest when v->work is set or an upcall is due; interrupts are off. */
void exit_to_guest_work(void);

#endif
