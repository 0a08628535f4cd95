/* The machine's clocks: the one-shot timer of the local APIC, the TSC's rate, and the date from the
 * CMOS clock. Also the timer interrupt, which traps.S calls, and idling. The legacy interrupt
 * controllers (8259) are masked. The rates are calibrate.c's; the APIC's registers are lapic.c's;
 * system time is xen/core/time.c's. */
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/calibrate.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/lapic.h"
#include "arch/x86_64/nmi.h"
#include "xen/boot/boot_info.h"
#include "xen/core/pci.h"
#include "xen/core/log.h"
#include "xen/core/options.h"
#include "xen/core/timer.h"

static struct clock_rates rates;

static void legacy_pic_off(void)
{
    outb(0x20, 0x11), outb(0xa0, 0x11);     /* vectors 0x20-0x2f, in case one is pending */
    outb(0x21, 0x20), outb(0xa1, 0x28);
    outb(0x21, 4), outb(0xa1, 2);
    outb(0x21, 1), outb(0xa1, 1);
    outb(0x21, 0xff), outb(0xa1, 0xff);
}

/* The 8259 goes off while its interrupt still reaches the CPU: QEMU would leave one pending
 * that no device has raised. */
void clock_init(const struct madt_cpu *pins)
{
    legacy_pic_off();
    lapic_init(pins);
    rates = calibrate();
    lapic_start_timer();
}

void clock_log(void)
{
    const struct clock_rates *r = &rates;

    if (r->by_cpuid)
        log_debug("TSC: %lu Hz by CPUID, %lu by the PIT", r->cpuid_hz, r->pit_hz);
    else if (r->cpuid_hz != 0)
        log_warning("TSC: %lu Hz by the PIT, which is used, but %lu by CPUID", r->pit_hz,
                    r->cpuid_hz);
    else
        log_debug("TSC: %lu Hz by the PIT, to within %lu ppm", r->pit_hz, r->ppm);
}

uint64_t arch_tsc_hz(void)
{
    return rates.tsc_hz;
}

/* The counter has 32 bits: for a later deadline the interrupt comes too early, and timers_run
 * programs the rest. */
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
        ticks = (ticks * rates.lapic_per_tsc >> 32) + 1;
        if (ticks > ~0u)
            ticks = ~0u;
    }
    lapic_write(LAPIC_TIMER_INITIAL, (uint32_t)ticks);
}

void handle_timer_interrupt(void);
void handle_device_interrupt(unsigned vector);

void handle_timer_interrupt(void)
{
    lapic_write(LAPIC_EOI, 0);
    timers_run();
    log_noted_events();
}

/* No domain may own the interrupt: the firmware left it pending, or its function was taken back. A
 * pin whose level stays is masked before the end of the interrupt, at which it would come again. */
void handle_device_interrupt(unsigned vector)
{
    device_interrupt(vector);
    lapic_write(LAPIC_EOI, 0);
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

/* The hour is 0..23, or 1..12 with a flag for the afternoon, by bit 1 of register B. */
static unsigned cmos_hour(bool binary)
{
    unsigned raw = cmos(4), v = raw & 0x7f;

    v = binary ? v : (v >> 4) * 10 + (v & 15);
    return cmos(0xb) & 2 ? v : v % 12 + (raw & 0x80 ? 12 : 0);
}

/* Seconds since 1970, UTC; 0: there is no such clock. The years are 2000..2099, as the register of
 * the century differs between machines. */
static uint64_t cmos_seconds(void)
{
    static const unsigned short days_before[12] = { 0, 31, 59, 90, 120, 151,
                                                    181, 212, 243, 273, 304, 334 };
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
    /* 10957 days from 1970 to 2000; from 2000 on every fourth year has a 29 February. */
    days = 10957 + 365ull * year + (year + 3) / 4 + days_before[month - 1] + day - 1;
    if (year % 4 == 0 && month > 2)
        days++;
    return ((days * 24 + hour) * 60 + min) * 60 + sec;
}

/* The date that the firmware's clock had when the hypervisor was started, plus the time since, by
 * the TSC. */
static uint64_t firmware_seconds(void)
{
    return boot_info.date != 0 ? boot_info.date + (arch_tsc() - boot_info.tsc) / rates.tsc_hz : 0;
}

uint64_t arch_wallclock_seconds(void)
{
    bool cmos_first = options.wallclock == WALLCLOCK_CMOS ||
                      (options.wallclock == WALLCLOCK_AUTO && !acpi_no_cmos());
    uint64_t seconds = cmos_first ? cmos_seconds() : 0;

    return seconds != 0 || options.wallclock == WALLCLOCK_CMOS ? seconds : firmware_seconds();
}
