/* A kernel with only the four notes that kernels of the Mini-OS family have: it is linked at
 * address 0, and the ELF header has its entry. It executes what such kernels execute before they
 * have a trap table, checks that the page tables and the console that start_info names are there,
 * prints a line by the hypercall page, and powers off. */
#define CONSOLE_IO 18
#define SCHED_OP 29
#define SHUTDOWN 2

    .macro note type, size:req
    .balign 4
    .long 4, \size, \type
    .asciz "Xen"
    .endm

    .section .note.Xen, "a", @note
    note 6, 5
    .asciz "tiny"
    note 8, 8
    .asciz "generic"
    note 2, 8
    .quad hypercall_page
    note 5, 8
    .asciz "xen-3.0"

    .text
    hlt                                 /* address 0 is no entry */
    .balign 64
    .global _start
_start:
    cmpl $0x2d6e6578, (%rsi)            /* "xen-" */
    jne fail
    mov 88(%rsi), %rbx                  /* pt_base: mapped */
    mov (%rbx), %rax
    test $1, %al
    jz fail
    cmpl $0, 80(%rsi)                   /* the console's port */
    je fail
    mov %cr0, %rax
    mov %rax, %cr0
    mov %cr4, %rax
    mov %rax, %cr4
    xor %eax, %eax
    cpuid
    lea here(%rip), %rax                /* returns to itself as the family does */
    mov %rsp, %rcx
    mov %ss, %edx
    or $3, %edx
    push %rdx
    push %rcx
    pushf
    mov %cs, %edx
    or $3, %edx
    push %rdx
    push %rax
    iretq
here:
    lea good(%rip), %rdx
    mov $good_end - good, %esi
    jmp say
fail:
    lea bad(%rip), %rdx
    mov $bad_end - bad, %esi
say:
    xor %edi, %edi                      /* write */
    call hypercall_page + 32 * CONSOLE_IO
    movl $0, reason(%rip)
    mov $SHUTDOWN, %edi
    lea reason(%rip), %rsi
    call hypercall_page + 32 * SCHED_OP
    ud2

good: .ascii "tiny: as it has to be\n"
good_end:
bad: .ascii "tiny: something is missing\n"
bad_end:
reason: .long 1

    .balign 4096
hypercall_page:
    .skip 4096
    .section .note.GNU-stack, "", @progbits
