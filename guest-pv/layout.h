/* Every address the guest chooses for itself, for C, assembler and the linker script alike:
 * numbers only. The reserved hole (L4 slots 256..271) belongs to the hypervisor. */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#ifdef __ASSEMBLY__
#define ADDR(x) x
#else
#define ADDR(x) x##ul
#endif

/* All our memory, pseudo-physical page 0 first: the builder's boot mapping, which mm.c then
 * extends. */
#define VIRT_BASE       ADDR(0xffffffff80000000)
#define VIRT_MAX_PAGES  0x60000                     /* 1.5 GiB: what is beyond stays unused */
#define IMAGE_PADDR     0x100000

#define HOLE_START      ADDR(0xffff800000000000)
#define HOLE_END        ADDR(0xffff880000000000)
#define SCRATCH_BASE    ADDR(0xffffa00000000000)    /* L4 slot 320: va_alloc() */
#define HEAP_BASE       ADDR(0xffffc90000000000)    /* L4 slot 402: sbrk() */

/* User mode: one L4 slot, shared by the kernel's and the user's root. */
#define USER_BASE       ADDR(0x400000)          /* where the .user sections are linked and mapped */
#define USER_STACK_TOP  ADDR(0x800000)
#define USER_STACK_PAGES 4

#define PAGE_SHIFT      12
#define PAGE_SIZE       ADDR(4096)
#define STACK_SIZE      ADDR(32768)

#endif
