/* The registers of this CPU's local APIC, by their offsets in its page. */
#ifndef ARCH_X86_LAPIC_H
#define ARCH_X86_LAPIC_H

#include "common/compiler.h"

#define LAPIC_TPR 0x80
#define LAPIC_EOI 0xb0
#define LAPIC_SPURIOUS 0xf0
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_CURRENT 0x390
#define LAPIC_TIMER_DIVIDE 0x3e0

/* Enables it and sets its local vectors; the timer is masked. */
void lapic_init(void);
const char *lapic_mode(void);
uint32_t lapic_read(unsigned reg);
void lapic_write(unsigned reg, uint32_t value);

#endif
