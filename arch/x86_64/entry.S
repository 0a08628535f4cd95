/* System calls and hypercalls: SYSCALL, from the guest's kernel and from its user mode, and
 * SYSENTER. The hypercall iret is in iret.S, exceptions and interrupts in traps.S, the frame on the
 * stack in entry_macros.h. C functions called here are the hypercalls (xen/pv/) and in
 * xen/cpu/upcall.c.
 *
 * Interrupts are off from the entry to the exit. The paths, shortest first:
 *
 *   hypercall     saves only the registers that C may change; callee-saved ones stay in the CPU.
 *                 Leaves by SYSRET
 *   user SYSCALL  goes to the guest kernel's SYSCALL callback, without C
 *   iret          goes back to the guest's user mode or kernel, without C (iret.S)
 *   trap          saves the whole frame, calls C, leaves by IRET (traps.S)
 *
 * If there is WORK_* to do, an upcall to deliver or a fault, each path continues in C. The second
 * and third change nothing before they are certain to complete; what they do is the same as
 * handle_user_syscall and do_iret in xen/cpu/upcall.c do. */
#include "arch/x86_64/entry_macros.h"

#define ARGS_BYTES (6 * 8)      /* the arguments of a hypercall as an array */

    .text

/* --- SYSCALL of the guest's kernel: a hypercall ----------------------------------------------- */
/* rax: number; rdi rsi rdx r10 r8 r9: arguments; rcx: the guest's rip; r11: its rflags. */
/* SYSCALL changes no stack, and all registers are the guest's: without a word of its own a CPU
 * cannot get at its stack. So each CPU has an entry point of its own, to which its MSR points, and
 * which names its words. It also does what all paths begin with. */
.macro FIND_FRAME
    mov %rsp, entry_words + (cpu << ENTRY_WORDS_SHIFT)(%rip)
    mov entry_words + (cpu << ENTRY_WORDS_SHIFT) + 8(%rip), %rsp
    mov %rax, R_rax(%rsp)
.endm
.macro GUEST_RSP to
    mov entry_words + (cpu << ENTRY_WORDS_SHIFT)(%rip), \to
.endm

    .balign 1 << ENTRY_STUBS_SHIFT
    .globl entry_stubs
entry_stubs:
    cpu = 0
    .rept MAX_CPUS
    .org entry_stubs + (cpu << ENTRY_STUBS_SHIFT)
    FIND_FRAME
    mov S_vcpu(%rsp), %rax
    cmpb $0, V_kernel_mode(%rax)
    je 1f
    cmpq $HYPERCALL_iret, R_rax(%rsp)
    je 2f
    GUEST_RSP %rax
    mov %rax, R_rsp(%rsp)
    jmp hypercall
1:  mov %r10, R_r10(%rsp)
    GUEST_RSP %r10
    jmp user_syscall
2:  GUEST_RSP %rcx
    jmp iret_hypercall
    .org entry_stubs + (cpu << ENTRY_STUBS_SHIFT) + ENTRY_STUB_32
    FIND_FRAME
    GUEST_RSP %rax
    jmp syscall_from_32
    cpu = cpu + 1
    .endr
    .org entry_stubs + (MAX_CPUS << ENTRY_STUBS_SHIFT)

    .globl hypercall
hypercall:
    mov %rcx, R_rip(%rsp)
    mov %r11, R_rflags(%rsp)
    movl $SEL_GUEST_SS, R_ss(%rsp)
    movl $SEL_GUEST_CS64, R_cs(%rsp)
    SAVE_SCRATCH
    mov R_rax(%rsp), %rax
    cmp $HYPERCALLS, %rax
    jae hypercall_out_of_range
    IF_TRACED hypercall_with_trace
    mov S_vcpu(%rsp), %rcx
    incq V_calls(%rcx,%rax,8)
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
    cmp first_non_canonical(%rip), %rcx     /* SYSRET would fault in ring 0: XSA-7 */
    je hypercall_slow_exit
    RESTORE_SCRATCH
    mov R_rflags(%rsp), %r11
    mov R_rsp(%rsp), %rsp
    sysretq

hypercall_maybe_upcall:
    cmpb $0, I_mask(%rcx)
    je hypercall_upcall                     /* bounce.S */
    jmp hypercall_fast_exit
    .globl hypercall_slow_exit
hypercall_slow_exit:
    SAVE_CALLEE
    CALL_C exit_to_guest_work
    jmp restore_all

hypercall_out_of_range:
    IF_TRACED hypercall_with_trace
    mov $MINUS_ENOSYS, %rax
    jmp hypercall_done

