/* The entry points on a machine without a hypervisor, up to C (bare_start). Linked at physical
 * addresses, and first in the file, where a loader searches the Multiboot 2 header.
 *
 *   note PHYS32_ENTRY      32-bit, EBX = struct hvm_start_info       QEMU's -kernel
 *   Multiboot 2            32-bit, EBX = its information             GRUB
 *   the file's own entry   64-bit, RSI = zero page                   the 64-bit boot protocol */
#include <public/elfnote.h>
#include "bare.h"
#include "layout.h"
#include "note.h"

#define MB2_MAGIC 0xe85250d6
#define CR0_BITS 0x80050033             /* PG AM WP NE ET MP PE */
#define CR4_BITS 0x620                  /* PAE, OSFXSR, OSXMMEXCPT */
#define EFER 0xc0000080
#define EFER_BITS 0x901                 /* SCE, LME, NXE */

    NOTE XEN_ELFNOTE_PHYS32_ENTRY, .quad pvh_entry

    .section .entries, "awx"
    .p2align 3
mb2_header:
    .long MB2_MAGIC, 0, mb2_header_end - mb2_header, -(MB2_MAGIC + mb2_header_end - mb2_header)
    .short 3, 0                         /* the address of the entry */
    .long 12, mb2_entry
    .p2align 3
    .short 0, 0                         /* the end */
    .long 8
mb2_header_end:

    .code32
pvh_entry:
    movl $ENTERED_PVH, %edi
    jmp 1f
mb2_entry:
    movl $ENTERED_MULTIBOOT2, %edi
1:  movl %ebx, %esi
    cli
    cld
    lgdt gdt_pointer
    movl $CR4_BITS, %eax
    movl %eax, %cr4
    movl $(boot_tables - VIRT_BASE), %eax
    movl %eax, %cr3
    movl $EFER, %ecx
    xorl %edx, %edx
    movl $EFER_BITS, %eax
    wrmsr
    movl $CR0_BITS, %eax
    movl %eax, %cr0
    ljmp $BARE_KERNEL_CS, $enter_kernel

    .code64
    .globl bare_entry64
bare_entry64:
    movl $ENTERED_LINUX, %edi
    cli
    cld
    lgdt gdt_pointer
    movl $EFER, %ecx
    xorl %edx, %edx
    movl $(EFER_BITS | 0x400), %eax     /* LMA is set, and writing it 0 may be refused */
    wrmsr
    movl $CR4_BITS, %eax
    movq %rax, %cr4
    movl $(boot_tables - VIRT_BASE), %eax
    movq %rax, %cr3
    movl $CR0_BITS, %eax
    movq %rax, %cr0
enter_kernel:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss
    movq $boot_stack + STACK_SIZE, %rsp
    pushq $BARE_KERNEL_CS
    pushq $bare_start
    lretq

gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt

    .p2align 3
gdt:                                    /* until machine.c has its own */
    .quad 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_end:

/* The first GiB three times: where it is, for this file; in the slot of the direct map; and where
 * the kernel is linked. */
    .data
    .p2align PAGE_SHIFT
    .globl boot_tables, boot_l3
boot_tables:
    .quad boot_l3 - VIRT_BASE + 3
    .fill DIRECT_SLOT - 1, 8, 0
    .quad boot_l3 - VIRT_BASE + 3
    .fill 511 - DIRECT_SLOT - 1, 8, 0
    .quad kernel_l3 - VIRT_BASE + 3
boot_l3:
    .quad boot_l2 - VIRT_BASE + 3
    .fill 511, 8, 0
kernel_l3:
    .fill 510, 8, 0
    .quad boot_l2 - VIRT_BASE + 3, 0
boot_l2:
    .set i, 0
    .rept 512
    .quad i << 21 | 0x83
    .set i, i + 1
    .endr
    .section .note.GNU-stack, "", @progbits
