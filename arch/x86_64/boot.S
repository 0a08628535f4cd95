/* From the boot loader to C (arch_start in start.c): the multiboot headers, page tables, and the
 * switch to long mode.
 *
 *   start32     entered by multiboot: protected mode without paging, eax = magic, ebx = physical
 *   address of the multiboot
 *               information
 *   start_efi   entered by xen.efi: long mode, rdi = physical address of a struct boot_info, page
 *   tables of the firmware,
 *               which map memory 1:1
 *
 * With multiboot the image is at 2 MiB; xen.efi loads it at any 2 MiB boundary below 4 GiB. So all
 * addresses here are relative to ebx, which is the distance from 2 MiB. */
#include "arch/x86_64/memlayout.h"
#include "arch/x86_64/boot_magic.h"
#include "asm-offsets.h"

#define PHYS(sym) ((sym) - IMAGE_START)
#define AT(sym) PHYS(sym)(%ebx)

/* Selectors of boot_gdt. */
#define BOOT_CS64 0x08
#define BOOT_DS 0x10
#define BOOT_CS32 0x18

#define MB1_MAGIC 0x1badb002
#define MB1_FLAGS 0x3                   /* page-aligned modules, memory information */
#define MB2_MAGIC 0xe85250d6

    .section .multiboot, "a"
    .balign 4
    .long MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)

    .balign 8
mb2_header:
    .long MB2_MAGIC, 0, mb2_end - mb2_header, -(MB2_MAGIC + 0 + (mb2_end - mb2_header))
    .balign 8
    /* Information request: memory map, modules, command line, loader's name, ACPI. */
    .short 1, 0
    .long 4 * 8
    .long 6, 3, 1, 2, 14, 15
    .balign 8
    .short 6, 0                         /* page-aligned modules */
    .long 8
    .balign 8
    .short 0, 0
    .long 8
mb2_end:

    .section .text.boot, "ax"
    .code32
    .globl start32
start32:
    cld
    cli
    mov %eax, %ebp
    mov %ebx, %esi
    xor %ebx, %ebx

/* Common to both: ebp = magic, esi = information, ebx = distance from 2 MiB, paging off. The loader
 * has zeroed .bss. */
start_common:
    lea AT(boot_stack + STACK_SIZE - STACK_TOP_SIZE), %esp
    mov %esi, AT(boot_information)
    mov %ebx, AT(image_shift)

    mov $0x80000001, %eax
    push %ebx
    cpuid
    pop %ebx
    test $(1 << 29), %edx
    jz no_long_mode

    /* Four L2 tables map 4 GiB in 2 MiB pages. They serve two L4 slots: low (until C runs) and
     * directmap. */
    lea AT(boot_l2), %edi
    mov $0x83, %eax                     /* P RW PS */
    mov $2048, %ecx
2:  mov %eax, (%edi)
    add $0x200000, %eax
    add $8, %edi
    dec %ecx
    jnz 2b

    lea AT(boot_l3), %edi
    lea AT(boot_l2 + 3), %eax
    mov $4, %ecx
3:  mov %eax, (%edi)
    add $4096, %eax
    add $8, %edi
    dec %ecx
    jnz 3b

    /* The L2 table of the image: its 2 MiB pages, from the second entry on. */
    lea AT(image_l2 + 8), %edi
    lea AT(_image_start + 0x83), %eax
    mov $PHYS(_image_end) - 1, %ecx
    shr $21, %ecx
4:  mov %eax, (%edi)
    add $0x200000, %eax
    add $8, %edi
    dec %ecx
    jnz 4b
    lea AT(image_l2 + 3), %eax
    mov %eax, AT(image_l3)

    lea AT(boot_l3 + 3), %eax
    mov %eax, AT(root_l4)
    mov %eax, AT(root_l4 + 8 * DIRECTMAP_SLOT)
    lea AT(image_l3 + 3), %eax
    mov %eax, AT(root_l4 + 8 * IMAGE_SLOT)

    mov $0x20, %eax                     /* CR4.PAE */
    mov %eax, %cr4
    lea AT(root_l4), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx               /* EFER: LME, SCE; NXE where the CPU has it */
    rdmsr
    or $0x101, %eax
    wrmsr
    mov $0x80050033, %eax               /* CR0: PG AM WP NE ET MP PE; the same that guests read */
    mov %eax, %cr0
    lea AT(boot_gdt), %eax
    push %eax
    pushw $boot_gdt_end - boot_gdt - 1
    lgdt (%esp)
    add $6, %esp
    push $BOOT_CS64
    lea AT(start64_low), %eax
    push %eax
    lret

no_long_mode:
    mov $0xb8000, %edi
    lea AT(no_long_mode_text), %esi
    mov $0x3f8, %dx
5:  lodsb
    test %al, %al
    jz 6f
    stosb
    movb $0x4f, (%edi)
    inc %edi
    out %al, (%dx)
    jmp 5b
6:  hlt
    jmp 6b
no_long_mode_text:
    .asciz "Paragon: this CPU has no 64-bit mode.\r\n"

    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff            /* 64-bit code */
    .quad 0x00cf93000000ffff
    .quad 0x00cf9b000000ffff            /* 32-bit code */
boot_gdt_end:

    .code64
start64_low:
    movabs $start64, %rax
    jmp *%rax

/* The firmware may use five-level page tables (CR4.LA57), which can be changed only while paging is
 * off. So this leaves long mode, and continues like start32. */
    .globl start_efi
start_efi:
    cli
    cld
    mov %edi, %esi
    lea _image_start(%rip), %rbx
    sub $PHYS(_image_start), %rbx
    lea boot_stack + STACK_SIZE - STACK_TOP_SIZE(%rip), %rsp
    lea boot_gdt(%rip), %rax
    push %rax
    pushw $boot_gdt_end - boot_gdt - 1
    lgdt (%rsp)
    add $10, %rsp
    push $BOOT_CS32
    lea leave_long_mode(%rip), %rax
    push %rax
    lretq

    .code32
leave_long_mode:
    mov $BOOT_DS, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %cr4, %eax                      /* PCIDE and CET do not outlive PG and WP */
    and $~(1 << 17 | 1 << 23), %eax
    mov %eax, %cr4
    mov $0x33, %eax                     /* CR0: NE ET MP PE */
    mov %eax, %cr0
    mov $0xc0000080, %ecx
    rdmsr
    and $~0x100, %eax                   /* EFER.LME */
    wrmsr
    mov $EFI_LOADER_MAGIC, %ebp
    jmp start_common
    .code64

    .text
start64:
    lea boot_stack + STACK_SIZE - STACK_TOP_SIZE - 8(%rip), %rsp
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov $BOOT_DS, %eax
    mov %eax, %ss
    pushq $0
    popfq
    mov %ebp, %edi
    mov boot_information(%rip), %rsi
    call arch_start
7:  hlt
    jmp 7b

    .data
    .balign 8
    .globl image_shift
image_shift:
    .quad 0
boot_information:
    .quad 0

    .section .bss.stack, "aw", @nobits
    .balign STACK_SIZE
    .globl boot_stack
boot_stack:
    .skip STACK_SIZE

    .bss
    .balign 4096
    .globl root_l4, boot_l3, boot_l2, image_l3
root_l4:
    .skip 4096
boot_l3:
    .skip 4096
image_l3:
    .skip 4096
image_l2:
    .skip 4096
boot_l2:
    .skip 4 * 4096
