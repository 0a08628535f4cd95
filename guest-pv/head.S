/* The first instruction, and the Xen notes that the domain builder reads. Saves the registers as
 * they were at entry (suites/boot.c checks them, suite "sensitive" the FPU's), switches to the
 * kernel's own stack and calls start(). */
#include <public/elfnote.h>
#include <public/features.h>
#include "layout.h"
#include "note.h"

    NOTE XEN_ELFNOTE_ENTRY, .quad _start
    NOTE XEN_ELFNOTE_HYPERCALL_PAGE, .quad hypercall_page
    NOTE XEN_ELFNOTE_VIRT_BASE, .quad VIRT_BASE
    NOTE XEN_ELFNOTE_PADDR_OFFSET, .quad 0
    NOTE XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
    NOTE XEN_ELFNOTE_GUEST_OS, .asciz "guest-pv"
    NOTE XEN_ELFNOTE_GUEST_VERSION, .asciz "1"
    NOTE XEN_ELFNOTE_LOADER, .asciz "generic"
    NOTE XEN_ELFNOTE_PAE_MODE, .asciz "yes"
    NOTE XEN_ELFNOTE_FEATURES, .asciz "pae_pgdir_above_4gb"
    NOTE XEN_ELFNOTE_SUPPORTED_FEATURES, .quad (1 << XENFEAT_dom0)
    NOTE XEN_ELFNOTE_HV_START_LOW, .quad HOLE_START
    NOTE XEN_ELFNOTE_L1_MFN_VALID, .quad 1, 1

    .section .head.text, "ax"
    .globl _start
_start:
    movq %rax, boot_regs+0(%rip)
    movq %rbx, boot_regs+8(%rip)
    movq %rcx, boot_regs+16(%rip)
    movq %rdx, boot_regs+24(%rip)
    movq %rsi, boot_regs+32(%rip)
    movq %rdi, boot_regs+40(%rip)
    movq %rbp, boot_regs+48(%rip)
    movq %rsp, boot_regs+56(%rip)
    movq %r8, boot_regs+64(%rip)
    movq %r9, boot_regs+72(%rip)
    movq %r10, boot_regs+80(%rip)
    movq %r11, boot_regs+88(%rip)
    movq %r12, boot_regs+96(%rip)
    movq %r13, boot_regs+104(%rip)
    movq %r14, boot_regs+112(%rip)
    movq %r15, boot_regs+120(%rip)
    pushfq
    popq boot_regs+128(%rip)
    movq %cs, %rax
    movq %rax, boot_regs+136(%rip)
    movq %ss, %rax
    movq %rax, boot_regs+144(%rip)
    movq %ds, %rax
    movq %rax, boot_regs+152(%rip)
    movq %es, %rax
    movq %rax, boot_regs+160(%rip)
    movq %fs, %rax
    movq %rax, boot_regs+168(%rip)
    movq %gs, %rax
    movq %rax, boot_regs+176(%rip)
    fxsave64 boot_fx(%rip)
    leaq boot_stack+STACK_SIZE(%rip), %rsp
    xorl %ebp, %ebp
    movq %rsi, %rdi
    call start
    ud2

    .text
    .p2align PAGE_SHIFT
    .globl hypercall_page
hypercall_page:
    .skip PAGE_SIZE, 0xcc

    .section .page.bss, "aw", @nobits
    .p2align PAGE_SHIFT
    .globl shared_info_page, boot_stack
shared_info_page:
    .skip PAGE_SIZE
boot_stack:
    .skip STACK_SIZE

    .data                       /* not .bss, so that clearing .bss cannot destroy them */
    .p2align 4
    .globl boot_regs, boot_fx
boot_fx:
    .skip 512
boot_regs:
    .skip 23 * 8
    .section .note.GNU-stack, "", @progbits
