/* The MADT: the machine's CPUs and interrupt controllers as the firmware lists them. Plain C. */
#ifndef ARCH_X86_MADT_H
#define ARCH_X86_MADT_H

#include "common/compiler.h"
#include "arch/x86_64/acpi_tables.h"

#define MADT_CPUS 1024u
#define MADT_PINS 24u
#define MADT_NO_PIN 0xffu
#define XAPIC_IDS 255u

struct madt_cpu {
    uint32_t apic_id;
    uint32_t uid;               /* the number by which NMI entries and AML name it */
    uint8_t nmi_pins;           /* bit n: LINTn is an NMI */
    uint8_t nmi_low;            /* bit n: it is active low */
};

/* Where an interrupt of a device arrives at the I/O APIC. */
struct madt_pin {
    uint8_t pin;                /* MADT_NO_PIN: nowhere */
    bool low;                   /* it is active low */
};

struct madt {
    uint64_t ioapic;            /* address of the one whose first pin is 0; 0: none */
    struct madt_pin pin[MADT_PINS];     /* by the number in the device's line register */
    unsigned nr_cpus;
    unsigned nr_dropped;        /* usable ones for which there was no room in cpu[] */
    struct madt_cpu cpu[MADT_CPUS];
};

/* Fills m with the CPUs that the firmware has enabled, and the I/O APIC. table: a whole MADT, of
 * any content. */
void madt_parse(const struct acpi_header *table, struct madt *m);
/* Of the first nr CPUs besides the one with id self, some have ids for which xAPIC mode has no
 * room. */
bool madt_needs_x2apic(const struct madt *m, uint32_t self, unsigned nr);

#endif
