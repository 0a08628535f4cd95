/* The first instruction of a worker, its traps, and the instructions that may fault. A fault of one
 * of these makes the function return 0; every other trap ends the worker (worker_trap() in
 * worker.c). */
#include <public/xen.h>
#include "worker.h"

    .text
    .globl worker_start
worker_start:                           /* rdi: struct worker * */
    xorl %ebp, %ebp
    call worker_main
    ud2

/* int worker_load(const uint64_t *va, uint64_t *val): 1, or 0 after a fault */
    .globl worker_load, worker_store, worker_set_fs
worker_load:
worker_load_insn:
    movq (%rdi), %rax
    movq %rax, (%rsi)
    movl $1, %eax
    ret
worker_store:
worker_store_insn:
    movq %rsi, (%rdi)
    movl $1, %eax
    ret
worker_set_fs:
worker_set_fs_insn:
    movl %edi, %fs
    movl $1, %eax
    ret
worker_failed:
    xorl %eax, %eax
    ret

/* The bounce frame: rcx r11 error rip cs rflags rsp ss. It returns by the iret hypercall, whose
 * stub pushes rax, r11 and rcx below the place of the error code, which holds its flags. */
    .globl worker_fault, worker_fault_no_error
worker_fault:
    popq %rcx
    popq %r11
    pushq %rax
    leaq worker_load_insn(%rip), %rax
    cmpq %rax, 16(%rsp)
    je 1f
    leaq worker_store_insn(%rip), %rax
    cmpq %rax, 16(%rsp)
    je 1f
    leaq worker_set_fs_insn(%rip), %rax
    cmpq %rax, 16(%rsp)
    jne 2f
1:  leaq worker_failed(%rip), %rax
    movq %rax, 16(%rsp)
    popq %rax
    movq $0, (%rsp)
    jmp hypercall_page + __HYPERVISOR_iret * 32
2:  leaq 16(%rsp), %rdi
    andq $-16, %rsp
    call worker_trap

/* A selector cannot be loaded any more when the vCPU runs again: it is null now. The frame: rcx r11
 * ds es fs gs rip cs rflags rsp ss. */
    .globl worker_failsafe
worker_failsafe:
    popq %rcx
    popq %r11
    addq $32, %rsp
    pushq $0
    jmp hypercall_page + __HYPERVISOR_iret * 32

worker_fault_no_error:
    leaq 16(%rsp), %rdi
    andq $-16, %rsp
    call worker_trap
    .section .note.GNU-stack, "", @progbits
