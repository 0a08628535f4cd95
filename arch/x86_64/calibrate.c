/* Measures the rates of the TSC and of the local APIC's timer at boot, by the PIT. How a rate
 * follows from the readings is tsc_rate.c's. Called by clock.c.
 *
 * Guests wait for this, so it ends as soon as the rate is known to within AIM_PPM, or after
 * LONGEST. What guests do with the rate: a Linux that follows other computers' time corrects its
 * own by up to 500 ppm. If CPUID says what the TSC's rate is, that is more exact than what is
 * measured, which then only confirms it: so it need not take long. */
#include "arch/x86_64/calibrate.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/lapic.h"
#include "arch/x86_64/tsc_rate.h"
#include "xen/core/bug.h"

#define AIM_PPM 50u
/* In ticks of the PIT. */
#define STEP 1193u                      /* 1 ms: the shortest time measured, and what is added */
#define LONGEST 5966u                   /* 5 ms */
#define CONFIRM 239u                    /* 0.2 ms */
#define TRIES 20u
#define SECONDS (1ull << 33)            /* some, in TSC ticks */
#define CONFIRM_MAX (1ull << 26)        /* 10 ms or more */

struct group {
    struct pit_reading reading[PIT_READINGS];
};

/* What the readings have in common. */
struct readings {
    struct pit_reading latest;
    uint64_t gap;                       /* the longest time between two in a row */
};

/* The command latches the count; the two reads give it. */
static struct pit_reading read_pit(void)
{
    struct pit_reading r;

    r.before = arch_tsc();
    outb(0x43, 0x80);
    r.after = arch_tsc();
    r.count = inb(0x42);
    r.count |= (uint16_t)(inb(0x42) << 8);
    return r;
}

static struct pit_reading read_next(struct readings *all)
{
    struct pit_reading r = read_pit();

    all->gap = MAX(all->gap, r.before - all->latest.before);
    all->latest = r;
    return r;
}

static void read_group(struct group *g, struct readings *all)
{
    for (unsigned i = 0; i < PIT_READINGS; i++)
        g->reading[i] = read_next(all);
}

/* Reads the PIT until so many ticks have passed since the first reading. False: it does not count
 * (some chipsets stop it). */
static bool wait_for(const struct pit_reading *first, unsigned ticks, uint64_t patience,
                     struct readings *all)
{
    struct pit_reading now;

    do {
        now = read_next(all);
        if (now.before - first->before > patience && now.count == first->count)
            return false;
    } while ((uint16_t)(first->count - now.count) < ticks);
    return true;
}

/* The PIT wraps after 55 ms. If a hypervisor below stops this CPU for longer, the number of wraps
 * is unknown. So no time between two readings in a row may be as long as half of what is measured;
 * else all is measured again. False: the PIT does not count. */
static bool measure(struct clock_rates *rates, bool confirm)
{
    unsigned ticks = confirm ? CONFIRM : STEP;
    struct group first, last;

    for (unsigned tries = 0; tries < TRIES; tries++) {
        struct readings all = { .latest = read_pit() };

        read_group(&first, &all);
        do {
            if (!wait_for(first.reading, ticks, confirm ? CONFIRM_MAX : SECONDS, &all))
                return false;
            read_group(&last, &all);
            rates->pit_hz = tsc_hz_by_pit(first.reading, last.reading, &rates->ppm);
            ticks += STEP;
        } while (!confirm && rates->ppm > AIM_PPM && ticks <= LONGEST);
        if (all.gap < (last.reading->before - first.reading->before) / 2)
            break;
        ticks = STEP;
    }
    return true;
}

/* The two are taken as the same if they differ by less than 1 %. */
static bool agree(uint64_t a, uint64_t b)
{
    return (a > b ? a - b : b - a) < a / 100;
}

struct apic_sample {
    uint64_t tsc;
    uint32_t count;
};

/* Of four tries the one that took least, for a hypervisor below may stop this CPU in between. */
static struct apic_sample read_apic(void)
{
    struct apic_sample best = { 0 };
    uint64_t width = ~0ull;

    for (unsigned i = 0; i < 4; i++) {
        uint64_t before = arch_tsc();
        uint32_t count = lapic_read(LAPIC_TIMER_CURRENT);
        uint64_t after = arch_tsc();

        if (after - before >= width)
            continue;
        width = after - before;
        best = (struct apic_sample){ before + width / 2, count };
    }
    return best;
}

/* Channel 2 counts down from FFFFh, both bytes, mode 0; the speaker is off. It begins at its next
 * tick: until then it is read once for nothing. */
static void start_pit(void)
{
    outb(0x61, (uint8_t)((inb(0x61) & ~2u) | 1));
    outb(0x43, 0xb0);
    outb(0x42, 0xff), outb(0x42, 0xff);
    (void)read_pit();
}

static void measure_tsc(struct clock_rates *rates)
{
    bool counts = measure(rates, rates->cpuid_hz != 0);

    rates->by_cpuid = rates->cpuid_hz != 0 && (!counts || agree(rates->cpuid_hz, rates->pit_hz));
    if (rates->cpuid_hz != 0 && !rates->by_cpuid)
        counts = measure(rates, false);
    if (!counts && !rates->by_cpuid)
        panic("The PIT does not count: no clock to measure the TSC by");
    rates->tsc_hz = rates->by_cpuid ? rates->cpuid_hz : rates->pit_hz;
}

static void read_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    arch_cpuid(leaf, subleaf, out);
}

struct clock_rates calibrate(void)
{
    struct clock_rates rates = { .cpuid_hz = tsc_hz_by_cpuid(read_cpuid) };
    struct apic_sample from, to;

    start_pit();
    lapic_write(LAPIC_TIMER_INITIAL, ~0u);
    from = read_apic();
    measure_tsc(&rates);
    to = read_apic();
    lapic_write(LAPIC_TIMER_INITIAL, 0);
    rates.lapic_per_tsc = ((uint64_t)(from.count - to.count) << 32) / (to.tsc - from.tsc);
    return rates;
}
