/* From the boot loader to C: the multiboot headers, and the way from 32-bit protected mode without paging to long mode on
 * our own page tables. Entered with eax = magic, ebx = physical address of the multiboot information. */
#include "arch/x86_64/memlayout.h"
#include "asm-offsets.h"

#define PHYS(sym) ((sym) - IMAGE_START)

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
    .short 1, 0                         /* information request: memory map, modules, command line, loader's name, ACPI */
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
    mov $PHYS(boot_stack + STACK_SIZE - STACK_TOP_SIZE), %esp
    mov %eax, %ebp                      /* magic */
    mov %ebx, PHYS(boot_mbi)

    /* .bss is zero: the ELF loader's promise (memsz > filesz). The tables below live there. */
    mov $0x80000001, %eax
    cpuid
    test $(1 << 29), %edx
    jz no_long_mode

    /* Four L2 tables map 4 GiB in 2 MiB pages. They serve three L4 slots: low (until C runs), image, directmap. */
    mov $PHYS(boot_l2), %edi
    mov $0x83, %eax                     /* P RW PS */
    mov $2048, %ecx
2:  mov %eax, (%edi)
    add $0x200000, %eax
    add $8, %edi
    dec %ecx
    jnz 2b

    mov $PHYS(boot_l3), %edi
    mov $(PHYS(boot_l2) + 3), %eax
    mov $4, %ecx
3:  mov %eax, (%edi)
    add $4096, %eax
    add $8, %edi
    dec %ecx
    jnz 3b
    movl $(PHYS(boot_l2) + 3), PHYS(image_l3)           /* IMAGE_START + 1 GiB: the first of them */

    movl $(PHYS(boot_l3) + 3), PHYS(root_l4)
    movl $(PHYS(image_l3) + 3), PHYS(root_l4) + 8 * IMAGE_SLOT
    movl $(PHYS(boot_l3) + 3), PHYS(root_l4) + 8 * DIRECTMAP_SLOT

    mov $0x20, %eax                     /* CR4.PAE */
    mov %eax, %cr4
    mov $PHYS(root_l4), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx               /* EFER: LME, SCE; NXE where the CPU has it */
    rdmsr
    or $0x101, %eax
    wrmsr
    mov $0x80010033, %eax               /* CR0: PG WP NE ET MP PE */
    mov %eax, %cr0
    lgdt PHYS(boot_gdtr32)
    ljmp $8, $PHYS(start64_low)

no_long_mode:
    mov $0xb8000, %edi
    mov $PHYS(no_long_mode_text), %esi
    mov $0x3f8, %dx
4:  lodsb
    test %al, %al
    jz 5f
    stosb
    movb $0x4f, (%edi)
    inc %edi
    out %al, (%dx)
    jmp 4b
5:  hlt
    jmp 5b
no_long_mode_text:
    .asciz "Paragon: this CPU has no 64-bit mode.\r\n"

    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff            /* 64-bit code */
    .quad 0x00cf93000000ffff
boot_gdtr32:
    .short boot_gdtr32 - boot_gdt - 1
    .long PHYS(boot_gdt)

    .code64
start64_low:
    movabs $start64, %rax
    jmp *%rax

    .text
start64:
    lea boot_stack + STACK_SIZE - STACK_TOP_SIZE - 8(%rip), %rsp
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov $0x10, %eax
    mov %eax, %ss
    pushq $0
    popfq
    mov %ebp, %edi
    mov boot_mbi(%rip), %esi
    call arch_start
6:  hlt
    jmp 6b

    .data
    .globl boot_mbi
boot_mbi:
    .long 0

    .section .bss.stack, "aw", @nobits
    .balign STACK_SIZE
    .globl boot_stack, nmi_stack, df_stack, mce_stack, db_stack
boot_stack:
    .skip STACK_SIZE
nmi_stack:
    .skip STACK_SIZE
df_stack:
    .skip STACK_SIZE
mce_stack:
    .skip STACK_SIZE
db_stack:
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
boot_l2:
    .skip 4 * 4096
