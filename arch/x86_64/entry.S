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
 * which names its words. It also does what all paths begin with: then rsp is 8 below the frame,
 * which has the guest's rip, and rcx is the vCPU. */
.macro SWITCH_STACK
    mov %rsp, entry_words + (cpu << ENTRY_WORDS_SHIFT)(%rip)
    mov entry_words + (cpu << ENTRY_WORDS_SHIFT) + 8(%rip), %rsp
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
    SWITCH_STACK
    mov %rcx, FRAME(rip)
    mov VCPU, %rcx
    cmpb $0, V_kernel_mode(%rcx)
    je 1f
    cmp $HYPERCALL_iret, %rax
    je 2f
    mov %r11, FRAME(rflags)
    GUEST_RSP %r11
    mov %r11, FRAME(rsp)
    jmp hypercall
1:  mov %r10, FRAME(r10)
    GUEST_RSP %r10
    jmp user_syscall
2:  GUEST_RSP %rax
    jmp iret_hypercall
    .org entry_stubs + (cpu << ENTRY_STUBS_SHIFT) + ENTRY_STUB_32
    SWITCH_STACK
    jmp syscall_from_32
    cpu = cpu + 1
    .endr
    .org entry_stubs + (MAX_CPUS << ENTRY_STUBS_SHIFT)

/* rcx: vcpu. rip, rflags and rsp are in the frame, rax is not. */
    .globl hypercall
hypercall:
    movl $SEL_GUEST_SS, FRAME(ss)
    movl $SEL_GUEST_CS64, FRAME(cs)
    SAVE_SCRATCH
    cmp $HYPERCALLS, %rax
    jae hypercall_out_of_range
    IF_TRACED hypercall_with_trace
    incq V_calls(%rcx,%rax,8)
    lea hypercall_table(%rip), %r11
    mov %r10, %rcx
    call *(%r11,%rax,8)
hypercall_done:
    mov VCPU, %rcx
    cmpl $0, V_work(%rcx)
    jne hypercall_slow_exit
    mov V_info(%rcx), %rcx
    cmpb $0, I_pending(%rcx)
    jne hypercall_maybe_upcall
hypercall_fast_exit:
    mov FRAME(rip), %rcx
    cmp first_non_canonical(%rip), %rcx     /* SYSRET would fault in ring 0: XSA-7 */
    je hypercall_slow_exit
    RESTORE_SCRATCH below=8
    mov FRAME(rflags), %r11
    mov FRAME(rsp), %rsp
    sysretq

hypercall_maybe_upcall:
    cmpb $0, I_mask(%rcx)
    jne hypercall_fast_exit
    add $8, %rsp
    jmp hypercall_upcall                    /* bounce.S */
hypercall_slow_exit:
    add $8, %rsp
    .globl hypercall_exit_in_c              /* rsp: at the frame */
hypercall_exit_in_c:
    mov %rax, R_rax(%rsp)
    SAVE_CALLEE
    CALL_C exit_to_guest_work
    jmp restore_all

hypercall_out_of_range:
    IF_TRACED hypercall_with_trace
    mov $MINUS_ENOSYS, %rax
    jmp hypercall_done

hypercall_with_trace:                       /* hypercall_traced(number, array of arguments) */
    sub $ARGS_BYTES, %rsp
    mov %rdi, (%rsp)
    mov %rsi, 1 * 8(%rsp)
    mov %rdx, 2 * 8(%rsp)
    mov %r10, 3 * 8(%rsp)
    mov %r8, 4 * 8(%rsp)
    mov %r9, 5 * 8(%rsp)
    mov %rax, %rdi
    mov %rsp, %rsi
    call hypercall_traced
    add $ARGS_BYTES, %rsp
    jmp hypercall_done

/* --- SYSCALL of the guest's user mode: the same as handle_user_syscall ------------------------ */
/* rcx: vcpu; r11: the user's rflags; r10, which is saved: its rsp; its rip is in the frame.
 * Switches to the kernel's GS base and page tables, pushes a bounce frame on the kernel's stack,
 * and goes to the SYSCALL callback in kernel mode. The frame, from its lowest address:
 *
 *   rcx  r11  rip  cs  rflags  rsp  ss     (B_xxx; the upcall mask, the upper half of cs, is 0)
 */
user_syscall:
    cmpq $0, V_cb_syscall(%rcx)
    je user_syscall_slow
    cmpq $0, V_work_and_iopl(%rcx)
    jne user_syscall_slow
    mov %rdx, FRAME(rdx)
    mov V_info(%rcx), %rdx
    cmpw $0, I_pending(%rdx)                /* pending and mask are both 0: the frame's mask is 0 */
    jne user_syscall_slow_rdx
    swapgs
    mov V_root_kernel(%rcx), %rdx
    mov %rdx, %cr3
    mov V_syscall_frame(%rcx), %rdx         /* stack_switch has refused addresses in the hole */
1:  movq $SEL_GUEST_SS, B_ss(%rdx)
    mov %r10, B_rsp(%rdx)
    mov %r11, B_rflags(%rdx)
    movq $SEL_GUEST_CS64, B_cs(%rdx)
    mov FRAME(rip), %r10
    mov %r10, B_rip(%rdx)
    mov %r11, B_r11(%rdx)
    mov %r10, B_rcx(%rdx)
2:
    EXTABLE 1b, 2b, user_syscall_fault
    movb $1, V_kernel_mode(%rcx)
    mov V_info(%rcx), %r10
    testb $CB_SYSCALL_BIT, V_cb_masks(%rcx)
    setnz I_mask(%r10)
    mov V_cb_syscall(%rcx), %rcx            /* canonical: callback_op has checked it */
    and $~(FLAGS_CLEARED | FLAG_DF), %r11d
    mov FRAME(r10), %r10
    mov %rdx, FRAME(rsp)
    mov FRAME(rdx), %rdx
    mov FRAME(rsp), %rsp
    sysretq

user_syscall_fault:                         /* handle_user_syscall meets the same fault, in C */
    swapgs
    GUEST_RSP_AGAIN %rcx, %r10
user_syscall_slow_rdx:
    mov FRAME(rdx), %rdx
user_syscall_slow:
    SAVE_USER_SYSCALL SEL_GUEST_CS64
    mov VCPU, %rdi
    call handle_user_syscall
    add $8, %rsp
    jmp exit_to_guest

/* --- SYSCALL from 32-bit user code (AMD CPUs), SYSENTER (Intel CPUs) -------------------------- */
syscall_from_32:
    mov %rcx, FRAME(rip)
    mov %r10, FRAME(r10)
    mov VCPU, %rcx
    GUEST_RSP_AGAIN %rcx, %r10
    SAVE_USER_SYSCALL SEL_GUEST_CS32
    mov VCPU, %rdi
    call handle_syscall32
    add $8, %rsp
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
