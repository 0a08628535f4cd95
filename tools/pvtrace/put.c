/* Owns how times and vCPUs look in the text outputs, and the table of vCPUs they keep their state in. */
#include "tools/pvtrace/put.h"

#include <string.h>

#define ASSUMED_HZ 2400000000u      /* without a clock in the trace, as Xen's readers do */
#define NSEC 1000000000u

struct span clock_span(const struct clock_info *c, uint64_t ticks)
{
    uint64_t hz = c->hz != 0 ? c->hz : ASSUMED_HZ, rest = ticks % hz;
    struct span s = { .seconds = ticks / hz };

    if (hz <= UINT64_MAX / NSEC)
        s.nanoseconds = (uint32_t)(rest * NSEC / hz);
    else
        s.nanoseconds = (uint32_t)((unsigned __int128)rest * NSEC / hz);
    return s;
}

double ticks_to_seconds(const struct clock_info *c, uint64_t ticks)
{
    return (double)ticks / (double)(c->hz != 0 ? c->hz : ASSUMED_HZ);
}

static void put_fraction(struct text *t, uint32_t n, unsigned width)
{
    char digits[10];

    digits[0] = '.';
    for (unsigned i = width; i > 0; i--, n /= 10)
        digits[i] = (char)('0' + n % 10);
    text_put(t, digits, width + 1);
}

void put_span(struct text *t, struct span s)
{
    text_dec(t, s.seconds);
    put_fraction(t, s.nanoseconds, 9);
}

void put_vcpu(struct text *t, struct vcpu_id v)
{
    if (v.domid == DOMID_NOBODY) {
        text_put(t, "idle", 4);
    } else if (v.domid == DOMID_UNKNOWN) {
        text_put(t, "?", 1);
    } else {
        text_put(t, "d", 1);
        text_dec(t, v.domid);
        text_put(t, "v", 1);
        text_dec(t, v.vcpu);
    }
}

void put_took(struct text *t, const struct clock_info *c, bool instructions, uint64_t ticks)
{
    struct span s = clock_span(c, ticks);

    if (instructions) {
        text_dec(t, ticks);
        text_put(t, " insn", 5);
    } else if (s.seconds != 0) {
        text_dec(t, s.seconds);
        put_fraction(t, s.nanoseconds / 1000, 6);
        text_put(t, " s", 2);
    } else if (s.nanoseconds < 1000) {
        text_dec(t, s.nanoseconds);
        text_put(t, " ns", 3);
    } else {
        bool micro = s.nanoseconds < 1000000;
        uint32_t unit = micro ? 1000 : 1000000;

        text_dec(t, s.nanoseconds / unit);
        put_fraction(t, s.nanoseconds % unit / (unit / 1000), 3);
        text_put(t, micro ? " us" : " ms", 3);
    }
}

#define PROBES 8u
static const struct vcpu_id free_key = { UINT16_MAX, UINT16_MAX };

static unsigned home(unsigned n, struct vcpu_id v)
{
    return (((uint32_t)v.domid << 16 | v.vcpu) * 2654435761u >> 12) & (n - 1);
}

/* Nothing is ever taken out, so the first free place ends the search. */
int vcpu_slot_find(const struct vcpu_id *keys, unsigned n, struct vcpu_id v)
{
    for (unsigned i = 0, at = home(n, v); i < PROBES; i++, at = (at + 1) & (n - 1)) {
        if (same_vcpu(keys[at], v))
            return (int)at;
        if (same_vcpu(keys[at], free_key))
            break;
    }
    return -1;
}

unsigned vcpu_slot(const struct vcpu_id *keys, unsigned n, struct vcpu_id v, bool *evicts)
{
    int found = vcpu_slot_find(keys, n, v);
    unsigned at = home(n, v);

    *evicts = false;
    if (found >= 0)
        return (unsigned)found;
    for (unsigned i = 0; i < PROBES; i++, at = (at + 1) & (n - 1))
        if (same_vcpu(keys[at], free_key))
            return at;
    *evicts = true;
    return home(n, v);
}

void vcpu_slots_clear(struct vcpu_id *keys, unsigned n)
{
    memset(keys, 0xff, n * sizeof(*keys));
}
