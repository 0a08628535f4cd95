/* set_timer_op: the one-shot timer of the calling vCPU (core/vtimer.c). */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/pv/hypercalls.h"

#define MS 1000000ull

/* Old guests use this form only. A time that is negative or more than some thirteen days away
 * may be a wrapped counter, or mean "no deadline"; as on Xen, the timer then fires soon, and the
 * guest sets it again. */
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
