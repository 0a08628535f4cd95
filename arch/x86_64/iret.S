/* The hypercall iret without C: the guest returns from a trap or system call, to its user mode or
 * its kernel. entry.S jumps here; do_iret in xen/cpu/upcall.c does the same, and is called if there
 * is more to do. The IRET instruction itself and its faults are in traps.S. */
#include "arch/x86_64/entry_macros.h"

    .text

/* rcx: vcpu; rax: the guest's rsp; r11 is free, and rip in the frame not needed: the guest's values
 * are in its frame. The guest's rsp points to a struct iret_context (X_xxx), from its lowest
 * address: rax r11 rcx flags rip cs rflags rsp ss. */
    .globl iret_hypercall
iret_hypercall:
    IF_TRACED iret_traced
    incq V_calls + 8 * HYPERCALL_iret(%rcx)
    mov %rax, %r11
    shr $HOLE_SHIFT, %r11
    cmp $HOLE_NUMBER, %r11d                 /* the guest's rsp is in the hole */
    je iret_slow
    cmpq $0, V_iret_slow_and_work(%rcx)
    jne iret_slow
    mov %rdx, FRAME(rdx)
    mov V_info(%rcx), %rdx
    cmpb $0, I_pending(%rdx)
    jne iret_slow_rdx
1:  testl $IN_SYSCALL, X_flags(%rax)        /* rcx and r11 as of SYSRET: do_iret */
    jne iret_slow_rdx
    mov X_ss(%rax), %r11
    or $RPL, %r11d
    mov %r11, FRAME(ss)
    mov X_rsp(%rax), %r11
    mov %r11, FRAME(rsp)
    mov X_rip(%rax), %r11
    mov %r11, FRAME(rip)
    mov X_rcx(%rax), %r11
    mov %r11, FRAME(rcx)
    mov X_rflags(%rax), %r11
    mov %r11, FRAME(rflags)
    mov X_cs(%rax), %r11
    mov %r11d, FRAME(cs)
    not %r11d
    test $RPL, %r11b                        /* RPL 3: to user mode; another: to the kernel */
    mov X_r11(%rax), %r11
    mov X_rax(%rax), %rax
2:
    EXTABLE 1b, 2b, iret_slow_again
    jnz iret_to_kernel
    cmpq $0, V_root_user(%rcx)
    je iret_slow_again
    movb $0, V_kernel_mode(%rcx)
    testl $FLAG_IF, FRAME(rflags)
    setz I_mask(%rdx)
    swapgs
    mov V_root_user(%rcx), %rdx
    mov %rdx, %cr3
3:  andl $~(FLAG_IOPL | FLAG_VM), FRAME(rflags)
    orl $(FLAG_IF | FLAG_MBS), FRAME(rflags)
    mov FRAME(rdx), %rdx
    mov FRAME(rcx), %rcx
    lea FRAME(rip), %rsp
    jmp do_iretq

iret_to_kernel:
    testl $FLAG_IF, FRAME(rflags)
    setz I_mask(%rdx)
    orb $RPL, FRAME(cs)
    jmp 3b

iret_slow_again:                            /* rax may have its new value already */
    GUEST_RSP_AGAIN %rcx, %rax
iret_slow_rdx:
    mov FRAME(rdx), %rdx
iret_slow:                                  /* rax: the guest's rsp at the hypercall */
    mov %rax, FRAME(rsp)
    SAVE_SCRATCH
    SAVE_CALLEE below=8
    call do_iret
    add $8, %rsp
    mov %rax, R_rax(%rsp)
    jmp exit_to_guest

iret_traced:
    mov %r11, FRAME(rflags)
    mov %rax, FRAME(rsp)
    mov $HYPERCALL_iret, %eax
    jmp hypercall
