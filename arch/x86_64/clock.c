/* Owns the machine's clocks: the local APIC's one-shot timer, the TSC's rate, the CMOS date. The legacy interrupt
 * controllers are masked for good: nothing here uses them. Rates are measured once against the PIT, for few milliseconds:
 * every instruction spent here is a guest's boot time. */
#include "arch/x86_64/cpu.h"
#include "xen/build.h"
#include "xen/log.h"
#include "xen/mm.h"
#include "xen/options.h"
#include "xen/timer.h"

#define LAPIC_TPR 0x80
#define LAPIC_SPURIOUS 0xf0
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_CURRENT 0x390
#define LAPIC_TIMER_DIVIDE 0x3e0
#define LVT_MASKED 0x10000u
#define APIC_ON (1u << 11)
#define APIC_X2 (1u << 10)
#define LVT_NMI 0x400u

#define PIT_HZ 1193182ull
#define CALIBRATION_TICKS 5966u         /* 5 ms of the PIT */

static uint64_t tsc_hz;
static uint64_t lapic_per_tsc;          /* timer ticks per TSC tick, 32.32 fixed point */

extern uint64_t image_l3[512];
static uint64_t fixmap_l2[512] __attribute__((aligned(4096)));
static uint64_t fixmap_l1[512] __attribute__((aligned(4096)));

static inline void lapic_write(unsigned reg, uint32_t value)
{
    *(volatile uint32_t *)(LAPIC_VA + reg) = value;
}

static inline uint32_t lapic_read(unsigned reg)
{
    return *(volatile uint32_t *)(LAPIC_VA + reg);
}

/* The registers lie in the fixed mappings, uncached. */
static void map_lapic(uint64_t pa)
{
    fixmap_l1[0] = pa | PTE_P | PTE_RW | PTE_PCD | PTE_PWT | (cpu_features.nx ? PTE_NX : 0);
    fixmap_l2[0] = image_phys(fixmap_l1) | PTE_P | PTE_RW;
    image_l3[table_index(FIXMAP_START, 3)] = image_phys(fixmap_l2) | PTE_P | PTE_RW;
}

static void legacy_pic_off(void)
{
    outb(0x20, 0x11), outb(0xa0, 0x11);     /* vectors 0x20-0x2f, in case one is pending */
    outb(0x21, 0x20), outb(0xa1, 0x28);
    outb(0x21, 4), outb(0xa1, 2);
    outb(0x21, 1), outb(0xa1, 1);
    outb(0x21, 0xff), outb(0xa1, 0xff);
}

static unsigned pit_count(void)
{
    unsigned lo;

    outb(0x43, 0x80);                       /* latch channel 2 */
    lo = inb(0x42);
    return lo | (unsigned)inb(0x42) << 8;
}

/* PIT channel 2 counts down from 65535 with its gate open; TSC and LAPIC timer are read at both ends of the interval,
 * whose true length is what the PIT says. */
static void calibrate(void)
{
    uint64_t tsc0, tsc1, scale;
    uint32_t apic0, apic1;
    unsigned pit0, pit1;

    outb(0x61, (uint8_t)((inb(0x61) & ~2u) | 1));
    outb(0x43, 0xb0);                       /* channel 2, both bytes, mode 0 */
    outb(0x42, 0xff), outb(0x42, 0xff);
    lapic_write(LAPIC_TIMER_INITIAL, ~0u);
    pit0 = pit_count();
    tsc0 = arch_tsc();
    apic0 = lapic_read(LAPIC_TIMER_CURRENT);
    do {
        __asm__ volatile("pause");
        pit1 = pit_count();
        if (arch_tsc() - tsc0 > 1ull << 33)     /* seconds: some chipsets gate its clock */
            panic("The PIT does not count: no clock to measure the TSC by");
    } while (((pit0 - pit1) & 0xffff) < CALIBRATION_TICKS);
    tsc1 = arch_tsc();
    apic1 = lapic_read(LAPIC_TIMER_CURRENT);
    lapic_write(LAPIC_TIMER_INITIAL, 0);

    scale = (pit0 - pit1) & 0xffff;
    tsc_hz = (tsc1 - tsc0) * PIT_HZ / scale;
    lapic_per_tsc = ((uint64_t)(apic0 - apic1) << 32) / (tsc1 - tsc0);
}

