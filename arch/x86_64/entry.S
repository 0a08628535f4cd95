/* Every way from a guest into the hypervisor and back, but for interrupts' C halves.
 *
 * A vCPU's own stack ends in struct stack_top, whose regs are its guest frame. Paths, shortest first:
 *   hypercall     saves what C may clobber into the frame; callee-saved registers stay in the CPU; leaves by SYSRET
 *   user SYSCALL  straight into the guest kernel's handler, no C
 *   iret          straight back to user or kernel, no C
 *   trap          the whole frame, C, IRET
 * Whenever anything unusual shows (work for the way out, an upcall due, a fault), each falls back to C: the two
 * shortcuts commit nothing before they know that they will finish, and have exact twins in xen/pv/upcall.c.
 * rsp points at the frame (regs) throughout, so R_xxx(%rsp) are its slots. Interrupts are off from entry to exit. */
#include "arch/x86_64/memlayout.h"
#include "asm-offsets.h"

#define EFLAGS_IF_MBS 0x202
#define FLAGS_CLEARED (0x100 | 0x4000 | 0x10000 | 0x20000 | 0x40000)   /* TF NT RF VM AC */

/* A fault between labels from and to goes on at fixup (arch/x86_64/fault.c). */
.macro EXTABLE from, to, fixup
    .pushsection .extable, "a"
    .balign 4
    .long \from - .
    .long \to - .
    .long \fixup - .
    .popsection
.endm

.macro SAVE_SCRATCH             /* the argument registers; rax, rcx and r11 have been dealt with */
    mov %rdi, R_rdi(%rsp)
    mov %rsi, R_rsi(%rsp)
    mov %rdx, R_rdx(%rsp)
    mov %r8, R_r8(%rsp)
    mov %r9, R_r9(%rsp)
    mov %r10, R_r10(%rsp)
.endm

.macro RESTORE_SCRATCH
    mov R_rdi(%rsp), %rdi
    mov R_rsi(%rsp), %rsi
    mov R_rdx(%rsp), %rdx
    mov R_r8(%rsp), %r8
    mov R_r9(%rsp), %r9
    mov R_r10(%rsp), %r10
.endm

.macro SAVE_CALLEE
    mov %rbx, R_rbx(%rsp)
    mov %rbp, R_rbp(%rsp)
    mov %r12, R_r12(%rsp)
    mov %r13, R_r13(%rsp)
    mov %r14, R_r14(%rsp)
    mov %r15, R_r15(%rsp)
.endm

.macro SAVE_USER_SYSCALL cs     /* the whole frame of a SYSCALL from user mode, but for rax */
    mov %rcx, R_rcx(%rsp)
    mov %rcx, R_rip(%rsp)
    mov %r11, R_r11(%rsp)
    mov %r11, R_rflags(%rsp)
    mov entry_scratch(%rip), %rcx
    mov %rcx, R_rsp(%rsp)
    movl $SEL_GUEST_SS, R_ss(%rsp)
    movl $\cs, R_cs(%rsp)
    SAVE_SCRATCH
    SAVE_CALLEE
.endm

.macro IF_TRACED target         /* hypercalls are recorded: off costs one predicted branch */
#ifdef IRQSOFF
    jmp \target                            /* where it is measured, too */
#elif !defined(TRACE_NEVER)
    testb $TRACE_HYPERCALL_BYTE, trace_on(%rip)
    jnz \target
#endif
.endm

.macro CALL_C fn                /* rsp is 8 off the alignment that C expects: see struct stack_top */
    sub $8, %rsp
    call \fn
    add $8, %rsp
.endm

    .text

/* --- SYSCALL ----------------------------------------------------------------------------------------------------- */
    .globl syscall_entry
syscall_entry:
    mov %rsp, entry_scratch(%rip)
    mov entry_frame(%rip), %rsp
    mov %rax, R_rax(%rsp)
    mov S_vcpu(%rsp), %rax
    cmpb $0, V_kernel_mode(%rax)
    je user_syscall
    cmpq $HYPERCALL_iret, R_rax(%rsp)
    je iret_hypercall
