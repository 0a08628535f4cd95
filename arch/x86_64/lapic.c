/* The local APICs (SDM vol. 3, chapter 10): chooses between xAPIC and x2APIC, the same for
 * all CPUs; makes every access to them; sends interrupts between CPUs. Called by start.c, smp.c and
 * ap.c; the timer is used by clock.c.
 *
 * xAPIC mode has a page of registers in memory, x2APIC mode an MSR for each. If the firmware has
 * enabled x2APIC it stays so, as it may be locked, and leaving it would be #GP. Under another
 * hypervisor x2APIC is enabled here, because an exit by an MSR costs less than one by memory, whose
 * instruction must be decoded. On a bare machine in xAPIC mode nothing is changed, as SMM code of
 * some firmware needs the page; unless CPUs are to be started that xAPIC mode cannot address. INIT
 * leaves the mode as it is. */
#include "arch/arch.h"
#include "arch/x86_64/boot.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/lapic.h"
#include "arch/x86_64/madt.h"
#include "arch/x86_64/percpu.h"
#include "xen/core/bug.h"
#include "xen/core/cpu.h"
#include "xen/core/request.h"
#include "xen/core/walk.h"

#define APIC_ON (1u << 11)
#define APIC_X2 (1u << 10)
#define MSR_X2APIC 0x800u               /* and the register's offset, divided by 16 */
#define LVT_MASKED 0x10000u
#define LVT_NMI 0x400u
#define LVT_ACTIVE_LOW 0x2000u
#define ICR_BUSY 0x1000u
#define ICR_TRIES 1000000u

extern uint64_t image_l3[512];
static uint64_t fixmap_l2[512] __attribute__((aligned(4096)));
static uint64_t fixmap_l1[512] __attribute__((aligned(4096)));
static bool by_msr;
static uint64_t lapic_pa;

const char *lapic_mode(void)
{
    return by_msr ? "x2APIC" : "xAPIC";
}

void lapic_write(unsigned reg, uint32_t value)
{
    if (by_msr)
        wrmsr(MSR_X2APIC + (reg >> 4), value);
    else
        *(volatile uint32_t *)(LAPIC_VA + reg) = value;
}

uint32_t lapic_read(unsigned reg)
{
    return by_msr ? (uint32_t)rdmsr(MSR_X2APIC + (reg >> 4))
                  : *(volatile uint32_t *)(LAPIC_VA + reg);
}

/* The first page is the LAPIC's, at LAPIC_VA. */
volatile void *map_registers(uint64_t pa)
{
    static unsigned used = 1;
    unsigned i = pa == lapic_pa ? 0 : used;

    if (i == PTES_PER_TABLE)
        return NULL;
    used += i != 0;
    fixmap_l1[i] = pa | PTE_P | PTE_RW | PTE_PCD | PTE_PWT | (cpu_features.nx ? PTE_NX : 0);
    fixmap_l2[0] = image_phys(fixmap_l1) | PTE_P | PTE_RW;
    image_l3[table_index(FIXMAP_START, 3)] = image_phys(fixmap_l2) | PTE_P | PTE_RW;
    return (volatile char *)FIXMAP_START + i * PAGE_SIZE;
}

/* A disabled APIC cannot be set to x2APIC directly; it is set to xAPIC before. */
static void switch_on(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    if (!(base & APIC_ON))
        wrmsr(MSR_APIC_BASE, base | APIC_ON);
    if (by_msr && !(base & APIC_X2))
        wrmsr(MSR_APIC_BASE, base | APIC_ON | APIC_X2);
}

void lapic_choose(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    by_msr = (base & APIC_X2) || (cpu_features.x2apic && cpu_features.hypervisor);
    lapic_pa = base & PTE_ADDR_MASK;
    if (!by_msr)
        (void)map_registers(lapic_pa);
    switch_on();
}

/* The registers keep their values when the mode changes (SDM vol. 3, 10.12.5). */
void lapic_widen(void)
{
    by_msr |= cpu_features.x2apic;
    switch_on();
}

/* If the MADT says nothing, LINT1 is an NMI, as on every PC. */
static uint32_t pin_mode(const struct madt_cpu *pins, unsigned pin)
{
    bool nmi = pins == NULL || pins->nmi_pins == 0 ? pin == 1 : pins->nmi_pins >> pin & 1;

    if (!nmi)
        return LVT_MASKED;
    return LVT_NMI | (pins != NULL && (pins->nmi_low >> pin & 1) ? LVT_ACTIVE_LOW : 0);
}

void lapic_init(const struct madt_cpu *pins)
{
    switch_on();
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    lapic_write(LAPIC_LVT_LINT0, pin_mode(pins, 0));
    lapic_write(LAPIC_LVT_LINT1, pin_mode(pins, 1));
    lapic_write(LAPIC_TIMER_DIVIDE, 0xb);   /* by 1 */
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
}

void lapic_start_timer(void)
{
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
}

uint32_t lapic_id(void)
{
    return by_msr ? lapic_read(LAPIC_ID) : lapic_read(LAPIC_ID) >> 24;
}

bool lapic_can_address(uint32_t apic_id)
{
    return by_msr || apic_id < 0xff;
}

/* In x2APIC mode the MSR's write may overtake earlier stores, which the other CPU is to see: hence
 * the fences (SDM vol. 3, 10.12.3). In xAPIC mode the last interrupt must be on its way before the
 * next is written; that takes a short time, or for ever if the hardware is broken. */
void lapic_send(uint32_t apic_id, uint32_t command)
{
    if (by_msr) {
        __asm__ volatile("mfence\n\tlfence" : : : "memory");
        wrmsr(MSR_X2APIC + (LAPIC_ICR >> 4), (uint64_t)apic_id << 32 | command);
        return;
    }
    for (unsigned i = 0; i < ICR_TRIES && (lapic_read(LAPIC_ICR) & ICR_BUSY); i++)
        cpu_relax();
    lapic_write(LAPIC_ICR_HIGH, apic_id << 24);
    lapic_write(LAPIC_ICR, command);
}

void arch_send_ipi(unsigned cpu)
{
    lapic_send(cpus[cpu]->arch->apic_id, ICR_FIXED | VECTOR_IPI);
}

void handle_ipi(void);
void handle_ipi(void)
{
    lapic_write(LAPIC_EOI, 0);
    serve_requests();
}
