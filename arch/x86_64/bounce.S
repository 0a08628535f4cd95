/* What enters the guest's kernel without the general path in C: page faults at a page that is not
 * there, and others of user mode; INT 0x80 of user mode; and the event callback after a hypercall.
 * traps.S jumps here for both vectors, from wherever they come, and all that is not of this kind
 * goes on in C, at guest_page_fault or `trap`; entry.S jumps to hypercall_upcall. What is done is
 * the same as inject_page_fault, inject_software_interrupt, deliver_events and bounce in
 * xen/cpu/upcall.c do. */
#include "arch/x86_64/entry_macros.h"

/* Of an error code. */
#define PF_PRESENT (1 << 0)
#define PF_WRITE (1 << 1)
#define PF_USER (1 << 2)
#define PF_FETCH (1 << 4)

#define MASKS_EVENTS 4          /* TI_GET_IF: the handler begins with events masked */
#define MOST_FRAME 88           /* bytes: as MAX_FRAME_WORDS in upcall.c */

    .text

/* rsp: at r15 of the frame, in which rax is saved. Goes to slow if the guest has no handler or if
 * there is more to do. Then rax: vcpu; rcx: vcpu_info; rcx and rdx are saved. */
.macro BEGIN address, slow, slow_saved
    mov S_vcpu(%rsp), %rax
    cmpq $0, V_work_and_iopl(%rax)
    jne \slow
    cmpq $0, \address(%rax)
    je \slow
    mov %rcx, R_rcx(%rsp)
    mov %rdx, R_rdx(%rsp)
    mov V_info(%rax), %rcx
    cmpw $0, I_pending(%rcx)            /* pending and mask are both 0: the frame's mask is 0 */
    jne \slow_saved
.endm

/* rdx: the kernel's stack, on which stack_switch allows no address in the hole. */
.macro SWITCH_TO_KERNEL
    swapgs
    mov V_root_kernel(%rax), %rdx
    mov %rdx, %cr3
    mov V_kernel_sp(%rax), %rdx
    and $-16, %rdx
.endm

/* rdx: the kernel's own stack, of which no part that a frame may need is in the hole. */
.macro STAY_ON_STACK slow
    mov R_rsp(%rsp), %rdx
    and $-16, %rdx
    lea -1(%rdx), %rcx
    shr $HOLE_SHIFT, %rcx
    cmp $HOLE_NUMBER, %ecx
    je \slow
    lea -MOST_FRAME(%rdx), %rcx
    shr $HOLE_SHIFT, %rcx
    cmp $HOLE_NUMBER, %ecx
    je \slow
.endm

/* Pushes below rdx, from the lowest address: rcx r11 [error code] rip cs rflags rsp ss. The upper
 * halves of cs and of the error code's slot are 0. rdx: the new stack. */
.macro PUSH_FRAME failed, code, from_kernel
1:  mov R_ss(%rsp), %rcx
    mov %rcx, -8(%rdx)
    mov R_rsp(%rsp), %rcx
    mov %rcx, -16(%rdx)
    mov R_rflags(%rsp), %rcx
    mov %rcx, -24(%rdx)
    mov R_cs(%rsp), %rcx
    .if \from_kernel
    and $~RPL, %ecx
    .endif
    mov %rcx, -32(%rdx)
    mov R_rip(%rsp), %rcx
    mov %rcx, -40(%rdx)
    .if \code
    mov R_error_code(%rsp), %ecx
    .if \from_kernel
    and $~PF_USER, %ecx
    .else
    or $PF_USER, %ecx
    .endif
    mov %rcx, -48(%rdx)
    .endif
    mov %r11, -48 - 8 * \code(%rdx)
    mov R_rcx(%rsp), %rcx
    mov %rcx, -56 - 8 * \code(%rdx)
2:  lea -56 - 8 * \code(%rdx), %rdx
    EXTABLE 1b, 2b, \failed
.endm

/* The guest goes on at this address, with the stack in rdx. */
.macro SET_FRAME address
    mov \address(%rax), %rcx
    mov %rcx, R_rip(%rsp)
    movl $SEL_GUEST_CS64, R_cs(%rsp)
    andl $~FLAGS_CLEARED, R_rflags(%rsp)
    mov %rdx, R_rsp(%rsp)
    movl $SEL_GUEST_SS, R_ss(%rsp)
.endm

/* What BEGIN has saved is loaded again, and the guest goes on as its frame says. */
.macro RETURN_TO_GUEST
    mov R_rax(%rsp), %rax
    mov R_rcx(%rsp), %rcx
    mov R_rdx(%rsp), %rdx
    lea R_rip(%rsp), %rsp
    jmp do_iretq
.endm

/* The handler's address is canonical: set_trap_table has checked it. */
.macro ENTER_HANDLER address, flags
    mov V_info(%rax), %rcx
    testb $MASKS_EVENTS, \flags(%rax)
    setnz I_mask(%rcx)
    SET_FRAME \address
    RETURN_TO_GUEST
.endm

/* Where BEGIN goes if it does not go on. All registers are the guest's, rsp: at the error code. */
.macro GO_ON_IN_C name, at
\name\()_slow_saved:
    mov R_rcx(%rsp), %rcx
    mov R_rdx(%rsp), %rdx
\name\()_slow:
    mov R_rax(%rsp), %rax
    add $R_error_code, %rsp
    jmp \at
.endm

/* --- #PF -------------------------------------------------------------------------------------- */
    .globl page_fault
page_fault:                             /* rsp: at the error code */
    testb $RPL, R_cs - R_error_code(%rsp)
    jz trap
    testl $~(PF_WRITE | PF_USER | PF_FETCH), (%rsp)
    jnz page_fault_present
