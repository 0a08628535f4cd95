/* All entries from a guest into the hypervisor, and all returns; also the context switch of stacks
 * and the copying of guest memory, as both need assembler. Boot code is boot.S's; C functions
 * called here are in xen/pv (hypercalls, traps), xen/cpu/upcall.c, fault.c, lapic.c and nmi.c.
 *
 * A vCPU's own stack ends in struct stack_top, whose first member regs is its frame:
 *
 *   lowest address                                                                            top
 *   of the stack r15 r14 .. rdi (15 registers) | error code, vector | rip cs rflags rsp ss | es ds
 *   fs gs | vcpu | padding ^ rsp in this file              written by the stub  pushed by the CPU
 *
 * rsp points to the frame everywhere, so R_xxx(%rsp) is a register's slot; es to gs are unused.
 * Interrupts are off from the entry to the exit. The paths, shortest first:
 *
 *   hypercall     saves only the registers that C may change; callee-saved ones stay in the CPU;
 *   leaves by SYSRET user SYSCALL  goes to the guest kernel's SYSCALL callback, without C
 *   iret          goes back to the guest's user mode or kernel, without C
 *   trap          saves the whole frame, calls C, leaves by IRET
 *
 * If there is WORK_* to do, an upcall to deliver or a fault, each path falls back to C. The second
 * and third change nothing before they are certain to complete; what they do is the same as
 * handle_user_syscall and do_iret in xen/cpu/upcall.c do. */
#include "arch/x86_64/memlayout.h"
#include "common/x86/flags.h"
#include "asm-offsets.h"

/* for the guest's handlers */
#define FLAGS_CLEARED (FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | FLAG_AC)

/* of a selector, which in a frame's cs is the mode: 3 is a guest's */
#define RPL 3
#define ARGS_BYTES (6 * 8)      /* the arguments of a hypercall as an array */

/* A fault at an instruction in [from, to) continues at fixup (arch/x86_64/fault.c). */
.macro EXTABLE from, to, fixup
    .pushsection .extable, "a"
    .balign 4
    .long \from - .
    .long \to - .
    .long \fixup - .
    .popsection
.endm

/* Saves the registers that C may change, without rax, rcx and r11, which each path handles
 * itself. */
.macro SAVE_SCRATCH
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

/* Saves the whole frame at a SYSCALL from user mode, without rax. SYSCALL has put rip into rcx and
 * rflags into r11. */
.macro SAVE_USER_SYSCALL cs
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

/* Goes to target if hypercalls are traced; costs one predicted branch if they are not. */
.macro IF_TRACED target
#ifdef IRQSOFF
    jmp \target                            /* hypercall_traced also measures (xen/core/irqsoff.h) */
#elif !defined(TRACE_NEVER)
    testb $TRACE_HYPERCALL_BYTE, trace_on(%rip)
    jnz \target
#endif
.endm

/* C expects rsp to be a multiple of 16 before a call; &stack_top.regs is 8 off. */
.macro CALL_C fn
    sub $8, %rsp
    call \fn
    add $8, %rsp
.endm

    .text

/* --- SYSCALL of the guest's kernel: a hypercall
 * ------------------------------------------------- */
/* rax: number; rdi rsi rdx r10 r8 r9: arguments; rcx: the guest's rip; r11: its rflags. */
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
    cmp $HYPERCALLS, %rax
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
    cmp first_non_canonical(%rip), %rcx     /* SYSRET would fault in ring 0: XSA-7 */
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

/* --- SYSCALL of the guest's user mode: the same as handle_user_syscall
 * --------------------------- */
/* rax: vcpu; rcx: the user's rip; r11: its rflags. Switches to the kernel's GS base and page
 * tables, pushes a bounce frame on the kernel's stack, and goes to the SYSCALL callback in kernel
 * mode. The frame, from its lowest address:
 *
 *   rcx  r11  rip  cs  rflags  rsp  ss          (B_xxx; the upcall mask in the upper half of cs is
 *   0)
 */
user_syscall:
    cmpq $0, V_cb_syscall(%rax)
    je user_syscall_slow
    cmpl $0, V_work(%rax)
    jne user_syscall_slow
    mov %rdx, R_rdx(%rsp)
    mov V_info(%rax), %rdx
    cmpw $0, I_pending(%rdx)                /* pending and mask are both 0: the frame's mask is 0 */
    jne user_syscall_slow_rdx
    mov %r10, R_r10(%rsp)
    mov V_root_kernel(%rax), %r10
    swapgs
    mov %r10, %cr3
    mov entry_scratch(%rip), %r10
    mov V_kernel_sp(%rax), %rdx             /* stack_switch has refused addresses in the hole */
    and $-16, %rdx
