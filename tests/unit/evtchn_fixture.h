/* Two guests, a of two vCPUs and b of one, and event channel operations by a's first vCPU.
 * Included by test_evtchn.c and test_fifo.c. */
#ifndef EVTCHN_FIXTURE_H
#define EVTCHN_FIXTURE_H

#include "support.h"
#include "xen/core/domain.h"

static struct domain *a, *b;

static int make_two_guests(void)
{
    a = guest_make(1, 2);
    b = guest_make(2, 1);
    assert_true(a != NULL && b != NULL);
    host_become(a->vcpu[0]);
    return 0;
}

static inline int two_guests(void **state)
{
    machine_up(state);
    return make_two_guests();
}

/* Where audits take little time: for a test that makes thousands of them. */
static inline int two_low_guests(void **state)
{
    low_machine_up(state);
    return make_two_guests();
}

static long op(unsigned cmd, void *arg, size_t len)
{
    return hcall_struct(__HYPERVISOR_event_channel_op, cmd, arg, len);
}
#define OP(cmd, s) op(EVTCHNOP_##cmd, &(s), sizeof(s))

#endif
