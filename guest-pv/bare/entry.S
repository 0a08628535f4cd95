/* The ways in and out of the kernel on a bare machine. What the CPU pushes becomes the frame that a
 * hypervisor bounces to the kernel (drawn in ../entry.S), and its iret hypercall becomes IRETQ.
 * The kernel's event flag is the byte in shared_info; its value before a trap is in the upper half
 * of the frame's CS, as there. */
#include <public/xen.h>
#include "bare.h"

#define PENDING shared_info_page(%rip)          /* vcpu_info[0]: evtchn_upcall_pending, */
#define MASK 1+shared_info_page(%rip)           /* evtchn_upcall_mask, */
#define CR2 16+shared_info_page(%rip)           /* arch.cr2 */
#define IF 0x200

    .text
/* rsp -> rcx r11 [error] rip cs rflags rsp ss; r11 -> rip; ecx: the vector */
trap_bounce:
    pushq %rax
    cmpl $14, %ecx
    jne 1f
    movq %cr2, %rax
    movq %rax, CR2
1:  movzbl MASK, %eax
    movl %eax, 12(%r11)
    testb $4, trap_flags(%rcx)
    jz 2f
    movb $1, MASK
2:  popq %rax
    movq trap_address(, %rcx, 8), %r11
    testq %r11, %r11
    jz no_handler
    sti                                         /* N1 */
    jmp *%r11
no_handler:
    movl %ecx, %edi
    movq %rsp, %rsi
    call bare_lost

trap_with_error:
    leaq 24(%rsp), %r11
    jmp trap_bounce
trap_plain:
    leaq 16(%rsp), %r11
    jmp trap_bounce

/* ecx: the interrupt's number */
interrupt:
    pushq %rax
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %rbp
    movq %rsp, %rbp
    andq $-16, %rsp
    movl %ecx, %edi
    cld
    call bare_irq
    movq %rbp, %rsp
    popq %rbp
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rax
    cmpb $0, in_bare_call(%rip)
    jne 1f
    cmpb $0, MASK
    jne 1f
    cmpb $0, PENDING
    jne deliver_event
1:  popq %rcx
    popq %r11
    iretq

/* rsp -> rcx r11 rip cs rflags rsp ss; the flag was open */
deliver_event:
    movl $0, 28(%rsp)
    movb $1, MASK
    sti
    jmp *event_address(%rip)

/* One stub for each vector. */
    .p2align 4
    .globl bare_stubs
bare_stubs:
    .set vec, 0
    .rept 256
    .p2align 4
    pushq %r11
    pushq %rcx
    .if vec >= IRQ_BASE && vec < IRQ_BASE + 16
    movl $vec - IRQ_BASE, %ecx
    jmp interrupt
    .elseif vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || vec == 21 || vec == 29 || vec == 30
    movl $vec, %ecx
    jmp trap_with_error
    .else
    movl $vec, %ecx
    jmp trap_plain
    .endif
    .set vec, vec + 1
    .endr

/* SYSCALL, from user mode: the CPU has the return in rcx and the flags in r11. */
    .globl bare_syscall
bare_syscall:
    movq %rsp, user_rsp(%rip)
    movq kernel_stack(%rip), %rsp
    pushq $BARE_USER_SS
    pushq user_rsp(%rip)
    pushq %r11
    pushq $BARE_USER_CS
    pushq %rcx
    pushq %r11
    pushq %rcx
    movb MASK, %cl
    movb %cl, 28(%rsp)
    movb $1, MASK
    sti
    jmp *syscall_address(%rip)

/* A hypercall: eax its number, the ABI's registers. Events that are due come at its end. */
    .globl bare_hypercall
bare_hypercall:
    cli
    movb $1, in_bare_call(%rip)
    pushq %r9
    pushq %rbp
    movq %rsp, %rbp
    andq $-16, %rsp
    movq %r10, %rcx
    movl %eax, %r9d
    cld
    call bare_call
    movq %rbp, %rsp
    popq %rbp
    popq %r9
    movb $0, in_bare_call(%rip)
    cmpb $0, MASK
    jne 1f
    cmpb $0, PENDING
    jne 2f
1:  sti
    ret
2:  popq %rcx
    movq %rsp, %r11
    pushq $BARE_KERNEL_SS
    pushq %r11
    pushfq
    orq $IF, (%rsp)
    pushq $BARE_KERNEL_CS
    pushq %rcx
    pushq %r11
    pushq %rcx
    jmp deliver_event

/* rsp -> flags rip cs rflags rsp ss; rax, rcx and r11 are the interrupted code's */
    .globl bare_iret
bare_iret:
    cli
    addq $8, %rsp
    pushq %rax
    movb 20(%rsp), %al
    movb %al, MASK
    popq %rax
    andq $0xff, 8(%rsp)
    andq $0xff, 32(%rsp)
    orq $IF, 16(%rsp)
    cmpb $0, MASK
    jne 1f
    cmpb $0, PENDING
    je 1f
    pushq %r11
    pushq %rcx
    jmp deliver_event
1:  iretq

/* void bare_enter(uint64_t cr3, uint64_t start_info, uint64_t stack) */
    .globl bare_enter
bare_enter:
    movq %rdi, %cr3
    movq %rdx, %rsp
    sti
    jmp _start

    .bss
    .p2align 3
    .globl trap_address, event_address, syscall_address, kernel_stack, trap_flags, in_bare_call
trap_address:
    .skip 256 * 8
event_address:
    .skip 8
syscall_address:
    .skip 8
kernel_stack:
    .skip 8
user_rsp:
    .skip 8
trap_flags:
    .skip 256
in_bare_call:
    .skip 1
    .section .note.GNU-stack, "", @progbits
