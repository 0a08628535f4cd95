/* A guest with vCPUs and a port for its timer, on a clock that the test sets. Included by
 * test_sched_op.c and test_vcpu_op.c. */
#ifndef SCHED_FIXTURE_H
#define SCHED_FIXTURE_H

#include <string.h>
#include "support.h"
#include "xen/core/domain.h"
#include "xen/core/timer.h"

#define MS 1000000ull

static struct domain *g;
static struct vcpu *v;

static inline int one_guest(void **state)
{
    (void)state;
    g = guest_up(3);
    v = g->vcpu[0];
    return 0;
}

static inline evtchn_port_t timer_port(unsigned vcpu)
{
    struct evtchn_bind_virq b = { .virq = VIRQ_TIMER, .vcpu = vcpu };

    assert_int_equal(hcall_struct(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &b, sizeof(b)),
                     0);
    return b.port;
}
#define with_guest(test) cmocka_unit_test_setup_teardown(test, one_guest, machine_down)

#endif
