/* Everything that changes where the guest runs: traps, events, callbacks and iret. Guest-visible CPU semantics of
 * entering and leaving the guest kernel live here and in emulate.c and nowhere else. */
#ifndef XEN_UPCALL_H
#define XEN_UPCALL_H

#include "xen/core/domain.h"

#define TRAP_DE 0
#define TRAP_DB 1
#define TRAP_NMI 2
#define TRAP_BP 3
#define TRAP_OF 4
#define TRAP_UD 6
#define TRAP_NM 7
#define TRAP_TS 10
#define TRAP_NP 11
#define TRAP_SS 12
#define TRAP_GP 13
#define TRAP_PF 14
#define TRAP_MF 16
#define TRAP_AC 17
#define TRAP_XM 19

#define EFLAGS_CF 0x1u
#define EFLAGS_MBS 0x2u
#define EFLAGS_ZF 0x40u
#define EFLAGS_TF 0x100u
#define EFLAGS_IF 0x200u
#define EFLAGS_DF 0x400u
#define EFLAGS_IOPL 0x3000u
#define EFLAGS_NT 0x4000u
#define EFLAGS_RF 0x10000u
#define EFLAGS_VM 0x20000u
#define EFLAGS_AC 0x40000u

/* v is always current; regs its guest frame. Delivers the vector through the guest's trap table, with the error code
 * where the vector has one. No handler: the domain crashes. */
void inject_trap(struct vcpu *v, unsigned vector, uint32_t error_code);
void inject_software_interrupt(struct vcpu *v, unsigned vector);            /* INT n: never with an error code */
void inject_page_fault(struct vcpu *v, uint64_t va, uint32_t error_code);   /* #PF with cr2 and the guest's U/S bit */
/* mov_ss.c. A #DB with these bits of DR6 that comes too early is held back until the next instruction is done: true. Later,
 * at the #DB after that one, release gives what DR6 has to say for both; at any other entry, drop. */
bool hold_debug_trap(struct vcpu *v, struct cpu_user_regs *regs, uint64_t dr6);
uint64_t release_held_trap(struct vcpu *v, struct cpu_user_regs *regs, uint64_t dr6);
void drop_held_trap(struct vcpu *v, struct cpu_user_regs *regs);
bool is_held_at(const struct vcpu *v, const struct cpu_user_regs *regs);   /* the next instruction is still to come */
/* The stack of entries from user mode (stack_switch, VCPUOP_initialise, the builder). */
void set_kernel_stack(struct vcpu *v, uint64_t sp);

/* Called by arch/: an exception or interrupt vector taken in guest mode. address: of #PF CR2; of #DB the bits that it set
 * in DR6, which the CPU has forgotten. */
void handle_guest_trap(struct cpu_user_regs *regs, unsigned vector, uint64_t address);
void handle_user_syscall(struct vcpu *v);       /* SYSCALL from user mode, slow path (no callback registered, bad stack) */
void handle_syscall32(struct vcpu *v);
void handle_sysenter(struct vcpu *v);
void handle_failsafe(struct vcpu *v, uint16_t ds, uint16_t es, uint16_t fs, uint16_t gs);  /* a selector reload faulted */
/* The way out to the guest when v->work is set or an upcall is due; interrupts are off. */
void exit_to_guest_work(void);

#endif
