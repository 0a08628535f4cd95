/* The timers of a vCPU: one-shot, periodic, and that of SCHEDOP_poll. The first two send
 * VIRQ_TIMER, through the hook vcpu_timer_fired. Set by vcpu_op, set_timer_op and sched_op in pv/;
 * the scheduler calls vcpu_timers_in and _out when a vCPU starts and stops to run.
 *
 * The periodic timer runs only while its vCPU runs: it does not wake a blocked vCPU, and a tick
 * that was missed is sent when the vCPU runs again. So only the CPU that runs the vCPU sets it:
 * another CPU that changes the period leaves WORK_TIMERS, which the vCPU does at its next exit to
 * the guest. A new vCPU has a period of 10 ms, as in Xen. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/sched.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/vtimer.h"

#define MS 1000000ull
#define DEFAULT_PERIOD_NS (10 * MS)
#define SHORTEST_PERIOD_NS MS
#define LONGEST_PERIOD_NS (UINT64_MAX >> 2)

void (*vcpu_timer_fired)(struct vcpu *v);

static void singleshot_fired(void *arg)
{
    vcpu_timer_fired(arg);
}

/* Another vCPU may stop the timer meanwhile: with a period of 0 it would fire again and again. */
static void periodic_tick(struct vcpu *v, uint64_t now)
{
    uint64_t period = READ_ONCE(v->periodic_ns), last = READ_ONCE(v->periodic_last);

    if (period == 0)
        return;
    if (now - last >= period) {
        last = now;
        WRITE_ONCE(v->periodic_last, now);
        vcpu_timer_fired(v);
    }
    timer_set(&v->periodic, last + period);
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

/* Before VIRQ_TIMER is bound no tick can be delivered, and most guests stop the periodic timer
 * before they bind it. */
void vcpu_timers_in(struct vcpu *v, uint64_t now)
{
    if (unlikely(v->periodic_ns != 0) && READ_ONCE(v->virq_port[VIRQ_TIMER]) != 0)
        periodic_tick(v, now);
}

void vcpu_timers_out(struct vcpu *v)
{
    if (unlikely(timer_armed(&v->periodic)))
        timer_cancel(&v->periodic);
}

void vcpu_timers_work(void)
{
    timer_cancel(&current->periodic);
    vcpu_timers_in(current, now_ns());
}

void vcpu_timers_changed(struct vcpu *v)
{
    if (v == current) {
        vcpu_timers_work();
        return;
    }
    ask_work(v, WORK_TIMERS);
    vcpu_kick(v);
}

int vcpu_set_periodic(struct vcpu *v, uint64_t period_ns)
{
    if (period_ns != 0 && (period_ns < SHORTEST_PERIOD_NS || period_ns > LONGEST_PERIOD_NS))
        return -EINVAL;
    WRITE_ONCE(v->periodic_last, now_ns());
    WRITE_ONCE(v->periodic_ns, period_ns);
    vcpu_timers_changed(v);
    return 0;
}
