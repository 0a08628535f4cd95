/* What a tick is: the trace's clock in integers, and how long something took in words. Called by
 * the outputs. */
#include "tools/pvtrace/pvtrace.h"

#define ASSUMED_HZ 2400000000u          /* without a clock in the trace, as Xen's readers do */
#define NSEC 1000000000u

uint64_t clock_hz(const struct clock_info *c)
{
    return c->hz != 0 ? c->hz : ASSUMED_HZ;
}

int64_t clock_ns(const struct clock_info *c, uint64_t ticks)
{
    unsigned __int128 ns = (unsigned __int128)ticks * NSEC / clock_hz(c);

    return ns / NSEC < INT64_MAX / NSEC ? (int64_t)ns : INT64_MAX;
}

int64_t clock_time(const struct clock_info *c, uint64_t tsc)
{
    return tsc >= c->zero ? clock_ns(c, tsc - c->zero) : -clock_ns(c, c->zero - tsc);
}

int64_t clock_between(const struct clock_info *c, uint64_t from, uint64_t to)
{
    int64_t ns;

    if (__builtin_sub_overflow(clock_time(c, to), clock_time(c, from), &ns))
        return to >= from ? INT64_MAX : -INT64_MAX;
    return ns;
}

double ticks_to_seconds(const struct clock_info *c, uint64_t ticks)
{
    return (double)ticks / (double)clock_hz(c);
}

void text_took(struct text *t, const struct clock_info *c, bool instructions, uint64_t ticks)
{
    int64_t ns = clock_ns(c, ticks);

    if (instructions) {
        text_add(t, "%lu insn", ticks);
    } else if (ns < 1000) {
        text_add(t, "%ld ns", ns);
    } else if (ns < NSEC) {
        text_fixed(t, ns < 1000000 ? ns : ns / 1000, 3);
        text_str(t, ns < 1000000 ? " us" : " ms");
    } else {
        text_fixed(t, ns / 1000, 6);
        text_str(t, " s");
    }
}
