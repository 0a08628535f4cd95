/* The local APIC, and the rates of its timer and of the TSC. */
#ifndef ARCH_X86_CLOCK_H
#define ARCH_X86_CLOCK_H

#include "common/compiler.h"

void clock_init(void);                  /* LAPIC on, TSC and LAPIC rates from the PIT */

#endif
