/* The I/O APIC (Intel 82093AA): interrupts of devices that come by a pin. Its pins 0 to 23 are
 * used, each of which is masked until an owner's interrupt is bound (pv/pirq.c). Called by
 * smp.c, and by xen/ through arch/arch.h.
 *
 * A PCI function's line register names an interrupt of the old controllers, as the firmware has
 * routed it. The pin is the same, unless an entry of the MADT says another one, or its polarity;
 * the trigger is always the level. Further I/O APICs, and how the firmware's code would route
 * pins anew, are not used. */
#include "arch/arch.h"
#include "common/string.h"
#include "arch/x86_64/ioapic.h"
#include "arch/x86_64/lapic.h"
#include "arch/x86_64/madt.h"
#include "arch/x86_64/percpu.h"
#include "xen/core/cpu.h"

enum { SELECT = 0, WINDOW = 4 };        /* in words: offsets 0 and 0x10 */
#define VERSION 1u
#define PIN(n) (0x10u + 2 * (n))
#define ACTIVE_LOW 0x2000u
#define LEVEL 0x8000u
#define MASKED 0x10000u
#define ID_SHIFT 24

static volatile uint32_t *ioapic;       /* NULL: there is none */
static struct madt_pin pins[MADT_PINS]; /* by the number that a line register has */

static uint32_t read(unsigned reg)
{
    ioapic[SELECT] = reg;
    return ioapic[WINDOW];
}

static void write(unsigned reg, uint32_t value)
{
    ioapic[SELECT] = reg;
    ioapic[WINDOW] = value;
}

void ioapic_init(const struct madt *m)
{
    unsigned n;

    if (m->ioapic == 0)
        return;
    ioapic = map_registers(m->ioapic & PAGE_MASK);
    if (ioapic == NULL)
        return;
    ioapic += (m->ioapic & ~PAGE_MASK) / sizeof(*ioapic);
    memcpy(pins, m->pin, sizeof(pins));
    n = (read(VERSION) >> 16 & 0xff) + 1;
    for (unsigned i = 0; i < n; i++)
        write(PIN(i), MASKED);
    for (unsigned i = 0; i < MADT_PINS; i++)
        if (pins[i].pin >= n)
            pins[i].pin = MADT_NO_PIN;
}

bool arch_has_pin(unsigned line)
{
    return ioapic != NULL && line < MADT_PINS && pins[line].pin != MADT_NO_PIN;
}

/* Masked first: the vector and the destination are in two registers. */
void arch_set_pin(unsigned line, uint8_t vector, bool masked)
{
    const struct madt_pin *p = &pins[line];
    uint32_t value = vector | LEVEL | (p->low ? ACTIVE_LOW : 0);

    write(PIN(p->pin), value | MASKED);
    write(PIN(p->pin) + 1, (uint32_t)cpus[0]->arch->apic_id << ID_SHIFT);
    if (!masked)
        write(PIN(p->pin), value);
}