hypercall_with_trace:                       /* hypercall_traced(number, array of arguments) */
    mov %rax, %rdi
    sub $(ARGS_BYTES + 8), %rsp             /* 8: alignment, as in CALL_C */
    mov R_rdi + ARGS_BYTES + 8(%rsp), %rcx
    mov %rcx, (%rsp)
    mov %rsi, 1 * 8(%rsp)
    mov %rdx, 2 * 8(%rsp)
    mov %r10, 3 * 8(%rsp)
    mov %r8, 4 * 8(%rsp)
    mov %r9, 5 * 8(%rsp)
    mov %rsp, %rsi
    call hypercall_traced
    add $(ARGS_BYTES + 8), %rsp
    jmp hypercall_done

/* --- SYSCALL of the guest's user mode: the same as handle_user_syscall ------------------------ */
/* rax: vcpu; rcx: the user's rip; r11: its rflags; r10, which is saved: its rsp. Switches to the
 * kernel's GS base and page tables, pushes a bounce frame on the kernel's stack, and goes to the
 * SYSCALL callback in kernel mode. The frame, from its lowest address:
 *
 *   rcx  r11  rip  cs  rflags  rsp  ss     (B_xxx; the upcall mask, the upper half of cs, is 0)
 */
user_syscall:
    cmpq $0, V_cb_syscall(%rax)
    je user_syscall_slow
    cmpq $0, V_work_and_iopl(%rax)
    jne user_syscall_slow
    mov %rdx, R_rdx(%rsp)
    mov V_info(%rax), %rdx
    cmpw $0, I_pending(%rdx)                /* pending and mask are both 0: the frame's mask is 0 */
    jne user_syscall_slow_rdx
    swapgs
    mov V_root_kernel(%rax), %rdx
    mov %rdx, %cr3
    mov V_syscall_frame(%rax), %rdx         /* stack_switch has refused addresses in the hole */
1:  movq $SEL_GUEST_SS, B_ss(%rdx)
    mov %r10, B_rsp(%rdx)
    mov %r11, B_rflags(%rdx)
    movq $SEL_GUEST_CS64, B_cs(%rdx)
    mov %rcx, B_rip(%rdx)
    mov %r11, B_r11(%rdx)
    mov %rcx, B_rcx(%rdx)
2:
    EXTABLE 1b, 2b, user_syscall_fault
    movb $1, V_kernel_mode(%rax)
    mov V_info(%rax), %r10
    testb $CB_SYSCALL_BIT, V_cb_masks(%rax)
    setnz I_mask(%r10)
    mov V_cb_syscall(%rax), %rcx            /* canonical: callback_op has checked it */
    and $~(FLAGS_CLEARED | FLAG_DF), %r11d
    mov R_r10(%rsp), %r10
    mov R_rax(%rsp), %rax
    mov %rdx, R_rsp(%rsp)
    mov R_rdx(%rsp), %rdx
    mov R_rsp(%rsp), %rsp
    sysretq

user_syscall_fault:                         /* handle_user_syscall meets the same fault, in C */
    swapgs
user_syscall_slow_rdx:
    mov R_rdx(%rsp), %rdx
user_syscall_slow:
    mov %r10, R_rsp(%rsp)
    mov R_r10(%rsp), %r10
    SAVE_USER_SYSCALL SEL_GUEST_CS64
    mov %rax, %rdi
    CALL_C handle_user_syscall
    jmp exit_to_guest

/* --- SYSCALL from 32-bit user code (AMD CPUs), SYSENTER (Intel CPUs) -------------------------- */
syscall_from_32:
    mov %rax, R_rsp(%rsp)
    SAVE_USER_SYSCALL SEL_GUEST_CS32
    mov S_vcpu(%rsp), %rdi
    CALL_C handle_syscall32
    jmp exit_to_guest

    .globl sysenter_entry
sysenter_entry:                             /* rsp = &regs.es, from MSR_SYSENTER_ESP */
    pushq $SEL_GUEST_SS
    pushq $0                                /* rsp: SYSENTER does not save it */
    pushfq
    .globl sysenter_flags_saved
sysenter_flags_saved:                       /* from here fault.c may clear TF; NT is the user's */
    orl $FLAG_IF, (%rsp)                    /* SYSENTER has cleared it */
    pushq $RPL                              /* cs: user mode; the true selector is not known */
    pushq $0                                /* rip: not known either */
    pushq $0                                /* error code and vector */
    PUSH_GPRS
    pushq $FLAG_MBS                         /* SYSENTER leaves NT set (XSA-44): clear all flags */
    popfq
    mov S_vcpu(%rsp), %rdi
    CALL_C handle_sysenter
    jmp exit_to_guest

    .section .rodata
    .balign 8
first_non_canonical:
    .quad 0x0000800000000000