void clock_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE) & ~(uint64_t)(APIC_ON | APIC_X2);

    legacy_pic_off();
    map_lapic(base & PTE_ADDR_MASK);
    if (rdmsr(MSR_APIC_BASE) & APIC_X2)
        wrmsr(MSR_APIC_BASE, base);         /* firmware's x2APIC mode is only left by way of off */
    wrmsr(MSR_APIC_BASE, base | APIC_ON);
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
    lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
    lapic_write(LAPIC_TIMER_DIVIDE, 0xb);   /* by 1 */
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    calibrate();
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
}

uint64_t arch_tsc_hz(void)
{
    return tsc_hz;
}

/* At most what the 32-bit counter holds: a later deadline just programs again. */
void arch_timer_program(uint64_t tsc_deadline)
{
    uint64_t now = arch_tsc(), ticks = 1;

    if (tsc_deadline == 0) {
        lapic_write(LAPIC_TIMER_INITIAL, 0);
        return;
    }
    if (tsc_deadline > now) {
        ticks = tsc_deadline - now;
        ticks = ticks >> 31 ? 0x7fffffff : ticks;
        ticks = (ticks * lapic_per_tsc >> 32) + 1;
        if (ticks > ~0u)
            ticks = ~0u;
    }
    lapic_write(LAPIC_TIMER_INITIAL, (uint32_t)ticks);
}

void handle_timer_interrupt(void);
void handle_timer_interrupt(void)
{
    lapic_write(LAPIC_EOI, 0);
    timers_run();
}

void arch_interrupt_window(void)
{
    __asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
}

void arch_idle(void)
{
    __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}

static unsigned cmos(unsigned reg)
{
    outb(0x70, (uint8_t)reg);
    return inb(0x71);
}

static unsigned cmos_number(unsigned reg, bool binary)
{
    unsigned v = cmos(reg);

    return binary ? v : (v >> 4) * 10 + (v & 15);
}

/* Some firmware keeps twelve hours and a flag for the afternoon. */
static unsigned cmos_hour(bool binary)
{
    unsigned raw = cmos(4), v = raw & 0x7f;

    v = binary ? v : (v >> 4) * 10 + (v & 15);
    return cmos(0xb) & 2 ? v : v % 12 + (raw & 0x80 ? 12 : 0);
}

/* Seconds since 1970, UTC; 0 if there is no such clock. Years are 2000..2099: PCs' century byte has no fixed place. */
static uint64_t cmos_seconds(void)
{
    static const unsigned short days_before[12] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    bool binary = cmos(0xb) & 4;
    unsigned sec, min, hour, day, month, year;
    uint64_t days;

    if (cmos(0xa) == 0xff)
        return 0;
    do {
        while (cmos(0xa) & 0x80)
            ;
        sec = cmos_number(0, binary);
        min = cmos_number(2, binary);
        hour = cmos_hour(binary);
        day = cmos_number(7, binary);
        month = cmos_number(8, binary);
        year = cmos_number(9, binary);
    } while (sec != cmos_number(0, binary));
    if (month < 1 || month > 12)
        return 0;
    /* 10957 days from 1970 to 2000; every fourth year since has a 29 February, 2000 among them */
    days = 10957 + 365ull * year + (year + 3) / 4 + days_before[month - 1] + day - 1;
    if (year % 4 == 0 && month > 2)
        days++;
    return ((days * 24 + hour) * 60 + min) * 60 + sec;
}

/* What the firmware's clock showed when the loader handed over, moved on by the TSC. */
static uint64_t firmware_seconds(void)
{
    return boot_info.date != 0 ? boot_info.date + (arch_tsc() - boot_info.tsc) / tsc_hz : 0;
}

uint64_t arch_wallclock_seconds(void)
{
    bool cmos_first = options.wallclock == WALLCLOCK_CMOS || (options.wallclock == WALLCLOCK_AUTO && !acpi_no_cmos());
    uint64_t seconds = cmos_first ? cmos_seconds() : 0;

    return seconds != 0 || options.wallclock == WALLCLOCK_CMOS ? seconds : firmware_seconds();
}
