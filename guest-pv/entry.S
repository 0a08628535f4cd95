/* Entries to the kernel and returns from it: a stub for each vector, the callbacks, the return by
 * hypercall, and the switch between threads. Called by the hypervisor with its bounce frame, and by
 * user.c and thread.c; calls trap_dispatch() and syscall_dispatch() in trap.c and user.c. The
 * kernel's first instructions are in head.S.
 *
 * The bounce frame, lowest address first:
 *
 *   rcx r11 [error] rip cs rflags rsp ss
 *
 * Here it becomes a struct regs (trap.h):
 *
 *   r15 r14 r13 r12 rbp rbx r10 r9 r8 rdx rsi rdi rax r11 rcx error,vector rip cs rflags rsp ss
 *
 * From `error` on that is the frame of the iret hypercall, when `error` is replaced by the flags of
 * iret. The stub of the hypercall page pushes rcx, r11 and rax below. */
#include <public/xen.h>
#include "layout.h"
#include "trap.h"

    .macro SAVE
    pushq %rcx
    pushq %r11
    pushq %rax
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    cld
    .endm

    .macro ENTER vector, has_error
    popq %rcx
    popq %r11
    .if !\has_error
    pushq $0
    .endif
    movl $\vector, 4(%rsp)
    .endm

    .text
    .p2align 4
trap_common:
    SAVE
    movq %rsp, %rbx
    movq %rsp, %rdi
    movq %rbx, %rbp
    subq $512, %rsp                 /* trap_dispatch and newlib use SSE: save the state */
    andq $-16, %rsp
    fxsave64 (%rsp)
    call trap_dispatch
    fxrstor64 (%rsp)
    movq %rbx, %rsp
    .globl resume_regs
resume_regs:                        /* rsp -> struct regs */
    movq $0, 15*8(%rsp)             /* iret flags: every register counts */
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r10
    popq %r9
    popq %r8
    popq %rdx
    popq %rsi
    popq %rdi
    popq %rax
    popq %r11
    popq %rcx
    jmp hypercall_page + __HYPERVISOR_iret * 32

/* One stub per vector, 32 bytes each, so that the address of stub n is arithmetic. */
    .p2align 5
    .globl trap_stubs
trap_stubs:
    .set vec, 0
    .rept 256
    .p2align 5
    .if vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || vec == 21 || vec == 29 || vec == 30
    ENTER vec, 1
    .else
    ENTER vec, 0
    .endif
    jmp trap_common
    .set vec, vec + 1
    .endr

    .p2align 4
    .globl event_entry
event_entry:
    ENTER VECTOR_EVENT, 0
    jmp trap_common

/* A selector could not be reloaded, and the hypervisor has loaded null, which is kept. The frame is
 * rcx r11 ds es fs gs rip cs rflags rsp ss. */
    .globl failsafe_entry
failsafe_entry:
    popq %rcx
    popq %r11
    leaq 24(%rsp), %rsp             /* drop three of four; the last becomes the error slot */
    movl $0, (%rsp)
    movl $VECTOR_FAILSAFE, 4(%rsp)
    jmp trap_common

/* A user's SYSCALL. The instruction overwrites rcx and r11, the handler the xmm registers. */
    .globl syscall_entry, syscall32_entry, sysenter_entry
syscall_entry:
    ENTER VECTOR_SYSCALL, 0
1:  SAVE
    movq %rsp, %rbx
    movq %rsp, %rdi
    movq %rbx, %rbp
    andq $-16, %rsp
    call syscall_dispatch
    movq %rbx, %rsp
    jmp resume_regs
syscall32_entry:
    ENTER VECTOR_SYSCALL32, 0
    jmp 1b
sysenter_entry:
    ENTER VECTOR_SYSENTER, 0
    jmp 1b

/* void user_enter(const struct regs *, uint64_t *kernel_sp): enter user mode. Later entries from
 * there use the stack below our caller's frame; its address is stored for thread.c. */
    .globl user_enter
user_enter:
    movq %rdi, %rbx                 /* it returns by longjmp: nothing to save */
    andq $-16, %rsp
    movq %rsp, (%rsi)
    movq %rsp, %rsi
    movl $FLAT_KERNEL_SS, %edi
    call hypercall_page + __HYPERVISOR_stack_switch * 32
    subq $REGS_SIZE, %rsp           /* room first: an event's frame must not overwrite it */
    movq %rbx, %rsi
    movq %rsp, %rdi
    movl $REGS_SIZE / 8, %ecx
    rep movsq
    jmp resume_regs

/* void thread_switch_stacks(uint64_t *old_rsp, uint64_t new_rsp) */
    .globl thread_switch_stacks, thread_trampoline
thread_switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
thread_trampoline:
    xorl %ebp, %ebp
    call thread_main
    ud2
    .section .note.GNU-stack, "", @progbits
