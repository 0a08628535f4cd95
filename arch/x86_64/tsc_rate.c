/* The rate of the TSC, from CPUID, or computed from readings of the PIT. The readings themselves,
 * and which of the two rates is used, are calibrate.c's, which calls this. Plain C: the unit tests
 * call it too. */
#include "arch/x86_64/tsc_rate.h"

enum { EAX, EBX, ECX, EDX };
#define CRYSTAL_LEAF 0x15u
#define HYPERVISOR_LEAF 0x40000000u
#define TIMING_LEAF 0x40000010u
#define HYPERVISOR_LEAVES 0x100u
#define HZ_MIN 100000000ll              /* what is beyond is no rate of a TSC */
#define HZ_MAX 20000000000ll

/* Leaf 0x15 (SDM vol. 2, CPUID): the crystal's rate in Hz in ECX, and the TSC's by it, EBX/EAX.
 * Where ECX is 0 the CPU does not say it. Leaf 0x16 is not used: it has the rate by the CPU's
 * specification, a round number from which the actual one may differ by tenths of a per cent. */
static uint64_t by_crystal(cpuid_fn cpuid)
{
    uint32_t out[4];

    cpuid(0, 0, out);
    if (out[EAX] < CRYSTAL_LEAF)
        return 0;
    cpuid(CRYSTAL_LEAF, 0, out);
    return out[EAX] != 0 ? (uint64_t)out[ECX] * out[EBX] / out[EAX] : 0;
}

/* What a hypervisor below says, in kHz in EAX (as VMware defined it; KVM and others have it). */
static uint64_t by_hypervisor(cpuid_fn cpuid)
{
    uint32_t out[4];

    cpuid(1, 0, out);
    if (!(out[ECX] >> 31))
        return 0;
    cpuid(HYPERVISOR_LEAF, 0, out);
    if (out[EAX] < TIMING_LEAF || out[EAX] >= HYPERVISOR_LEAF + HYPERVISOR_LEAVES)
        return 0;
    cpuid(TIMING_LEAF, 0, out);
    return out[EAX] * 1000ull;
}

/* A hypervisor may let the CPU's own leaf 0x15 through, though its guest's TSC has another rate: so
 * what it says itself goes first. */
uint64_t tsc_hz_by_cpuid(cpuid_fn cpuid)
{
    uint64_t hz = by_hypervisor(cpuid);

    if (hz == 0)
        hz = by_crystal(cpuid);
    return hz >= HZ_MIN && hz <= HZ_MAX ? hz : 0;
}

/* TSC ticks with 16 bits behind the point, from the `before` of a group's first reading. */
struct edge {
    int64_t low, high;
};

static uint64_t ticks_between(const struct pit_reading *from, const struct pit_reading *to)
{
    return (uint16_t)(from->count - to->count);
}

/* When did the PIT begin to show the count of the group's first reading? Each reading gives bounds
 * for that: the PIT showed this one's count at an instant between before and after, and began to
 * show it at most one of its ticks earlier. All of them together give narrow bounds, because the
 * readings are not in step with the PIT's ticks. A reading that took long gives wide bounds, and so
 * does no harm. per_tick: TSC ticks per tick of the PIT, with 16 bits behind the point. */
static struct edge edge_of(const struct pit_reading *r, uint64_t per_tick)
{
    struct edge e = { INT64_MIN, INT64_MAX };

    for (unsigned i = 0; i < PIT_READINGS; i++) {
        int64_t since = (int64_t)(ticks_between(r, &r[i]) * per_tick),
                low = (int64_t)((r[i].before - r->before) << 16) - since - (int64_t)per_tick,
                high = (int64_t)((r[i].after - r->before) << 16) - since;

        e.low = MAX(e.low, low);
        e.high = MIN(e.high, high);
    }
    return e;
}

/* With 16 bits behind the point. Nonsense is brought into the range that a TSC can have. */
static uint64_t ticks_per_tick(int64_t apart, uint64_t ticks)
{
    int64_t rate = apart / (int64_t)ticks;

    return (uint64_t)MAX(MIN(rate, (HZ_MAX << 16) / PIT_HZ), (HZ_MIN << 16) / PIT_HZ);
}

static uint64_t width(struct edge e)
{
    return (uint64_t)(e.high > e.low ? e.high - e.low : e.low - e.high);
}

/* The bounds need the rate itself. The first one, by the two groups' first readings, is wrong by no
 * more than some tenths of a per cent, and each round makes the error smaller by a factor of ten or
 * more, as a group takes a small part of the time between the two. */
uint64_t tsc_hz_by_pit(const struct pit_reading *first, const struct pit_reading *last,
                       uint64_t *ppm)
{
    uint64_t ticks = MAX(ticks_between(first, last), 1ul), per_tick;
    int64_t apart = (int64_t)((last->before - first->before) << 16);

    per_tick = ticks_per_tick(apart, ticks);
    for (unsigned round = 0; round < 4; round++) {
        struct edge a = edge_of(first, per_tick), b = edge_of(last, per_tick);
        int64_t middle_a = a.low + (a.high - a.low) / 2, middle_b = b.low + (b.high - b.low) / 2;

        per_tick = ticks_per_tick(apart + middle_b - middle_a, ticks);
        *ppm = (width(a) + width(b)) / 2 / ((uint64_t)apart / 1000000 + 1) + 1;
    }
    return per_tick * PIT_HZ >> 16;
}