hypercall:
    mov %rcx, R_rip(%rsp)
    mov %r11, R_rflags(%rsp)
    mov entry_scratch(%rip), %rcx
    mov %rcx, R_rsp(%rsp)
    movl $SEL_GUEST_SS, R_ss(%rsp)
    movl $SEL_GUEST_CS64, R_cs(%rsp)
    SAVE_SCRATCH
    mov R_rax(%rsp), %rax
    cmp $64, %rax
    jae hypercall_out_of_range
    IF_TRACED hypercall_with_trace
    lea hypercall_counts(%rip), %rcx
    incq (%rcx,%rax,8)
    lea hypercall_table(%rip), %r11
    mov %r10, %rcx
    sub $8, %rsp
    call *(%r11,%rax,8)
    add $8, %rsp
hypercall_done:
    mov %rax, R_rax(%rsp)
    mov S_vcpu(%rsp), %rcx
    cmpl $0, V_work(%rcx)
    jne hypercall_slow_exit
    mov V_info(%rcx), %rcx
    cmpb $0, I_pending(%rcx)
    jne hypercall_maybe_upcall
hypercall_fast_exit:
    mov R_rip(%rsp), %rcx
    cmp first_non_canonical(%rip), %rcx     /* SYSRET would fault in ring 0, on the guest's stack (XSA-7) */
    je hypercall_slow_exit
    RESTORE_SCRATCH
    mov R_rflags(%rsp), %r11
    mov R_rsp(%rsp), %rsp
    sysretq

hypercall_maybe_upcall:
    cmpb $0, I_mask(%rcx)
    jne hypercall_fast_exit
hypercall_slow_exit:
    SAVE_CALLEE
    CALL_C exit_to_guest_work
    jmp restore_all

hypercall_out_of_range:
    IF_TRACED hypercall_with_trace
    mov $-38, %rax                          /* -ENOSYS */
    jmp hypercall_done

hypercall_with_trace:
    mov %rax, %rdi
    sub $56, %rsp                           /* the arguments as an array, and the alignment */
    mov R_rdi+56(%rsp), %rcx
    mov %rcx, (%rsp)
    mov %rsi, 8(%rsp)
    mov %rdx, 16(%rsp)
    mov %r10, 24(%rsp)
    mov %r8, 32(%rsp)
    mov %r9, 40(%rsp)
    mov %rsp, %rsi
    call hypercall_traced
    add $56, %rsp
    jmp hypercall_done

/* --- SYSCALL of user mode: rax = vcpu; twin of handle_user_syscall -------------------------------------------------- */
user_syscall:
    cmpq $0, V_cb_syscall(%rax)
    je user_syscall_slow
    cmpl $0, V_work(%rax)
    jne user_syscall_slow
    mov %rdx, R_rdx(%rsp)
    mov V_info(%rax), %rdx
    cmpw $0, I_pending(%rdx)                /* nothing pending, not masked: the saved mask is 0, IF reads 1 */
    jne user_syscall_slow_rdx
    mov %r10, R_r10(%rsp)
    mov V_root_kernel(%rax), %r10
    swapgs
    mov %r10, %cr3
    mov entry_scratch(%rip), %r10
    mov V_kernel_sp(%rax), %rdx             /* never in the hole: set_kernel_stack */
    and $-16, %rdx
1:  movq $SEL_GUEST_SS, -8(%rdx)
    mov %r10, -16(%rdx)
    mov %r11, -24(%rdx)
    movq $SEL_GUEST_CS64, -32(%rdx)
    mov %rcx, -40(%rdx)
    mov %r11, -48(%rdx)
    mov %rcx, -56(%rdx)
