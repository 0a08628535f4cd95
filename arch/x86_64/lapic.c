/* The local APIC (SDM vol. 3, chapter 10): chooses between xAPIC and x2APIC, and makes every access
 * to it. Its timer is used by clock.c, which also calls lapic_init.
 *
 * xAPIC mode has a page of registers in memory, x2APIC mode an MSR for each. If the firmware has
 * enabled x2APIC it stays so, as it may be locked, and leaving it would be #GP. Under another
 * hypervisor x2APIC is enabled here, because an exit by an MSR costs less than one by memory, whose
 * instruction must be decoded. On a bare machine in xAPIC mode nothing is changed: SMM code of some
 * firmware needs the page. */
#include "arch/arch.h"
#include "arch/x86_64/boot.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/lapic.h"
#include "xen/core/bug.h"
#include "xen/core/walk.h"

#define APIC_ON (1u << 11)
#define APIC_X2 (1u << 10)
#define MSR_X2APIC 0x800u               /* and the register's offset, divided by 16 */
#define LVT_MASKED 0x10000u
#define LVT_NMI 0x400u

extern uint64_t image_l3[512];
static uint64_t fixmap_l2[512] __attribute__((aligned(4096)));
static uint64_t fixmap_l1[512] __attribute__((aligned(4096)));
static bool by_msr;

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

/* Maps the page of registers at LAPIC_VA, uncached. */
static void map_lapic(uint64_t pa)
{
    fixmap_l1[0] = pa | PTE_P | PTE_RW | PTE_PCD | PTE_PWT | (cpu_features.nx ? PTE_NX : 0);
    fixmap_l2[0] = image_phys(fixmap_l1) | PTE_P | PTE_RW;
    image_l3[table_index(FIXMAP_START, 3)] = image_phys(fixmap_l2) | PTE_P | PTE_RW;
}

/* A disabled APIC cannot be set to x2APIC directly; it is set to xAPIC before. */
static void switch_on(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    by_msr = (base & APIC_X2) || (cpu_features.x2apic && cpu_features.hypervisor);
    if (!by_msr)
        map_lapic(base & PTE_ADDR_MASK);
    if (!(base & APIC_ON))
        wrmsr(MSR_APIC_BASE, base | APIC_ON);
    if (by_msr && !(base & APIC_X2))
        wrmsr(MSR_APIC_BASE, base | APIC_ON | APIC_X2);
}

void lapic_init(void)
{
    switch_on();
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
    lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
    lapic_write(LAPIC_TIMER_DIVIDE, 0xb);   /* by 1 */
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
}

/* No other CPU has been started. */
void arch_send_ipi(unsigned cpu)
{
    panic("there is no CPU %u to interrupt", cpu);
}
