/* How a CPU comes from its start-up interrupt to C. It begins in real mode, at the start of a page
 * below 1 MiB into which smp.c has copied the code from trampoline to trampoline_end; the next page
 * has an L4 that maps the first 4 GiB 1:1 and all that root_l4 maps. All CPUs may run this at the
 * same time: it writes nothing before a CPU has a stack of its own.
 *
 * ebx is the page's address. The words that depend on it are set by smp.c. */
#include "arch/x86_64/memlayout.h"
#include "asm-offsets.h"

#define AP_CS32 0x08
#define AP_DS 0x10
#define AP_CS64 0x18
#define AT(sym) ((sym) - trampoline)

    .text
    .code16
    .globl trampoline, trampoline_end
trampoline:
    cli
    cld
    xor %ebx, %ebx
    mov %cs, %bx
    mov %bx, %ds
    shl $4, %ebx
    lgdtl AT(trampoline_gdtr)
    mov $0x33, %eax                     /* CR0: NE ET MP PE; caching on */
    mov %eax, %cr0
    ljmpl *AT(trampoline_to_32)

    .code32
trampoline_32:
    mov $AP_DS, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %ebx, %ebp
    mov $0x80000001, %eax               /* no NX or no long mode: do not try */
    cpuid
    mov %ebp, %ebx
    not %edx
    test %edx, AT(trampoline_needs)(%ebx)
    jnz 1f
    mov $0x20, %eax                     /* CR4.PAE */
    mov %eax, %cr4
    lea 4096(%ebx), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    xor %edx, %edx
    mov AT(trampoline_efer)(%ebx), %eax
    wrmsr
    mov $0x80050033, %eax               /* as boot.S has it */
    mov %eax, %cr0
    ljmp *AT(trampoline_to_64)(%ebx)
1:  cli
    hlt
    jmp 1b

    .code64
trampoline_64:
    movabs $ap_start, %rax
    jmp *%rax

    .balign 8
trampoline_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff
    .quad 0x00cf93000000ffff
    .quad 0x00af9b000000ffff
    .globl trampoline_gdtr, trampoline_to_32, trampoline_to_64
    .globl trampoline_needs, trampoline_efer
trampoline_gdtr:                        /* smp.c adds the page's address to the second word */
    .short . - trampoline_gdt - 1
    .long AT(trampoline_gdt)
    .short 0
trampoline_to_32:                       /* and to the first of these two */
    .long AT(trampoline_32)
    .long AP_CS32
trampoline_to_64:
    .long AT(trampoline_64)
    .long AP_CS64
trampoline_needs:                       /* of CPUID 0x80000001, edx */
    .long 0
trampoline_efer:
    .long 0
trampoline_end:

/* The CPU finds its stack by its APIC id: that of leaf 0xb, which has 32 bits, if it has the leaf.
 * A CPU that is not in the table was not called: it halts. */
ap_start:
    mov $1, %eax
    cpuid
    shr $24, %ebx
    mov %ebx, %r8d
    xor %eax, %eax
    cpuid
    cmp $0xb, %eax
    jb 1f
    mov $0xb, %eax
    xor %ecx, %ecx
    cpuid
    test %ebx, %ebx
    jz 1f
    mov %edx, %r8d
1:  lea ap_stacks(%rip), %rsi
    mov nr_ap_stacks(%rip), %ecx
2:  sub $1, %ecx
    jc 4f
    cmp %r8, (%rsi)
    je 3f
    add $16, %rsi
    jmp 2b
3:  mov 8(%rsi), %rsp
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    pushq $0
    popfq
    call ap_main
4:  cli
    hlt
    jmp 4b