2:
    EXTABLE 1b, 2b, user_syscall_fault
    movb $1, V_kernel_mode(%rax)
    mov V_info(%rax), %r10
    testb $CB_SYSCALL_BIT, V_cb_masks(%rax)
    setnz I_mask(%r10)
    mov V_cb_syscall(%rax), %rcx            /* canonical: callback_register */
    and $~(FLAGS_CLEARED | 0x400), %r11d
    mov R_r10(%rsp), %r10
    mov R_rax(%rsp), %rax
    lea -56(%rdx), %rdx
    mov %rdx, R_rsp(%rsp)
    mov R_rdx(%rsp), %rdx
    mov R_rsp(%rsp), %rsp
    sysretq

user_syscall_fault:                         /* C toggles again and finds the same fault */
    swapgs
    mov R_r10(%rsp), %r10
user_syscall_slow_rdx:
    mov R_rdx(%rsp), %rdx
user_syscall_slow:
    SAVE_USER_SYSCALL SEL_GUEST_CS64
    mov %rax, %rdi
    CALL_C handle_user_syscall
    jmp exit_to_guest

/* --- iret: rax = vcpu; rax, rcx, r11 are dead, for the guest's values are in its frame; twin of do_iret ------------- */
iret_hypercall:
    IF_TRACED hypercall
    incq hypercall_counts + 8 * HYPERCALL_iret(%rip)
    mov entry_scratch(%rip), %rcx           /* the guest's frame: rax r11 rcx flags rip cs rflags rsp ss */
    mov %rcx, %r11
    shr $43, %r11
    cmp $0x1ffff0, %r11d                    /* in the hole? */
    je iret_slow
    cmpb $0, V_iret_slow(%rax)
    jne iret_slow
    cmpl $0, V_work(%rax)
    jne iret_slow
    mov %rdx, R_rdx(%rsp)
    mov V_info(%rax), %rdx
    cmpb $0, I_pending(%rdx)
    jne iret_slow_rdx
1:  testl $0x100, 24(%rcx)                  /* VGCF_in_syscall */
    jne iret_slow_rdx
    mov 64(%rcx), %r11
    or $3, %r11d
    mov %r11, R_ss(%rsp)
    mov 56(%rcx), %r11
    mov %r11, R_rsp(%rsp)
    mov 32(%rcx), %r11
    mov %r11, R_rip(%rsp)
    mov (%rcx), %r11
    mov %r11, R_rax(%rsp)
    mov 8(%rcx), %r11
    mov %r11, R_r11(%rsp)
    mov 48(%rcx), %r11
    mov %r11, R_rflags(%rsp)
    mov 40(%rcx), %r11
    mov 16(%rcx), %rcx
2:
    EXTABLE 1b, 2b, iret_slow_rdx
    mov %rcx, R_rcx(%rsp)
    mov R_rflags(%rsp), %rcx
    not %ecx
    shr $9, %ecx
    and $1, %ecx
    mov %r11d, R_cs(%rsp)
    not %r11d
    test $3, %r11b
    jnz 3f                                  /* back to the kernel */
    mov V_root_user(%rax), %r11
    test %r11, %r11
    jz iret_slow_rdx
    movb $0, V_kernel_mode(%rax)
    swapgs
    mov %r11, %cr3
3:  mov %cl, I_mask(%rdx)
    orb $3, R_cs(%rsp)
    andl $~0x23000, R_rflags(%rsp)          /* IOPL, VM */
    orl $EFLAGS_IF_MBS, R_rflags(%rsp)
    mov R_rdx(%rsp), %rdx
    mov R_rcx(%rsp), %rcx
    mov R_r11(%rsp), %r11
    mov R_rax(%rsp), %rax
    lea R_rip(%rsp), %rsp
    jmp do_iretq

iret_slow_rdx:
    mov R_rdx(%rsp), %rdx
iret_slow:
    mov entry_scratch(%rip), %rcx
    mov %rcx, R_rsp(%rsp)
    SAVE_SCRATCH
    SAVE_CALLEE
    CALL_C do_iret
    mov %rax, R_rax(%rsp)
    jmp exit_to_guest

