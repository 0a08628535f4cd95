/* The I/O APIC. */
#ifndef ARCH_X86_IOAPIC_H
#define ARCH_X86_IOAPIC_H

struct madt;

/* Finds it, and masks all its pins. */
void ioapic_init(const struct madt *m);

#endif
