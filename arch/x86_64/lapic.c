/* The local APIC: which of its two interfaces is in use, and every access to it. What its timer is for is clock.c's.
 *
 * xAPIC is a page of registers in memory, x2APIC one MSR for each. Firmware that has switched x2APIC on may have locked it,
 * and leaving it is #GP then: so it stays on. Below a hypervisor it is switched on by us, because an MSR is an exit that
 * needs no instruction to be decoded. On a bare machine that firmware left in xAPIC mode, it stays so: some firmware's
 * own code (SMM) needs the page. */
#include "arch/x86_64/boot.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/lapic.h"
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

const char *lapic_kind(void)
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
    return by_msr ? (uint32_t)rdmsr(MSR_X2APIC + (reg >> 4)) : *(volatile uint32_t *)(LAPIC_VA + reg);
}

/* The registers lie in the fixed mappings, uncached. */
static void map_lapic(uint64_t pa)
{
    fixmap_l1[0] = pa | PTE_P | PTE_RW | PTE_PCD | PTE_PWT | (cpu_features.nx ? PTE_NX : 0);
    fixmap_l2[0] = image_phys(fixmap_l1) | PTE_P | PTE_RW;
    image_l3[table_index(FIXMAP_START, 3)] = image_phys(fixmap_l2) | PTE_P | PTE_RW;
}

/* From off to x2APIC the way leads by xAPIC. */
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
