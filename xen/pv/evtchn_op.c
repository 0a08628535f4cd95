/* event_channel_op: one function for each command, which writes the reply into its argument. The
 * ports are in evtchn.c, FIFO queues in evtchn_fifo.c. Called by the generated dispatch
 * (common/abi.def). */
#include "arch/arch.h"
#include "common/atomic.h"
#include "common/string.h"
#include "common/trace_format.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/core/time.h"
#include "xen/core/trace.h"
#include "xen/core/vtimer.h"
#include "xen/pv/domid.h"
#include "xen/pv/evtchn_fifo.h"
#include "xen/pv/evtchn_table.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/pirq.h"

static bool virq_is_global(unsigned virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

/* For operations that hold no lock yet and whose reply is the port. */
static int open_port_reply(struct domain *d, struct evtchn init, evtchn_port_t *reply)
{
    int port;

    spin_lock(&d->evtchn->lock);
    port = evtchn_open_port(d, init);
    spin_unlock(&d->evtchn->lock);
    if (port < 0)
        return port;
    *reply = (evtchn_port_t)port;
    return 0;
}

/* A guest may act for itself only. */
static int check_target(domid_t target)
{
    return check_domid(target, NAMES_SELF | NAMES_OWN_NUMBER);
}

long evtchn_alloc_unbound(struct domain *d, struct evtchn_alloc_unbound *op)
{
    domid_t remote = op->remote_dom;
    int rc = check_target(op->dom);

    if (rc != 0)
        return rc;
    return open_port_reply(d,
                           (struct evtchn){ .state = EVTCHNSTAT_unbound,
                                           .remote_domid = remote == DOMID_SELF ? d->id : remote},
                           &op->port);
}

/* The new port is pending at once, because the other side may have sent before it was bound. */
long evtchn_bind_interdomain(struct domain *d, struct evtchn_bind_interdomain *op)
{
    struct domain *rd = domain_lookup(op->remote_dom);
    struct evtchn *r;
    int port = -EINVAL;

    if (rd == NULL && domain_exists(op->remote_dom))
        return -EINVAL;                     /* domain 0 may be named, but has no port for guests */
    if (rd == NULL || rd->evtchn == NULL)
        return -ESRCH;
    evtchn_lock_pair(d, rd);
    r = evtchn_lookup(rd, op->remote_port);
    if (r != NULL && r->state == EVTCHNSTAT_unbound && r->remote_domid == d->id)
        port = evtchn_open_port(d, (struct evtchn){ .state = EVTCHNSTAT_interdomain, .remote = rd,
                                                    .remote_port = op->remote_port });
    if (port > 0) {
        r->state = EVTCHNSTAT_interdomain;
        r->remote = d;
        r->remote_port = (evtchn_port_t)port;
        evtchn_set_pending(d, evtchn_lookup(d, (evtchn_port_t)port), (evtchn_port_t)port);
    }
    evtchn_unlock_pair(d, rd);
    if (port < 0)
        return port;
    op->local_port = (evtchn_port_t)port;
    return 0;
}

/* The new port, or an errno: one VIRQ has one port (E2). */
static int bind_virq_port(struct domain *d, struct vcpu *v, unsigned virq)
{
    int port = -EEXIST;

    spin_lock(&d->evtchn->lock);
    if (v->virq_port[virq] == 0)
        port = evtchn_open_port(d, (struct evtchn){ .state = EVTCHNSTAT_virq,
                                                    .virq = (uint16_t)virq,
                                                    .notify_vcpu = (uint8_t)v->id });
    if (port > 0)
        WRITE_ONCE(v->virq_port[virq], (evtchn_port_t)port);
    spin_unlock(&d->evtchn->lock);
    return port;
}

long evtchn_bind_virq(struct domain *d, struct evtchn_bind_virq *op)
{
    struct vcpu *v;
    int port;

    if (op->virq >= NR_VIRQS || (virq_is_global(op->virq) && op->vcpu != 0))
        return -EINVAL;
    if (op->vcpu >= d->nr_vcpus)
        return -ENOENT;
    v = d->vcpu[op->vcpu];
    port = bind_virq_port(d, v, op->virq);
    if (port < 0)
        return port;
    op->port = (evtchn_port_t)port;
    if (op->virq == VIRQ_TIMER)
        vcpu_timers_changed(v);
    return 0;
}

long evtchn_bind_pirq(struct domain *d, struct evtchn_bind_pirq *op)
{
    int rc = pirq_may_bind(d, op->pirq), port;

    if (rc != 0)
        return rc;
    spin_lock(&d->evtchn->lock);
    port = evtchn_open_port(d, (struct evtchn){ .state = EVTCHNSTAT_pirq,
                                                .virq = (uint16_t)op->pirq });
    if (port > 0) {
        rc = pirq_bind(d, op->pirq, (evtchn_port_t)port, op->flags & BIND_PIRQ__WILL_SHARE);
        if (rc != 0)
            evtchn_close_locked(d, (evtchn_port_t)port);    /* another vCPU or domain has it */
    }
    spin_unlock(&d->evtchn->lock);
    if (port < 0 || rc != 0)
        return port < 0 ? port : rc;
    op->port = (evtchn_port_t)port;
    return 0;
}

long evtchn_bind_ipi(struct domain *d, struct evtchn_bind_ipi *op)
{
    if (op->vcpu >= d->nr_vcpus)
        return -ENOENT;
    return open_port_reply(d, (struct evtchn){ .state = EVTCHNSTAT_ipi,
                                               .notify_vcpu = (uint8_t)op->vcpu },
                           &op->port);
}

long evtchn_close(struct domain *d, const struct evtchn_close *op)
{
    return evtchn_close_port(d, op->port);
}

static void write_status(struct evtchn_status *op, const struct evtchn *e)
{
    op->status = e->state;
    op->vcpu = e->notify_vcpu;
    switch (e->state) {
    case EVTCHNSTAT_unbound:
        op->u.unbound.dom = e->remote_domid;
        break;
    case EVTCHNSTAT_interdomain:
        op->u.interdomain.dom = e->remote != NULL ? e->remote->id : 0;
        op->u.interdomain.port = e->remote_port;
        break;
    case EVTCHNSTAT_virq:
        op->u.virq = e->virq;
        break;
    case EVTCHNSTAT_pirq:
        op->u.pirq = e->virq;
        break;
    }
}

long evtchn_status(struct domain *d, struct evtchn_status *op)
{
    int rc = check_target(op->dom);
    struct evtchn *e;

    if (rc != 0)
        return rc;
    e = evtchn_lookup(d, op->port);
    if (e == NULL)
        return -EINVAL;
    spin_lock(&d->evtchn->lock);
    write_status(op, e);
    spin_unlock(&d->evtchn->lock);
    return 0;
}

/* The vCPU of an IPI or of a per-vCPU VIRQ cannot be changed. */
long evtchn_bind_vcpu(struct domain *d, const struct evtchn_bind_vcpu *op)
{
    struct evtchn *e;
    long rc = -EINVAL;

    if (op->vcpu >= d->nr_vcpus)
        return -ENOENT;
    e = evtchn_lookup(d, op->port);
    if (e == NULL)
        return -EINVAL;
    spin_lock(&d->evtchn->lock);
    if (e->state != EVTCHNSTAT_closed && e->state != EVTCHNSTAT_ipi &&
        (e->state != EVTCHNSTAT_virq || virq_is_global(e->virq))) {
        WRITE_ONCE(e->notify_vcpu, (uint8_t)op->vcpu);     /* senders hold their own lock only */
        rc = 0;
    }
    spin_unlock(&d->evtchn->lock);
    return rc;
}

long evtchn_unmask(struct domain *d, const struct evtchn_unmask *op)
{
    struct evtchn *e = evtchn_lookup(d, op->port);

    if (e == NULL)
        return -EINVAL;
    spin_lock(&d->evtchn->lock);
    if (e->state != EVTCHNSTAT_closed)
        d->evtchn->abi->unmask(d->vcpu[e->notify_vcpu], e, op->port);
    spin_unlock(&d->evtchn->lock);
    return 0;
}

/* While this runs no port can be opened: the bitmaps may have no bit for one that another vCPU
 * opened in FIFO mode. */
long evtchn_reset(struct domain *d, const struct evtchn_reset *op)
{
    int rc = check_target(op->dom);
    struct evtchn_table *t = d->evtchn;

    if (rc != 0)
        return rc;
    if (xchg(&t->resetting, true))
        return -EBUSY;
    for (evtchn_port_t port = 1; port < READ_ONCE(t->nr_valid); port++) {
        evtchn_close_port(d, port);
        preempt_after(WORK_PER_PORT);
    }
    fifo_destroy(d);
    store_release(&t->resetting, false);
    return 0;
}

long evtchn_init_control(struct domain *d, struct evtchn_init_control *op)
{
    return fifo_init_control(d, op);
}

long evtchn_expand_array(struct domain *d, const struct evtchn_expand_array *op)
{
    return fifo_expand_array(d, op->array_gfn);
}

/* Takes effect with the next event: one that is in a queue stays there. */
long evtchn_set_priority(struct domain *d, const struct evtchn_set_priority *op)
{
    struct evtchn *e = evtchn_lookup(d, op->port);

    if (e == NULL)
        return -EINVAL;
    if (READ_ONCE(d->evtchn->fifo) == NULL)
        return -ENOSYS;
    if (op->priority > EVTCHN_FIFO_PRIORITY_MIN)
        return -EINVAL;
    spin_lock(&d->evtchn->lock);        /* the port is not opened or closed meanwhile */
    WRITE_ONCE(e->priority, (uint8_t)op->priority);
    spin_unlock(&d->evtchn->lock);
    return 0;
}

/* Often called. The lock keeps the two ends connected (E1), so the remote domain and its vCPU
 * exist until it is released. The remote's bits are set atomically, and its queues have their
 * own lock, so the remote's lock is not needed. */
static inline __attribute__((always_inline)) long evtchn_send(struct domain *d, evtchn_port_t port)
{
    void (*notify)(struct domain *) = NULL;
    struct evtchn *e = evtchn_lookup(d, port);
    struct domain *rd;
    long rc = 0;

    if (unlikely(e == NULL))
        return -EINVAL;
    spin_lock(&d->evtchn->lock);
    switch (e->state) {
    case EVTCHNSTAT_interdomain:
        rd = e->remote;
        if (rd != NULL)
            evtchn_set_pending(rd, evtchn_lookup(rd, e->remote_port), e->remote_port);
        else
            notify = e->notify;
        break;
    case EVTCHNSTAT_ipi:
        evtchn_set_pending(d, e, port);
        break;
    /* The other side has not bound yet: its port will be pending when it does. */
    case EVTCHNSTAT_unbound:
        break;
    default:
        rc = -EINVAL;
    }
    spin_unlock(&d->evtchn->lock);
    if (notify != NULL)
        notify(d);
    return rc;
}

static __attribute__((noinline)) long evtchn_send_by_copy(uint64_t arg)
{
    evtchn_port_t port;

    return copy_from_guest(&port, arg, sizeof(port)) == 0 ? evtchn_send(current->domain, port)
                                                          : -EFAULT;
}

/* A send reads the port by one load of 8 bytes, unless these cross the end of a page. */
long do_event_channel_op(unsigned cmd, uint64_t arg)
{
    uint64_t word;

    if (unlikely(cmd != EVTCHNOP_send))
        return event_channel_op_by_table(cmd, arg);
    if (unlikely((arg & ~PAGE_MASK) > PAGE_SIZE - sizeof(word)) ||
        unlikely(!guest_range_ok(arg, sizeof(word))))
        return evtchn_send_by_copy(arg);
    if (unlikely(!get_guest_words(&word, arg, 1)))
        return -EFAULT;
    if (tracing(TRACE_ARGS))            /* the upper half of the word is not part of the argument */
        trace_copy(TRC_PARAGON_COPY_IN, arg, &word, sizeof(evtchn_port_t));
    return evtchn_send(current->domain, (evtchn_port_t)word);
}

/* The older form: command and argument in one structure. */
long do_event_channel_op_compat(uint64_t op)
{
    uint32_t cmd;

    if (copy_from_guest(&cmd, op, sizeof(cmd)) != 0)
        return -EFAULT;
    if (cmd > EVTCHNOP_unmask)
        return -ENOSYS;
    return do_event_channel_op(cmd, op + offsetof(struct evtchn_op, u));
}
