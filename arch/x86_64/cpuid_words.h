/* The words of CPUID by which a CPU is compared with the one that booted. Plain C. */
#ifndef ARCH_X86_CPUID_WORDS_H
#define ARCH_X86_CPUID_WORDS_H

#include "common/compiler.h"

#define CPUID_WORDS 16u

struct cpuid_words {
    uint32_t word[CPUID_WORDS];
};

typedef void (*cpuid_fn)(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* Reads this CPU's words. */
void cpuid_words_read(cpuid_fn cpuid, struct cpuid_words *w);
/* Guests and the hypervisor use what the CPU that booted has. NULL: the other one has it, too; else
 * the name of the leaf in which it differs. */
const char *cpuid_words_lack(const struct cpuid_words *boot, const struct cpuid_words *other);

#endif