/* --- Traps and interrupts ------------------------------------------------------------------------------------------ */
/* Vectors on which the CPU pushes an error code: 8 10-14 17 21 29 30. */
    .balign 16
    .globl trap_stubs
trap_stubs:
    vector = 0
    .rept 256
    .balign 16
    .if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
    pushq $0
    .endif
    movl $vector, 4(%rsp)
    .if vector == 1
    jmp ist_trap_db
    .elseif vector == 2
    jmp ist_trap_nmi
    .elseif vector == 8
    jmp ist_trap_df
    .elseif vector == 18
    jmp ist_trap_mce
    .elseif vector == 0xf0
    jmp interrupt
    .elseif vector == 0xff
    jmp spurious
    .elseif vector >= 32
    jmp stray
    .else
    jmp trap
    .endif
    vector = vector + 1
    .endr

.macro PUSH_GPRS                            /* onto rip.. and the error code: completes a cpu_user_regs */
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

trap:
    PUSH_GPRS
    cld
    mov %rsp, %rdi
    testb $3, R_cs(%rsp)
    jz trap_from_hypervisor
    mov R_entry_vector(%rsp), %esi
    mov %cr2, %rdx                          /* meaningful for #PF only */
    CALL_C handle_guest_trap

    .globl exit_to_guest
exit_to_guest:
    mov S_vcpu(%rsp), %rax
    cmpl $0, V_work(%rax)
    jne 1f
    mov V_info(%rax), %rcx
    cmpb $0, I_pending(%rcx)
    je restore_all
    cmpb $0, I_mask(%rcx)
    jne restore_all
1:  CALL_C exit_to_guest_work
restore_all:
    POP_GPRS
    add $8, %rsp
    .globl do_iretq
do_iretq:                                   /* may fault on what the guest chose: fault.c sends it to iret_failed */
    iretq

/* The IRET to a guest faulted. rsp is where it was, at the rip slot of the frame, all registers are the guest's again.
 * The fault becomes the guest's own, as if its instruction at the new rip had raised it. */
    .globl iret_failed
iret_failed:
    pushq iret_fault(%rip)                  /* error code and vector, from fault.c */
    PUSH_GPRS
    mov %rsp, %rdi
    mov R_entry_vector(%rsp), %esi
    CALL_C handle_iret_fault
    jmp exit_to_guest

trap_from_hypervisor:
    and $-16, %rsp
    mov %rdi, %rbx
    call handle_hypervisor_trap             /* (regs): sets rip to a fixup, or panics */
    mov %rbx, %rsp
    POP_GPRS
    add $8, %rsp
    iretq

interrupt:
    PUSH_GPRS
    cld
    testb $3, R_cs(%rsp)
    jz 1f
    CALL_C handle_timer_interrupt
    jmp exit_to_guest
1:  mov %rsp, %rbx                          /* in preempt_point or idle: no switch here */
    and $-16, %rsp
    call handle_timer_interrupt
    mov %rbx, %rsp
    POP_GPRS
    add $8, %rsp
    iretq

stray:                                      /* a device's: no INT n gets here, the gates have DPL 0 */
    PUSH_GPRS
    cld
    mov %rsp, %rbx
    and $-16, %rsp
    call handle_stray_interrupt
    mov %rbx, %rsp
    POP_GPRS
spurious:                                   /* takes no EOI */
    add $8, %rsp
    iretq

/* --- Vectors with a stack of their own ------------------------------------------------------------------------------ */
/* #DB can be raised on our first instruction (MOV SS, then SYSCALL), on the guest's stack: hence the IST. From a guest it
 * is an ordinary trap and moves to the vCPU's stack; in ring 0 it is a guest's trick, and ignored. */