page_fault_quick:
    IF_TRACED guest_page_fault, TRACE_TRAP_BYTE
    sub $R_error_code, %rsp
    mov %rax, R_rax(%rsp)
    BEGIN V_trap_pf, page_fault_slow, page_fault_slow_saved
    mov %cr2, %rdx
    testb $PF_PRESENT, R_error_code(%rsp)
    jnz page_fault_check
page_fault_real:
    mov %rdx, %rcx
    shr $HOLE_SHIFT, %rcx
    cmp $HOLE_NUMBER, %ecx              /* a descriptor window, or an address that has no page */
    je page_fault_slow_saved
    mov V_info(%rax), %rcx
    mov %rdx, V_cr2(%rax)
    mov %rdx, I_cr2(%rcx)
    cmpb $0, V_kernel_mode(%rax)
    jne page_fault_of_kernel
    SWITCH_TO_KERNEL
    PUSH_FRAME page_fault_failed, 1, 0
    movb $1, V_kernel_mode(%rax)
page_fault_enter:
    ENTER_HANDLER V_trap_pf, V_trap_pf_flags

page_fault_present:                     /* rsp: still at the error code */
    mov %rax, R_rax - R_error_code(%rsp)
    mov S_vcpu - R_error_code(%rsp), %rax
    cmpb $0, V_kernel_mode(%rax)
    mov R_rax - R_error_code(%rsp), %rax
    jne guest_page_fault                /* it may be a store to a page table: ptwr.c */
    testl $~(PF_PRESENT | PF_WRITE | PF_USER | PF_FETCH), (%rsp)
    jz page_fault_quick
    jmp guest_page_fault

page_fault_check:                       /* user mode's: do the tables allow it by now? */
    mov %rdi, R_rdi(%rsp)
    mov %rsi, R_rsi(%rsp)
    mov %r8, R_r8(%rsp)
    mov %r9, R_r9(%rsp)
    mov %r10, R_r10(%rsp)
    mov %r11, R_r11(%rsp)
    mov %rax, %rdi
    mov %rdx, %rsi
    mov R_error_code(%rsp), %edx
    cld
    push %rsi                           /* which also aligns the stack: CALL_C */
    call page_fault_is_spurious
    test %al, %al
    pop %rdx
    mov R_rdi(%rsp), %rdi
    mov R_rsi(%rsp), %rsi
    mov R_r8(%rsp), %r8
    mov R_r9(%rsp), %r9
    mov R_r10(%rsp), %r10
    mov R_r11(%rsp), %r11
    mov S_vcpu(%rsp), %rax
    jz page_fault_real
    RETURN_TO_GUEST

page_fault_of_kernel:
    STAY_ON_STACK page_fault_slow_saved
    PUSH_FRAME page_fault_failed_in_kernel, 1, 1
    jmp page_fault_enter

page_fault_failed:                      /* the push has faulted, which has changed CR2 */
    swapgs
    mov V_root_user(%rax), %rdx         /* C may find by now that there is no fault */
    mov %rdx, %cr3
page_fault_failed_in_kernel:
    mov V_cr2(%rax), %rdx
    mov %rdx, %cr2
    GO_ON_IN_C page_fault, guest_page_fault

/* --- INT 0x80 --------------------------------------------------------------------------------- */
/* Its gate's DPL is 3. As on Xen the DPL that the guest's own table has for it does not count. */
    .globl int_80
int_80:                                 /* rsp: at the error code, which is 0 */
    testb $RPL, R_cs - R_error_code(%rsp)
    jz trap
    IF_TRACED trap, TRACE_TRAP_BYTE
    sub $R_error_code, %rsp
    mov %rax, R_rax(%rsp)
    BEGIN V_trap_80, int_80_slow, int_80_slow_saved
    cmpb $0, V_kernel_mode(%rax)
    jne int_80_slow_saved
    SWITCH_TO_KERNEL
    PUSH_FRAME int_80_failed, 0, 0
    movb $1, V_kernel_mode(%rax)
    ENTER_HANDLER V_trap_80, V_trap_80_flags

int_80_failed:                          /* C meets the same fault, and loads the root anew */
    swapgs
    GO_ON_IN_C int_80, trap

/* --- The event callback, after a hypercall ---------------------------------------------------- */
/* rsp: at r15 of the frame, which has all but rax and the registers that C does not change. An
 * upcall is due, and no other work. As in C, the frame for the guest has rcx and r11 as they were
 * at an earlier entry, for the hypercall has changed them. */
    .globl hypercall_upcall
hypercall_upcall:
    IF_TRACED hypercall_exit_in_c, TRACE_EVENT_BYTE
    mov %rax, R_rax(%rsp)
    mov S_vcpu(%rsp), %rax
    cmpq $0, V_work_and_iopl(%rax)
    jne hypercall_upcall_in_c
    cmpq $0, V_cb_event(%rax)
    je hypercall_upcall_in_c
    STAY_ON_STACK hypercall_upcall_in_c
    mov R_r11(%rsp), %r11
    PUSH_FRAME hypercall_upcall_in_c, 0, 1
    mov V_info(%rax), %rcx
    movb $1, I_mask(%rcx)
    SET_FRAME V_cb_event
    RESTORE_SCRATCH
    mov R_rax(%rsp), %rax
    mov R_rcx(%rsp), %rcx
    lea R_rip(%rsp), %rsp
    jmp do_iretq

hypercall_upcall_in_c:
    mov R_rax(%rsp), %rax
    jmp hypercall_exit_in_c
