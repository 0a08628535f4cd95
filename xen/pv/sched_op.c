/* sched_op: yield, block, poll, shutdown and watchdog timers. The scheduler is in core/sched.c;
 * the end of a domain in core/domain.c. Called by the generated dispatch (common/abi.def). */
#include "arch/arch.h"
#include "common/trace_format.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/guest_access.h"
#include "xen/core/guest_log.h"
#include "xen/core/lock.h"
#include "xen/core/log.h"
#include "xen/core/sched.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/trace.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/domid.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/sched_op.h"

#define MAX_POLL_PORTS 128u
#define WORK_PER_PORT 100u              /* to check one port */
#define NS_PER_SECOND 1000000000ull

/* A guest that yields or blocks may wait for room in its console ring, or has finished a line:
 * read its output. */
static inline void drain_console(struct domain *d)
{
    const struct xencons_interface *ring = d->console_ring;

    if (ring != NULL && READ_ONCE(ring->out_prod) != ring->out_cons)
        console_drain(d);
}

long sched_op_yield(void)
{
    drain_console(current->domain);
    TRACE(TRACE_SCHED, TRC_SCHED_YIELD, current->domain->id, current->id);
    schedule_behind();
    return 0;
}

long sched_op_block(void)
{
    struct vcpu *v = current;

    drain_console(v->domain);
    v->info->evtchn_upcall_mask = 0;
    TRACE(TRACE_SCHED, TRC_SCHED_BLOCK, v->domain->id, v->id);
    vcpu_block();
    return 0;
}

/* Any 8-bit value is accepted as the reason. A reason that SCHEDOP_shutdown_code set before is
 * the one reported. */
static long shutdown_with(uint8_t reason)
{
    struct domain *d = current->domain;

    domain_shutdown(d, domain_end_code(d, reason));
    return 0;
}

long sched_op_shutdown(const struct sched_shutdown *op)
{
    return shutdown_with((uint8_t)op->reason);
}

long sched_op_shutdown_code(const struct sched_shutdown *op)
{
    uint16_t none = 0;

    (void)try_cmpxchg(&current->domain->noted_reason, &none, (uint8_t)op->reason + 1u);
    return 0;
}

/* 1: one of the ports is pending; 0: none is. *last: the last port checked; if 1 is returned,
 * the pending one. */
static int find_pending_port(struct domain *d, uint64_t va, unsigned nr, evtchn_port_t *last)
{
    for (; nr != 0; nr--, va += sizeof(*last)) {
        if (copy_from_guest(last, va, sizeof(*last)) != 0)
            return -EFAULT;
        if (!evtchn_port_valid(d, *last))
            return -EINVAL;
        if (evtchn_port_pending(d, *last))
            return 1;
    }
    return 0;
}

/* Is blocked and sets its bit before it checks the ports, so that an event in between is not
 * missed: the sender sets the port's bit, and then looks at the pollers. Linux waits so for its
 * spinlocks, on a masked port and without a timeout. */
long sched_op_poll(const struct sched_poll *op)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    evtchn_port_t port = 0;
    int rc;

    if (op->nr_ports > MAX_POLL_PORTS)
        return -EINVAL;
    WRITE_ONCE(v->poll_port, POLL_SEVERAL);
    WRITE_ONCE(v->blocked, true);
    locked_or(&d->poll_mask, 1u << v->id);
    count_work(op->nr_ports * WORK_PER_PORT);
    rc = find_pending_port(d, (uint64_t)op->ports.p, op->nr_ports, &port);
    if (rc != 0) {
        WRITE_ONCE(v->blocked, false);
    } else {
        if (op->nr_ports == 1)
            WRITE_ONCE(v->poll_port, port);
        if (op->timeout != 0)
            timer_set(&v->poll, (int64_t)op->timeout < 0 ? 0 : op->timeout);
        vcpu_block_woken();
        timer_cancel(&v->poll);
    }
    locked_and(&d->poll_mask, ~(1u << v->id));
    v->poll_port = 0;
    return rc < 0 ? rc : 0;
}

/* Another domain may be named, but only a privileged domain may shut it down. */
long sched_op_remote_shutdown(const struct sched_remote_shutdown *op)
{
    int rc = check_domid(op->domain_id, NAMES_OWN_NUMBER);

    return rc != 0 ? rc : -EPERM;
}

static void watchdog_fired(void *arg)
{
    struct domain *d = arg;

    guest_log(d, LOG_WARNING, "watchdog timer fired");
    domain_shutdown(d, SHUTDOWN_watchdog);
}

static long set_watchdog(struct domain *d, const struct sched_watchdog *op)
{
    unsigned nr;

    if (op->id == 0) {
        for (nr = 0; nr < ARRAY_SIZE(d->watchdog) && (d->watchdogs_used >> nr & 1); nr++)
            ;
        if (nr == ARRAY_SIZE(d->watchdog))
            return -ENOSPC;
        timer_init(&d->watchdog[nr], watchdog_fired, d);
        d->watchdogs_used |= (uint8_t)(1u << nr);
    } else {
        nr = op->id - 1;
        if (!(d->watchdogs_used >> nr & 1))
            return -EINVAL;
    }
    if (op->timeout != 0 || op->id == 0) {
        timer_set(&d->watchdog[nr], now_ns() + op->timeout * NS_PER_SECOND);
        return op->id == 0 ? (long)nr + 1 : 0;
    }
    timer_cancel(&d->watchdog[nr]);
    d->watchdogs_used &= (uint8_t)~(1u << nr);
    return 0;
}

/* id 0 allocates a timer; with a timeout of 0 it fires at once. Another id restarts that timer,
 * or frees it if timeout (in seconds) is 0. The lock keeps two vCPUs from one timer. */
long sched_op_watchdog(const struct sched_watchdog *op)
{
    struct domain *d = current->domain;
    long rc;

    if (op->id > ARRAY_SIZE(d->watchdog))
        return -EINVAL;
    spin_lock(&d->life_lock);
    rc = set_watchdog(d, op);
    spin_unlock(&d->life_lock);
    return rc;
}

void domain_cancel_watchdogs(struct domain *d)
{
    for (unsigned i = 0; i < ARRAY_SIZE(d->watchdog); i++)
        timer_end(&d->watchdog[i]);
}

/* The older hypercall has the first three commands only, and its reason is passed by value. */
long do_sched_op_compat(unsigned cmd, uint64_t arg)
{
    if (cmd == SCHEDOP_shutdown)
        return shutdown_with((uint8_t)arg);
    return cmd == SCHEDOP_yield   ? sched_op_yield()
           : cmd == SCHEDOP_block ? sched_op_block()
                                  : -ENOSYS;
}
