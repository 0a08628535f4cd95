/* Where guest code of ways 2 and 3 stops, and from where it goes on: the domain's user mode. The
 * general registers go straight into struct cpu, whose first words they are, and come from there.
 * direct.c makes these the handlers of all exceptions, of events and of system calls, and is called
 * with what happened; a trap of the vmm itself goes on to guest-pv's own stub (guest-pv/entry.S,
 * which draws the bounce frame, and the frame of the iret hypercall). */
#include <public/xen.h>
#include "layout.h"
#include "trap.h"

#define CPU_RAX (8 * 0)
#define CPU_RCX (8 * 1)
#define CPU_RSP (8 * 4)
#define CPU_R11 (8 * 11)
#define CPU_RIP (8 * 16)

    /* What rcx -> struct cpu leaves: neither rcx nor r11, nor rsp. */
    .macro EACH_REGISTER do
    \do %rax, 0
    \do %rdx, 2
    \do %rbx, 3
    \do %rbp, 5
    \do %rsi, 6
    \do %rdi, 7
    \do %r8, 8
    \do %r9, 9
    \do %r10, 10
    \do %r12, 12
    \do %r13, 13
    \do %r14, 14
    \do %r15, 15
    .endm
    .macro SAVE_REGISTER reg, nr
    movq \reg, 8 * \nr(%rcx)
    .endm
    .macro LOAD_REGISTER reg, nr
    movq 8 * \nr(%rcx), \reg
    .endm

    /* rcx r11 [error] rip cs: the frame has rcx and r11, so they are free. */
    .macro EXIT vector, has_error, otherwise
    testb $3, 8 * (3 + \has_error)(%rsp)
    jz \otherwise
    movl $\vector, %r11d
    .if \has_error
    jmp exit_with_error
    .else
    jmp exit_without_error
    .endif
    .endm

    .text
    .p2align 4
exit_with_error:
    movq direct_cpu, %rcx
    EACH_REGISTER SAVE_REGISTER
    popq CPU_RCX(%rcx)
    movl %r11d, %edi
    popq CPU_R11(%rcx)
    popq %rsi
    jmp 1f
    .p2align 4
exit_without_error:
    movq direct_cpu, %rcx
    EACH_REGISTER SAVE_REGISTER
    popq CPU_RCX(%rcx)
    movl %r11d, %edi
    popq CPU_R11(%rcx)
    xorl %esi, %esi
1:  popq CPU_RIP(%rcx)
    popq %rax                       /* cs */
    popq %rdx                       /* rflags */
    popq CPU_RSP(%rcx)
    popq %rax                       /* ss; rsp is aligned */
    cld
    fxsave64 direct_fx
    call direct_stopped             /* (vector, error, rflags): rax = rip, rdx = rflags */
    fxrstor64 direct_fx
    movq direct_cpu, %rcx
    pushq $FLAT_USER_SS
    pushq CPU_RSP(%rcx)
    pushq %rdx
    pushq $FLAT_USER_CS
    pushq %rax
    pushq $0                        /* flags of iret: every register counts */
    EACH_REGISTER LOAD_REGISTER
    movq CPU_R11(%rcx), %r11
    movq CPU_RCX(%rcx), %rcx
    jmp hypercall_page + __HYPERVISOR_iret * 32

/* The first time: user_enter() (guest-pv/entry.S), with the guest's FPU state. */
    .globl direct_enter
direct_enter:
    fxrstor64 direct_fx
    jmp user_enter

/* One for each exception, DIRECT_STUB bytes each. */
    .p2align 5
    .globl direct_stubs
direct_stubs:
    .set vec, 0
    .rept 32
    .p2align 5
    .if vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || vec == 21 || vec == 29 || vec == 30
    EXIT vec, 1, trap_stubs+32*vec
    .else
    EXIT vec, 0, trap_stubs+32*vec
    .endif
    .set vec, vec + 1
    .endr

    .globl direct_event_entry, direct_syscall_entry
direct_event_entry:
    EXIT VECTOR_EVENT, 0, event_entry
direct_syscall_entry:
    EXIT VECTOR_SYSCALL, 0, syscall_entry
    .section .note.GNU-stack, "", @progbits
