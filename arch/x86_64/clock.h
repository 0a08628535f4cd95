/* The local APIC, and the rates of its timer and of the TSC. */
#ifndef ARCH_X86_CLOCK_H
#define ARCH_X86_CLOCK_H

#include "common/compiler.h"

struct madt_cpu;

/* Interrupt controllers of the CPU that boots; the rates of TSC and LAPIC timer. pins: see
 * lapic_init. */
void clock_init(const struct madt_cpu *pins);
void clock_log(void);                   /* how the rate of the TSC is known */

#endif
