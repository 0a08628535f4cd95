/* The rates of the TSC and of the local APIC's timer. */
#ifndef ARCH_X86_CALIBRATE_H
#define ARCH_X86_CALIBRATE_H

#include "common/compiler.h"

struct clock_rates {
    uint64_t tsc_hz;
    uint64_t lapic_per_tsc;             /* timer ticks per TSC tick, 32.32 fixed point */
    uint64_t cpuid_hz;                  /* the TSC's as CPUID says it; 0: it does not */
    uint64_t pit_hz, ppm;               /* as measured, and how wrong that may be, in millionths */
    bool by_cpuid;                      /* tsc_hz is what CPUID says */
};

/* Takes a few milliseconds at most. The timer is stopped afterwards. */
struct clock_rates calibrate(void);

#endif
