/* Exceptions and interrupts, from a guest and in the hypervisor, and the return to the guest after
 * C has run (exit_to_guest). Two traps have a shorter path in bounce.S. System calls are in
 * entry.S, the frame on the stack in entry_macros.h. C functions called here are in
 * xen/pv/traps.c, xen/cpu/upcall.c, fault.c, lapic.c and nmi.c. */
#include "arch/x86_64/entry_macros.h"

    .text

/* --- Traps and interrupts --------------------------------------------------------------------- */
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
    .elseif vector == 14
    jmp page_fault                      /* in bounce.S, as int_80 */
    .elseif vector == 18
    jmp ist_trap_mce
    .elseif vector == 0x80
    jmp int_80
    .elseif vector == VECTOR_TIMER
    jmp timer_interrupt
    .elseif vector == VECTOR_IPI
    jmp ipi
    .elseif vector == VECTOR_SPURIOUS
    jmp spurious
    .elseif vector >= 32
    jmp device
    .else
    jmp trap
    .endif
    vector = vector + 1
    .endr

    .globl trap
trap:
    PUSH_GPRS
    cld
    mov %rsp, %rdi
    testb $RPL, R_cs(%rsp)
    jz trap_from_hypervisor
    mov R_entry_vector(%rsp), %esi
    CALL_C handle_guest_trap
    jmp exit_to_guest

    .globl guest_page_fault
guest_page_fault:                           /* from bounce.S: of a guest */
    PUSH_GPRS
    cld
    mov %rsp, %rdi
    mov %cr2, %rsi
    CALL_C handle_page_fault

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
    .globl restore_all
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
    sub $8, %rsp                            /* error code and vector: fault.c has set them */
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

.macro INTERRUPT handler, with_vector=0
    PUSH_GPRS
    cld
    .if \with_vector
    mov R_entry_vector(%rsp), %edi
    .endif
    testb $RPL, R_cs(%rsp)
    jz 1f
    CALL_C \handler
    jmp exit_to_guest
1:  mov %rsp, %rbx                          /* in an interrupt window or idle: no context switch */
    and $-16, %rsp
    call \handler
    mov %rbx, %rsp
    POP_GPRS
    add $8, %rsp
    iretq
.endm

timer_interrupt:
    INTERRUPT handle_timer_interrupt
ipi:
    INTERRUPT handle_ipi

device:                                     /* a guest's INT n is a #GP, by DPL 0 */
    INTERRUPT handle_device_interrupt, with_vector=1
spurious:                                   /* needs no EOI: SDM vol. 3, 10.9 */
    add $8, %rsp
    iretq

/* --- Vectors with a stack of their own (IST: SDM vol. 3, 6.14.5) ------------------------------ */
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
    or $(STACK_SIZE - 1), %rsp              /* stack_top.frame of this CPU's IST stacks */
    mov 1 - 8(%rsp), %rsp
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