1:  movq $SEL_GUEST_SS, B_ss - BOUNCE_BYTES(%rdx)
    mov %r10, B_rsp - BOUNCE_BYTES(%rdx)
    mov %r11, B_rflags - BOUNCE_BYTES(%rdx)
    movq $SEL_GUEST_CS64, B_cs - BOUNCE_BYTES(%rdx)
    mov %rcx, B_rip - BOUNCE_BYTES(%rdx)
    mov %r11, B_r11 - BOUNCE_BYTES(%rdx)
    mov %rcx, B_rcx - BOUNCE_BYTES(%rdx)
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
    lea -BOUNCE_BYTES(%rdx), %rdx
    mov %rdx, R_rsp(%rsp)
    mov R_rdx(%rsp), %rdx
    mov R_rsp(%rsp), %rsp
    sysretq

user_syscall_fault:                         /* handle_user_syscall meets the same fault, in C */
    swapgs
    mov R_r10(%rsp), %r10
user_syscall_slow_rdx:
    mov R_rdx(%rsp), %rdx
user_syscall_slow:
    SAVE_USER_SYSCALL SEL_GUEST_CS64
    mov %rax, %rdi
    CALL_C handle_user_syscall
    jmp exit_to_guest

/* --- The hypercall iret: the same as do_iret
 * ------------------------------------------------------ */
/* rax: vcpu; rcx and r11 are free, as the guest's values are in its frame. The guest's rsp points
 * to a struct iret_context (X_xxx), from its lowest address: rax r11 rcx flags rip cs rflags rsp
 * ss. */
iret_hypercall:
    IF_TRACED hypercall
    incq hypercall_counts + 8 * HYPERCALL_iret(%rip)
    mov entry_scratch(%rip), %rcx
    mov %rcx, %r11
    shr $HOLE_SHIFT, %r11
    cmp $HOLE_NUMBER, %r11d                 /* the guest's rsp is in the hole */
    je iret_slow
    cmpb $0, V_iret_slow(%rax)
    jne iret_slow
    cmpl $0, V_work(%rax)
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
    mov X_r11(%rcx), %r11
    mov %r11, R_r11(%rsp)
    mov X_rflags(%rcx), %r11
    mov %r11, R_rflags(%rsp)
    mov X_cs(%rcx), %r11
    mov X_rcx(%rcx), %rcx
2:
    EXTABLE 1b, 2b, iret_slow_rdx
    mov %rcx, R_rcx(%rsp)
    mov R_rflags(%rsp), %rcx                /* ecx = !IF: the new evtchn_upcall_mask */
    not %ecx
    shr $FLAG_IF_BIT, %ecx
    and $1, %ecx
    mov %r11d, R_cs(%rsp)
    not %r11d
    test $RPL, %r11b                        /* RPL 3: to user mode; another: to the kernel */
    jnz 3f
    mov V_root_user(%rax), %r11
    test %r11, %r11
    jz iret_slow_rdx
    movb $0, V_kernel_mode(%rax)
    swapgs
    mov %r11, %cr3
3:  mov %cl, I_mask(%rdx)
    orb $RPL, R_cs(%rsp)
    andl $~(FLAG_IOPL | FLAG_VM), R_rflags(%rsp)
    orl $(FLAG_IF | FLAG_MBS), R_rflags(%rsp)
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

/* --- Traps and interrupts
 * ------------------------------------------------------------------------ */
/* The stub of vector n is at trap_stubs + 16 * n, where the IDT points. The CPU pushes an error
 * code for vectors 8, 10-14, 17, 21, 29 and 30 (SDM vol. 3, table 6-1; 29 and 30: AMD vol. 2, 8.2);
 * for others the stub pushes 0. The vector goes into the upper half of that slot (entry_vector). */
    .balign 16
    .globl trap_stubs
trap_stubs:
    vector = 0
    .rept 256
    .balign 16
    .if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 \
        && vector != 29 && vector != 30
    pushq $0
    .endif
    movl $vector, R_entry_vector - R_error_code(%rsp)
    .if vector == 1
    jmp ist_trap_db
    .elseif vector == 2
    jmp ist_trap_nmi
    .elseif vector == 8
    jmp ist_trap_df
    .elseif vector == 18
    jmp ist_trap_mce
    .elseif vector == VECTOR_TIMER
    jmp interrupt
    .elseif vector == VECTOR_SPURIOUS
    jmp spurious
    .elseif vector >= 32
    jmp stray
    .else
    jmp trap
    .endif
    vector = vector + 1
    .endr

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

