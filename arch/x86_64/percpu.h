/* What the architecture keeps for each CPU: descriptor tables, the stacks on which some exceptions
 * begin, the words that system calls use before they have a stack. Set up by segments.c. */
#ifndef ARCH_X86_PERCPU_H
#define ARCH_X86_PERCPU_H

#include "arch/arch.h"

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, iomap;
} __attribute__((packed));

/* entry.S has a system call's entry point for each CPU, which uses the words of that CPU. They are
 * not beside the code: a store to a line that is being executed is slow. */
struct entry_words {
    uint64_t scratch;           /* the guest's rsp, until it is in the frame */
    uint64_t rsp;               /* 8 below stack_top.regs of the vCPU that runs on this CPU */
    uint64_t line[6];           /* a cache line for each CPU */
};
extern struct entry_words entry_words[MAX_CPUS];
_Static_assert(sizeof(struct entry_words) == 1 << ENTRY_WORDS_SHIFT, "entry.S");

struct arch_cpu {
    struct tss tss __attribute__((aligned(128)));
    uint64_t *gdt;              /* page 14 of the GDT of every vCPU while it runs on this CPU */
    char *ist;                  /* STACK_SIZE bytes: see segments.c */
    char *stack;                /* the idle vCPU's */
    uint32_t apic_id;
};

/* This CPU's, found without the stack: it may be wrong. */
struct arch_cpu *this_arch_cpu(void);

#endif
