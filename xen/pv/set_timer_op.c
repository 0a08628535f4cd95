/* set_timer_op: the one-shot timer of the calling vCPU. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/pv/hypercalls.h"

#define MS 1000000ull

/* Old guests know this form only. A time that is negative or some thirteen days away is a
 * wrapped counter, or stands for "nothing to do"; both are served by a look again soon, which is
 * what Xen does. */
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
