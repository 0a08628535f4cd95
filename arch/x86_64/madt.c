/* Reads the MADT (ACPI 6.5, 5.2.12): a header, then entries that begin with their type and length.
 * Of each CPU that the firmware has enabled, the APIC id and which pins of its local APIC are NMIs
 * are kept; of the I/O APIC, where it is, and at which pins the interrupts of the old controllers
 * arrive. Called by smp.c.
 *
 * Not used: the address of the local APICs (of the header and of type 5), because each CPU has it
 * in an MSR; and CPUs that are only "online capable", which are to be plugged in later. */
#include "common/string.h"
#include "arch/x86_64/madt.h"

enum {
    LOCAL_APIC = 0,
    IO_APIC = 1,
    OVERRIDE = 2,
    LOCAL_APIC_NMI = 4,
    LOCAL_X2APIC = 9,
    LOCAL_X2APIC_NMI = 10,
};

#define ENTRIES 44u                     /* offset of the first entry */
#define ENABLED 1u
#define POLARITY 3u                     /* of an NMI's or an override's flags */
#define ACTIVE_HIGH 1u
#define ACTIVE_LOW 3u
#define ISA_INTERRUPTS 16u
#define NMI_PINS 2u                     /* LINT0 and LINT1 */

/* An entry as bytes; its fields are not aligned. */
struct entry {
    const uint8_t *bytes;
    unsigned len;
};

static uint32_t field(const struct entry *e, unsigned offset, unsigned width)
{
    uint32_t value = 0;

    memcpy(&value, e->bytes + offset, width);
    return value;
}

/* The same CPU may be listed by both kinds of entries. */
static bool is_listed(const struct madt *m, uint32_t apic_id)
{
    for (unsigned i = 0; i < m->nr_cpus; i++)
        if (m->cpu[i].apic_id == apic_id)
            return true;
    return false;
}

static void add_cpu(struct madt *m, uint32_t apic_id, uint32_t uid, uint32_t flags)
{
    if (!(flags & ENABLED) || is_listed(m, apic_id))
        return;
    if (m->nr_cpus == MADT_CPUS) {
        m->nr_dropped++;
        return;
    }
    m->cpu[m->nr_cpus++] = (struct madt_cpu){ .apic_id = apic_id, .uid = uid };
}

static void add_local_apic(struct madt *m, const struct entry *e)
{
    if (field(e, 3, 1) != 0xff)         /* 0xff: all CPUs, so no CPU's id */
        add_cpu(m, field(e, 3, 1), field(e, 2, 1), field(e, 4, 4));
}

static void add_local_x2apic(struct madt *m, const struct entry *e)
{
    if (field(e, 4, 4) != ~0u)
        add_cpu(m, field(e, 4, 4), field(e, 12, 4), field(e, 8, 4));
}

static void add_nmi(struct madt *m, uint32_t uid, uint32_t everybody, uint32_t flags, uint32_t pin)
{
    if (pin >= NMI_PINS)
        return;
    for (unsigned i = 0; i < m->nr_cpus; i++) {
        struct madt_cpu *c = &m->cpu[i];

        if (uid != everybody && uid != c->uid)
            continue;
        c->nmi_pins |= (uint8_t)(1u << pin);
        if ((flags & POLARITY) == ACTIVE_LOW)
            c->nmi_low |= (uint8_t)(1u << pin);
    }
}

static void add_local_apic_nmi(struct madt *m, const struct entry *e)
{
    add_nmi(m, field(e, 2, 1), 0xff, field(e, 3, 2), field(e, 5, 1));
}

static void add_local_x2apic_nmi(struct madt *m, const struct entry *e)
{
    add_nmi(m, field(e, 4, 4), ~0u, field(e, 2, 2), field(e, 8, 1));
}

/* The one that has the first pins. */
static void add_ioapic(struct madt *m, const struct entry *e)
{
    if (m->ioapic == 0 && field(e, 8, 4) == 0)
        m->ioapic = field(e, 4, 4);
}

/* The pin that another interrupt had by default is not that one's any more. */
static void add_override(struct madt *m, const struct entry *e)
{
    uint32_t source = field(e, 3, 1), pin = field(e, 4, 4), polarity = field(e, 8, 2) & POLARITY;

    if (field(e, 2, 1) != 0 || source >= ISA_INTERRUPTS)
        return;
    if (pin != source && pin < MADT_PINS && m->pin[pin].pin == pin)
        m->pin[pin].pin = MADT_NO_PIN;
    m->pin[source] = (struct madt_pin){ pin < MADT_PINS ? (uint8_t)pin : MADT_NO_PIN,
                                        polarity != ACTIVE_HIGH };
}

/* PCI's interrupts are active low, unless something else is said. */
static void set_default_pins(struct madt *m)
{
    m->ioapic = 0;
    for (unsigned i = 0; i < MADT_PINS; i++)
        m->pin[i] = (struct madt_pin){ (uint8_t)i, true };
}

/* An NMI names CPUs, which may be listed behind it: so the kinds of the second pass come last. */
static const struct kind {
    uint8_t type, len, pass;            /* len: at least, for the fields that are read */
    void (*add)(struct madt *m, const struct entry *e);
} kinds[] = {
    { LOCAL_APIC, 8, 0, add_local_apic },
    { IO_APIC, 12, 0, add_ioapic },
    { OVERRIDE, 10, 0, add_override },
    { LOCAL_X2APIC, 16, 0, add_local_x2apic },
    { LOCAL_APIC_NMI, 6, 1, add_local_apic_nmi },
    { LOCAL_X2APIC_NMI, 9, 1, add_local_x2apic_nmi },
};

static void add_entry(struct madt *m, const struct entry *e, unsigned pass)
{
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].type == e->bytes[0] && kinds[i].len <= e->len && kinds[i].pass == pass)
            kinds[i].add(m, e);
}

/* Ends at the first entry that does not lie in the table. */
void madt_parse(const struct acpi_header *table, struct madt *m)
{
    const uint8_t *start = (const uint8_t *)table;

    m->nr_cpus = m->nr_dropped = 0;
    set_default_pins(m);
    for (unsigned pass = 0; pass < 2; pass++)
        for (uint32_t at = ENTRIES; at + 2 <= table->length;) {
            struct entry e = { start + at, start[at + 1] };

            if (e.len < 2 || e.len > table->length - at)
                break;
            add_entry(m, &e, pass);
            at += e.len;
        }
}

bool madt_needs_x2apic(const struct madt *m, uint32_t self, unsigned nr)
{
    for (unsigned i = 0; i < m->nr_cpus && nr > 0; i++) {
        if (m->cpu[i].apic_id == self)
            continue;
        if (m->cpu[i].apic_id >= XAPIC_IDS)
            return true;
        nr--;
    }
    return false;
}
