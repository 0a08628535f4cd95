/* Calls the hypervisor's code that time.smt2 models. The clock stands still but where a tie moves
 * it. */
#include "hooks.h"
#include "tie.h"
#include "xen/core/time.h"
#include "xen/core/vtimer.h"
#include "xen/pv/hypercalls.h"

#define EVERYDAY_HZ 1000000000ull               /* a tick is a nanosecond */

static void start_clock(uint64_t hz)
{
    host.tsc_step = 0;
    if (hooks.tsc_hz == hz && tsc_at_boot() == 1)
        return;
    hooks.tsc_hz = hz;
    host.tsc = 1;
    time_init();
}

/* Any rate from 1 MHz to 10 GHz; what a nanosecond has of ticks shows in a wait of 2^32 of them. */
static void shape_ns_to_tsc(uint64_t *a)
{
    uint64_t wait, ticks;

    start_clock(1000000 + a[3] % (10000 * 1000000ull));
    host.tsc = 1;
    a[3] = ns_to_tsc(1ull << 32) - 2;
    wait = a[0] >> a[1] % 64;
    ticks = (uint64_t)((unsigned __int128)wait * a[3] >> 32);
    if (a[2] % 4 == 0)
        a[2] = ~0ull - ticks - a[2] / 4 % 4;
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
    { "ns_to_tsc", call_ns_to_tsc, shape_ns_to_tsc, 0 },
    { "timer_deadline", call_timer_deadline, shape_timer_deadline, 0 },
    { "period_ok", call_period_ok, NULL, 0 },
    { .name = NULL },
};
