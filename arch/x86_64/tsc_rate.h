/* The rate of the TSC: what CPUID says of it, and what readings of the PIT tell. Plain C. */
#ifndef ARCH_X86_TSC_RATE_H
#define ARCH_X86_TSC_RATE_H

#include "arch/x86_64/cpuid_words.h"

#define PIT_HZ 1193182u
#define PIT_READINGS 32u

/* One reading of the PIT's channel 2: its count at an instant between these two TSCs. */
struct pit_reading {
    uint64_t before, after;
    uint16_t count;
};

/* In Hz; 0: CPUID does not say. */
uint64_t tsc_hz_by_cpuid(cpuid_fn cpuid);
/* In Hz. first, last: PIT_READINGS each, in the order in which they were made; between the two no
 * more than one round of the PIT has passed (55 ms). *ppm: the greatest error, in millionths. */
uint64_t tsc_hz_by_pit(const struct pit_reading *first, const struct pit_reading *last,
                       uint64_t *ppm);

#endif