ist_trap_db:
    PUSH_GPRS
    cld
    mov %rsp, %rdi
    testb $3, R_cs(%rsp)
    jz 1f
    mov entry_frame(%rip), %rsp
    mov %rdi, %rsi
    mov %rsp, %rdi
    mov $(R_es / 8), %ecx
    rep movsq
    mov %rsp, %rdi
    CALL_C handle_guest_db
    jmp exit_to_guest
1:  and $-16, %rsp
    mov %rdi, %rbx
    call handle_hypervisor_db
    mov %rbx, %rsp
    POP_GPRS
    add $8, %rsp
    iretq

/* These two come between any two instructions of ours, with locks held and tables half written: C makes a note, and they
 * go back to where they came from, at once. */
.macro NOTE_AND_RETURN handler
    PUSH_GPRS
    cld
    mov %rsp, %rdi
    mov %rsp, %rbx
    and $-16, %rsp
    call \handler
    mov %rbx, %rsp
    POP_GPRS
    add $8, %rsp
    iretq
.endm

ist_trap_nmi:
    NOTE_AND_RETURN handle_nmi

ist_trap_mce:
    NOTE_AND_RETURN handle_machine_check

ist_trap_df:
    PUSH_GPRS
    cld
    mov %rsp, %rdi
    and $-16, %rsp
    call handle_double_fault
    ud2

/* SYSCALL from 32-bit user code (AMD), SYSENTER (Intel). */
    .globl cstar_entry
cstar_entry:
    mov %rsp, entry_scratch(%rip)
    mov entry_frame(%rip), %rsp
    mov %rax, R_rax(%rsp)
    SAVE_USER_SYSCALL SEL_GUEST_CS32
    mov S_vcpu(%rsp), %rdi
    CALL_C handle_syscall32
    jmp exit_to_guest

    .globl sysenter_entry
sysenter_entry:                             /* rsp = &regs.es, from the MSR */
    pushq $SEL_GUEST_SS
    pushq $0
    pushfq
    .globl sysenter_flags_saved
sysenter_flags_saved:                       /* from here on TF may go (fault.c); NT is still as the user had it */
    orl $0x200, (%rsp)
    pushq $3
    pushq $0
    pushq $0
    PUSH_GPRS
    pushq $2                                /* NT is not masked by SYSENTER: clear it (XSA-44), and the rest */
    popfq
    mov S_vcpu(%rsp), %rdi
    CALL_C handle_sysenter
    jmp exit_to_guest

/* --- Switching stacks ------------------------------------------------------------------------------------------------ */
/* void switch_stack(uint64_t *save_sp, uint64_t load_sp) */
    .globl switch_stack
switch_stack:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* Where a vCPU that never ran returns to: rsp is 8 below its frame (see arch_vcpu_init). */
    .globl fresh_vcpu
fresh_vcpu:
    call vcpu_first_run
    add $8, %rsp
    jmp exit_to_guest

/* --- Guest memory ------------------------------------------------------------------------------------------------------ */
/* size_t copy_guest(void *dst, const void *src, size_t len): bytes not copied; either side may fault. */
    .globl copy_guest
copy_guest:
    mov %rdx, %rcx
    shr $3, %rcx
    and $7, %edx
1:  rep movsq
    mov %edx, %ecx
2:  rep movsb
3:  mov %ecx, %eax
    ret
copy_words_fault:
    lea (%rdx,%rcx,8), %rcx
    jmp 2b                                  /* to the byte, so that a short tail of a page still counts */
copy_bytes_fault:
    mov %rcx, %rax
    ret
    EXTABLE 1b, 2b, copy_words_fault
    EXTABLE 2b, 3b, copy_bytes_fault

    .section .rodata
    .balign 8
first_non_canonical:
    .quad 0x0000800000000000

    .data
    .balign 8
    .globl entry_scratch, entry_frame, iret_fault
entry_scratch:                              /* per CPU: the guest's rsp while there is no register for it */
    .quad 0
entry_frame:                                /* per CPU: &stack_top.regs of the running vCPU */
    .quad 0
iret_fault:
    .quad 0
