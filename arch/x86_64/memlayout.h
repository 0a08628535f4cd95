/* The address space of the hypervisor, for C, assembler and the linker script.
 *
 *   0xffff800000000000  slot 256       M2P, read-only for guests (the ABI's address)
 *   0xffff820000000000  slot 260       per domain: GDT and LDT windows of its vCPUs
 *   0xffff828000000000  slot 261       the hypervisor image; then fixed mappings (LAPIC), the frame
 *                                      table, and the M2P, writable for the hypervisor
 *   0xffff830000000000  slots 262-271  all of RAM, writable: 5 TiB at most
 *
 * All other slots, 0-255 and 272-511, are the guest's. */
#ifndef ARCH_MEMLAYOUT_H
#define ARCH_MEMLAYOUT_H

#ifdef __ASSEMBLY__
#define UL(x) x
#else
#define UL(x) x##ul
#endif

#define M2P_START UL(0xffff800000000000)
#define PERDOMAIN_START UL(0xffff820000000000)
#define PERDOMAIN_SLOT 260
#define IMAGE_START UL(0xffff828000000000)      /* the image is 2 MiB above it, in 2 MiB pages */
#define IMAGE_SLOT 261
#define DIRECTMAP_START UL(0xffff830000000000)
#define DIRECTMAP_SLOT 262
#define DIRECTMAP_SLOTS 10
#define FIXMAP_START UL(0xffff828040000000)     /* 1 GiB above the image's mapping */
#define LAPIC_VA FIXMAP_START
#define FRAME_TABLE_START UL(0xffff828100000000)        /* 4 GiB */
#define M2P_WRITABLE_START UL(0xffff828200000000)       /* 1 GiB */

#define MAX_CPUS 256
#define ENTRY_WORDS_SHIFT 6             /* of struct entry_words, one for each CPU */
#define ENTRY_STUBS_SHIFT 7             /* a CPU's entry points of SYSCALL, for 64 and 32 bits */
#define ENTRY_STUB_32 104               /* the second, from the first */

#define STACK_ORDER 2
#define STACK_SIZE UL(16384)

/* Per vCPU in the per-domain window: 16 GDT pages, then 16 LDT pages. */
#define VCPU_WINDOW_SHIFT 17
#define GDT_WINDOW(id) (PERDOMAIN_START + ((id) << VCPU_WINDOW_SHIFT))
#define LDT_WINDOW(id) (GDT_WINDOW(id) + UL(0x10000))

/* Selectors in the reserved part of every GDT (pages 14 and up): the ring 3 ones are the ABI's. */
#define SEL_HV_CS 0xe008
#define SEL_HV_DS 0xe010
#define SEL_GUEST_CS32 0xe023
#define SEL_GUEST_SS 0xe02b
#define SEL_GUEST_CS64 0xe033
#define SEL_TSS 0xe040
#define SEL_LDT 0xe050
#define SEL_CPU 0xe060                  /* the limit of this segment is the CPU's number */
#define GDT_RESERVED_PAGE 14
#define GDT_LIMIT 0xefff

#define VECTOR_TIMER 0xf0
#define VECTOR_IPI 0xf1
#define VECTOR_SPURIOUS 0xff

#endif
