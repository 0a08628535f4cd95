/* Calls the hypervisor's code that clock.smt2 and timers.smt2 model. The clock stands still
 * unless a call sets it. */
#include "hooks.h"
#include "tie.h"
#include "xen/core/time.h"
#include "xen/core/vtimer.h"
#include "xen/pv/hypercalls.h"

uint64_t inverse(uint32_t mul, int shift);

#define EVERYDAY_HZ 1000000000ull               /* a tick is a nanosecond */
#define MOST_HZ 10000000000ull
#define LEAST_HZ 1000000ull

static void start_clock(uint64_t hz)
{
    host.tsc_step = 0;
    if (hooks.tsc_hz == hz && tsc_at_boot() == 1)
        return;
    hooks.tsc_hz = hz;
    host.tsc = 1;
    time_init();
    time_update_vcpu(guest->vcpu[0]);
}

/* Any rate of the TSC as the guest gets it: what ticks are multiplied with and divided by, and the
 * multiplier. */
static int shape_scale(uint64_t *scale)
{
    const struct vcpu_time_info *t = &guest->vcpu[0]->info->time;

    start_clock(scale[2] % 4 ? LEAST_HZ + scale[2] % (MOST_HZ - LEAST_HZ) : hooks.tsc_hz);
    scale[0] = t->tsc_shift > 0 ? 1ull << t->tsc_shift : 1;
    scale[1] = t->tsc_shift < 0 ? 1ull << -t->tsc_shift : 1;
    scale[2] = t->tsc_to_system_mul;
    return t->tsc_shift;
}

static void shape_ticks_to_ns(uint64_t *a)
{
    shape_scale(&a[1]);
    a[0] /= a[1];
}

static uint64_t call_ticks_to_ns(const uint64_t *a)
{
    return tsc_to_ns(tsc_at_boot() + a[0]);
}

static int shift_of(uint64_t up, uint64_t down)
{
    return down > 1 ? -__builtin_ctzll(down) : __builtin_ctzll(up);
}

static void shape_inverse(uint64_t *a)
{
    unsigned shift = a[0] % 15;

    a[0] = shift < 11 ? 1ull << shift : 1;
    a[1] = shift < 11 ? 1 : 2ull << (shift - 11);
    a[2] = 1u << 31 | (uint32_t)a[2];
}

static uint64_t call_inverse(const uint64_t *a)
{
    return inverse((uint32_t)a[2], shift_of(a[0], a[1]));
}

static void shape_ns_to_tsc(uint64_t *a)
{
    uint64_t wait = a[0] >> a[1] % 64, scale[3] = { 0, 0, a[3] ^ a[4] }, ticks;
    int shift = shape_scale(scale);

    a[3] = inverse((uint32_t)scale[2], shift);
    a[4] = scale[1];
    ticks = (uint64_t)((unsigned __int128)wait * a[3] >> 32) + scale[1];
    if (a[2] % 4 == 0)
        a[2] = ~0ull - ticks + a[2] / 4 % 4 - 1;
    else if (a[2] % 4 == 1)
        a[2] >>= 8;
    host.tsc = a[2];
    a[1] = now_ns();
    a[0] = a[1] + wait - (a[0] % 8 == 0);
}

static uint64_t call_ns_to_tsc(const uint64_t *a)
{
    host.tsc = a[2];
    return ns_to_tsc(a[0]);
}

static void shape_timer_deadline(uint64_t *a)
{
    start_clock(EVERYDAY_HZ);
    a[1] &= ~0ull >> 1;
    a[0] = a[0] ? a[0] : 1;
}

static uint64_t call_timer_deadline(const uint64_t *a)
{
    struct vcpu *v = guest->vcpu[0];
    uint64_t deadline;

    host.tsc = tsc_at_boot() + a[1];
    do_set_timer_op((int64_t)a[0]);
    deadline = v->singleshot.deadline_ns;
    do_set_timer_op(0);
    return deadline;
}

static uint64_t call_period_ok(const uint64_t *a)
{
    struct vcpu *v = guest->vcpu[0];
    bool ok = vcpu_set_periodic(v, a[0]) == 0;

    vcpu_set_periodic(v, 0);
    return ok;
}

const struct real reals_times[] = {
    { "ticks_to_ns", call_ticks_to_ns, shape_ticks_to_ns, 0 },
    { "inverse", call_inverse, shape_inverse, 0 },
    { "ns_to_tsc", call_ns_to_tsc, shape_ns_to_tsc, 0 },
    { "timer_deadline", call_timer_deadline, shape_timer_deadline, 0 },
    { "period_ok", call_period_ok, NULL, 0 },
    { .name = NULL },
};
