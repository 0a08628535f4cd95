/* The hypercall iret without C: the guest returns from a trap or system call, to its user mode or
 * its kernel. entry.S jumps here; do_iret in xen/cpu/upcall.c does the same, and is called if there
 * is more to do. The IRET instruction itself and its faults are in traps.S. */
#include "arch/x86_64/entry_macros.h"

    .text

/* rax: vcpu; rcx: the guest's rsp; r11 is free: the guest's values are in its frame. The guest's
 * rsp points to a struct iret_context (X_xxx), from its lowest address: rax r11 rcx flags rip cs
 * rflags rsp ss. */
    .globl iret_hypercall
iret_hypercall:
    IF_TRACED iret_traced
    incq V_calls + 8 * HYPERCALL_iret(%rax)
    mov %rcx, %r11
    shr $HOLE_SHIFT, %r11
    cmp $HOLE_NUMBER, %r11d                 /* the guest's rsp is in the hole */
    je iret_slow
    cmpq $0, V_iret_slow_and_work(%rax)
    jne iret_slow
    mov %rdx, R_rdx(%rsp)
    mov V_info(%rax), %rdx
    cmpb $0, I_pending(%rdx)
    jne iret_slow_rdx
1:  testl $IN_SYSCALL, X_flags(%rcx)        /* rcx and r11 are to be kept: do_iret */
    jne iret_slow_rdx
    mov X_ss(%rcx), %r11
    or $RPL, %r11d
    mov %r11, R_ss(%rsp)
    mov X_rsp(%rcx), %r11
    mov %r11, R_rsp(%rsp)
    mov X_rip(%rcx), %r11
    mov %r11, R_rip(%rsp)
    mov X_rax(%rcx), %r11
    mov %r11, R_rax(%rsp)
    mov X_rflags(%rcx), %r11
    mov %r11, R_rflags(%rsp)
    mov X_cs(%rcx), %r11
    mov %r11d, R_cs(%rsp)
    not %r11d
    test $RPL, %r11b                        /* RPL 3: to user mode; another: to the kernel */
    mov X_r11(%rcx), %r11
    mov X_rcx(%rcx), %rcx
2:
    EXTABLE 1b, 2b, iret_slow_again
    jnz iret_to_kernel
    cmpq $0, V_root_user(%rax)
    je iret_slow_again
    movb $0, V_kernel_mode(%rax)
    testl $FLAG_IF, R_rflags(%rsp)
    setz I_mask(%rdx)
    swapgs
    mov V_root_user(%rax), %rdx
    mov %rdx, %cr3
3:  andl $~(FLAG_IOPL | FLAG_VM), R_rflags(%rsp)
    orl $(FLAG_IF | FLAG_MBS), R_rflags(%rsp)
    mov R_rdx(%rsp), %rdx
    mov R_rax(%rsp), %rax
    lea R_rip(%rsp), %rsp
    jmp do_iretq

iret_to_kernel:
    testl $FLAG_IF, R_rflags(%rsp)
    setz I_mask(%rdx)
    orb $RPL, R_cs(%rsp)
    jmp 3b

/* rcx and R_rsp may have new values already: the guest's rsp at the hypercall is in this CPU's
 * word. */
iret_slow_again:
    mov V_cpu(%rax), %rcx
    mov C_id(%rcx), %ecx
    shl $ENTRY_WORDS_SHIFT, %rcx
    lea entry_words(%rip), %r11
    mov (%r11,%rcx), %rcx
iret_slow_rdx:
    mov R_rdx(%rsp), %rdx
iret_slow:                                  /* rcx: the guest's rsp at the hypercall */
    mov %rcx, R_rsp(%rsp)
    SAVE_SCRATCH
    SAVE_CALLEE
    CALL_C do_iret
    mov %rax, R_rax(%rsp)
    jmp exit_to_guest

iret_traced:
    mov %rcx, R_rsp(%rsp)
    jmp hypercall
