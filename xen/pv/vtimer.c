/* Owns the timers a guest sees: the one-shot and the periodic timer of each vCPU, both of which raise
 * VIRQ_TIMER. vcpu_op.c and set_timer_op set them; the scheduler says when a vCPU starts and stops to run.
 *
 * The periodic timer is a tick of the running vCPU: it stops with it, wakes nobody, and a tick that was
 * missed is sent when the vCPU runs again. Every vCPU begins with 100 Hz, as the ABI's first guests
 * expected. */
#include "arch/arch.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/hypercalls.h"
#include "xen/core/sched.h"
#include "xen/core/time.h"

#define MS 1000000ull
#define DEFAULT_PERIOD_NS (10 * MS)
#define SHORTEST_PERIOD_NS MS
#define LONGEST_PERIOD_NS (UINT64_MAX >> 2)

static void singleshot_fired(void *arg)
{
    send_guest_virq(arg, VIRQ_TIMER);
}

static void periodic_tick(struct vcpu *v, uint64_t now)
{
    if (now - v->periodic_last >= v->periodic_ns) {
        v->periodic_last = now;
        send_guest_virq(v, VIRQ_TIMER);
    }
    timer_set(&v->periodic, v->periodic_last + v->periodic_ns);
}

static void periodic_fired(void *arg)
{
    periodic_tick(arg, now_ns());
}

static void poll_fired(void *arg)
{
    vcpu_wake(arg);
}

void vcpu_timers_init(struct vcpu *v)
{
    timer_init(&v->singleshot, singleshot_fired, v);
    timer_init(&v->periodic, periodic_fired, v);
    timer_init(&v->poll, poll_fired, v);
    v->periodic_ns = DEFAULT_PERIOD_NS;
}

/* Nobody listens before VIRQ_TIMER is bound, and most guests stop the tick before that. */
void vcpu_timers_in(struct vcpu *v, uint64_t now)
{
    if (unlikely(v->periodic_ns != 0) && v->virq_port[VIRQ_TIMER] != 0)
        periodic_tick(v, now);
}

void vcpu_timers_out(struct vcpu *v)
{
    if (unlikely(v->periodic_ns != 0))
        timer_cancel(&v->periodic);
}

int vcpu_set_periodic(struct vcpu *v, uint64_t period_ns)
{
    uint64_t now = now_ns();

    if (period_ns != 0 && (period_ns < SHORTEST_PERIOD_NS || period_ns > LONGEST_PERIOD_NS))
        return -EINVAL;
    timer_cancel(&v->periodic);
    v->periodic_ns = period_ns;
    v->periodic_last = now;
    if (v->cpu->running == v)
        vcpu_timers_in(v, now);
    return 0;
}

/* Old guests know this form only. A time that is negative or some thirteen days away is a wrapped counter,
 * or stands for "nothing to do"; both are served by a look again soon, which is what Xen does. */
long do_set_timer_op(int64_t timeout)
{
    struct vcpu *v = current;
    uint64_t deadline = (uint64_t)timeout, now;

    if (timeout == 0) {
        timer_cancel(&v->singleshot);
        return 0;
    }
    now = now_ns();
    if (timeout < 0 || (deadline > now && deadline - now >= 1ull << 50))
        deadline = now + 100 * MS;
    timer_set(&v->singleshot, deadline);
    return 0;
}
