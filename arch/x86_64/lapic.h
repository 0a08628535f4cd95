/* The registers of this CPU's local APIC, by their offsets in its page. */
#ifndef ARCH_X86_LAPIC_H
#define ARCH_X86_LAPIC_H

#include "common/compiler.h"

#define LAPIC_ID 0x20
#define LAPIC_TPR 0x80
#define LAPIC_EOI 0xb0
#define LAPIC_SPURIOUS 0xf0
#define LAPIC_ICR 0x300
#define LAPIC_ICR_HIGH 0x310            /* in x2APIC mode LAPIC_ICR has 64 bits */
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_CURRENT 0x390
#define LAPIC_TIMER_DIVIDE 0x3e0

/* What is sent to another CPU; the vector is the low byte. */
#define ICR_FIXED 0x4000u
#define ICR_NMI 0x4400u
#define ICR_INIT 0x4500u
#define ICR_STARTUP 0x4600u

struct madt_cpu;

/* Chooses the mode for all CPUs, before the first one's lapic_init. */
void lapic_choose(void);
/* x2APIC mode, if this machine has it: CPUs are to be started whose ids xAPIC mode cannot address.
 * Before they are. */
void lapic_widen(void);
/* Enables this CPU's and sets its local vectors; the timer is masked. pins: which are NMIs; NULL:
 * not known. */
void lapic_init(const struct madt_cpu *pins);
void lapic_start_timer(void);           /* unmasks it; nothing is programmed */
uint32_t lapic_id(void);
bool lapic_can_address(uint32_t apic_id);
void lapic_send(uint32_t apic_id, uint32_t command);
const char *lapic_mode(void);
uint32_t lapic_read(unsigned reg);
void lapic_write(unsigned reg, uint32_t value);

/* Maps a page of a device's registers, uncached, for ever. NULL: there is no room. */
volatile void *map_registers(uint64_t pa);

#endif