trap:
    PUSH_GPRS
    cld
    mov %rsp, %rdi
    testb $RPL, R_cs(%rsp)
    jz trap_from_hypervisor
    mov R_entry_vector(%rsp), %esi
    mov %cr2, %rdx                          /* valid for #PF only */
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
do_iretq:                                   /* may fault on the guest's frame: iret_failed */
    iretq

/* fault.c continues here when the IRET to a guest has faulted. All registers are the guest's; rsp
 * points to the rip slot of the frame, as before the IRET. The guest gets the fault, as if its
 * instruction at the new rip had caused it. */
    .globl iret_failed
iret_failed:
    pushq iret_fault(%rip)                  /* error code and vector, set by fault.c */
    PUSH_GPRS
    mov %rsp, %rdi
    mov R_entry_vector(%rsp), %esi
    CALL_C handle_iret_fault
    jmp exit_to_guest

trap_from_hypervisor:
    and $-16, %rsp
    mov %rdi, %rbx
    call handle_hypervisor_trap             /* sets rip in the frame to a fixup, or panics */
    mov %rbx, %rsp
    POP_GPRS
    add $8, %rsp
    iretq

interrupt:
    PUSH_GPRS
    cld
    testb $RPL, R_cs(%rsp)
    jz 1f
    CALL_C handle_timer_interrupt
    jmp exit_to_guest
1:  mov %rsp, %rbx                          /* in an interrupt window or idle: no context switch */
    and $-16, %rsp
    call handle_timer_interrupt
    mov %rbx, %rsp
    POP_GPRS
    add $8, %rsp
    iretq

stray:                                      /* from a device; a guest's INT n is a #GP, by DPL 0 */
    PUSH_GPRS
    cld
    mov %rsp, %rbx
    and $-16, %rsp
    call handle_stray_interrupt
    mov %rbx, %rsp
    POP_GPRS
spurious:                                   /* needs no EOI: SDM vol. 3, 10.9 */
    add $8, %rsp
    iretq

/* --- Vectors with a stack of their own (IST: SDM vol. 3, 6.14.5)
 * --------------------------------- */
/* A guest can delay a #DB, by MOV SS before SYSCALL, until the first instruction of the hypervisor,
 * where rsp is still the guest's: so #DB needs an IST stack. A #DB from ring 3 is an ordinary trap:
 * its frame is copied to the vCPU's stack. A #DB in ring 0 was caused in that way, and is
 * dropped. */
ist_trap_db:
    PUSH_GPRS
    cld
    mov %rsp, %rdi
    testb $RPL, R_cs(%rsp)
    jz 1f
    mov entry_frame(%rip), %rsp
    mov %rdi, %rsi
    mov %rsp, %rdi
    mov $(R_es / 8), %ecx                   /* the qwords up to ss */
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

/* NMI and machine check can interrupt the hypervisor at any instruction, with locks held or a table
 * half written. The handler only records that it happened, and the interrupted code continues at
 * once. */
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

/* --- SYSCALL from 32-bit user code (AMD CPUs), SYSENTER (Intel CPUs)
 * ------------------------------ */
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

/* --- Switching stacks
 * ----------------------------------------------------------------------------- */
/* void switch_stack(uint64_t *save_sp, uint64_t load_sp): called by arch_switch (vcpu.c). */
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

/* The first switch_stack to a new vCPU returns here: rsp is 8 below its frame (arch_vcpu_init). */
    .globl fresh_vcpu
fresh_vcpu:
    call vcpu_first_run
    add $8, %rsp
    jmp exit_to_guest

/* --- Guest memory
 * --------------------------------------------------------------------------------- */
/* size_t copy_guest(void *dst, const void *src, size_t len): returns the number of bytes not
 * copied, as either side may fault. First len / 8 words, then the rest by bytes. */
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
    lea (%rdx,%rcx,8), %rcx                 /* the bytes left */
    jmp 2b                                  /* by bytes up to the end of the page */
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
entry_scratch:                              /* per CPU: the guest's rsp, until the frame has it */
    .quad 0
entry_frame:                                /* per CPU: &stack_top.regs of the running vCPU */
    .quad 0
iret_fault:
    .quad 0
