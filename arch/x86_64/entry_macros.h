/* What entry.S, iret.S and traps.S share: the frame on a vCPU's stack, and macros that save
 * registers there. Included by assembler files only; C has the frame as struct cpu_user_regs.
 *
 * A vCPU's own stack ends in struct stack_top, whose first member regs is its frame:
 *
 *   lowest address                                                                    top of stack
 *   r15 r14 .. rdi  | error code, vector | rip cs rflags rsp ss | es ds fs gs | vcpu | padding
 *   (15 registers)    by the stub          pushed by the CPU      unused
 *
 * A path has rsp at r15 while it uses R_xxx(%rsp), which is then a register's slot. Offsets are
 * made by asm-offsets.c: R_ of the frame, S_ of the stack's top, V_ of the vCPU, I_ of its
 * vcpu_info, B_ of a bounce frame, X_ of the frame of the hypercall iret. */
#ifndef ARCH_ENTRY_MACROS_H
#define ARCH_ENTRY_MACROS_H

#include "arch/x86_64/memlayout.h"
#include "common/x86/flags.h"
#include "asm-offsets.h"

/* On the paths of SYSCALL rsp is 8 below the frame, as C expects it before a call. */
#define FRAME(register) 8 + R_##register(%rsp)
#define VCPU 8 + S_vcpu(%rsp)

/* Of a selector, which in a frame's cs is the mode: 3 is a guest's. */
#define RPL 3

/* Of rflags, for the guest's handlers. */
#define FLAGS_CLEARED (FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | FLAG_AC)

/* A fault at an instruction in [from, to) continues at fixup (arch/x86_64/fault.c). */
.macro EXTABLE from, to, fixup
    .pushsection .extable, "a"
    .balign 4
    .long \from - .
    .long \to - .
    .long \fixup - .
    .popsection
.endm

/* Saves the registers that C may change, on a path of SYSCALL, without rax, rcx and r11, which each
 * path handles itself. */
.macro SAVE_SCRATCH
    mov %rdi, FRAME(rdi)
    mov %rsi, FRAME(rsi)
    mov %rdx, FRAME(rdx)
    mov %r8, FRAME(r8)
    mov %r9, FRAME(r9)
    mov %r10, FRAME(r10)
.endm

/* below: how far rsp is below the frame. */
.macro RESTORE_SCRATCH below=0
    mov \below + R_rdi(%rsp), %rdi
    mov \below + R_rsi(%rsp), %rsi
    mov \below + R_rdx(%rsp), %rdx
    mov \below + R_r8(%rsp), %r8
    mov \below + R_r9(%rsp), %r9
    mov \below + R_r10(%rsp), %r10
.endm

.macro SAVE_CALLEE below=0
    mov %rbx, \below + R_rbx(%rsp)
    mov %rbp, \below + R_rbp(%rsp)
    mov %r12, \below + R_r12(%rsp)
    mov %r13, \below + R_r13(%rsp)
    mov %r14, \below + R_r14(%rsp)
    mov %r15, \below + R_r15(%rsp)
.endm

/* The guest's rsp at its SYSCALL, which is still in this CPU's word. Uses vcpu up. */
.macro GUEST_RSP_AGAIN vcpu, to
    mov V_cpu(\vcpu), \to
    movslq C_id(\to), \to
    shl $ENTRY_WORDS_SHIFT, \to
    lea entry_words(%rip), \vcpu
    mov (\vcpu,\to), \to
.endm

/* Saves the whole frame at a SYSCALL from user mode. r11: rflags; r10, which is saved: rsp; rip is
 * in the frame; rcx is free. */
.macro SAVE_USER_SYSCALL cs
    mov %r10, FRAME(rsp)
    mov FRAME(r10), %r10
    mov %rax, FRAME(rax)
    mov FRAME(rip), %rcx                    /* where SYSCALL puts it, and rflags into r11 */
    mov %rcx, FRAME(rcx)
    mov %r11, FRAME(r11)
    mov %r11, FRAME(rflags)
    movl $SEL_GUEST_SS, FRAME(ss)
    movl $\cs, FRAME(cs)
    SAVE_SCRATCH
    SAVE_CALLEE below=8
.endm

/* Completes a struct cpu_user_regs below error code and vector. */
.macro PUSH_GPRS
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
.endm

.macro POP_GPRS
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
.endm

/* Goes to target, which is in C, if this class is traced; costs one predicted branch if it is
 * not. */
.macro IF_TRACED target, class=TRACE_HYPERCALL_BYTE
#ifdef IRQSOFF
    jmp \target                            /* which also measures (xen/core/irqsoff.h) */
#elif !defined(TRACE_NEVER)
    testb $\class, trace_on(%rip)
    jnz \target
#endif
.endm

/* C expects rsp to be a multiple of 16 before a call; &stack_top.regs is 8 off. */
.macro CALL_C fn
    sub $8, %rsp
    call \fn
    add $8, %rsp
.endm

#endif
