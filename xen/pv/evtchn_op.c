/* Event_channel_op: one function per command, which gets the guest's argument copied in and leaves
 * the reply in it. The ports themselves are evtchn.c's, the queues of FIFO event channels evtchn_fifo.c's.
 */
#include "arch/arch.h"
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
#include "xen/pv/evtchn_table.h"
#include "xen/pv/hypercalls.h"

/* Interrupt lines that Xen counts for a guest without devices, on a machine with one I/O APIC: those are
 * refused for lack of rights, the others because they do not exist. */
#define NR_PIRQS 56u

union evtchn_args {
    struct evtchn_alloc_unbound alloc_unbound;
    struct evtchn_bind_interdomain bind_interdomain;
    struct evtchn_bind_virq bind_virq;
    struct evtchn_bind_pirq bind_pirq;
    struct evtchn_bind_ipi bind_ipi;
    struct evtchn_close close;
    struct evtchn_status status;
    struct evtchn_bind_vcpu bind_vcpu;
    struct evtchn_unmask unmask;
    struct evtchn_reset reset;
    struct evtchn_init_control init_control;
    struct evtchn_expand_array expand_array;
    struct evtchn_set_priority set_priority;
};

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
static int check_target(const struct domain *d, domid_t target)
{
    struct domain *t = domain_lookup(target);

    return t == d ? 0 : t != NULL || domain_exists(target) ? -EPERM : -ESRCH;
}

static int evtchn_alloc_unbound(struct domain *d, union evtchn_args *a)
{
    domid_t remote = a->alloc_unbound.remote_dom;
    int rc = check_target(d, a->alloc_unbound.dom);

    if (rc != 0)
        return rc;
    return open_port_reply(d, (struct evtchn){ .state = EVTCHNSTAT_unbound,
                                               .remote_domid = remote == DOMID_SELF ? d->id : remote },
                           &a->alloc_unbound.port);
}

/* Starts pending, for the other side may have sent before there was anybody to hear it. */
static int evtchn_bind_interdomain(struct domain *d, union evtchn_args *a)
{
    struct evtchn_bind_interdomain *op = &a->bind_interdomain;
    struct domain *rd = domain_lookup(op->remote_dom);
    struct evtchn *r;
    int port = -EINVAL;

    if (rd == NULL && domain_exists(op->remote_dom))
        return -EINVAL;                     /* domain 0 may be named, and has no port */
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

static int evtchn_bind_virq(struct domain *d, union evtchn_args *a)
{
    struct evtchn_bind_virq *op = &a->bind_virq;
    struct vcpu *v;
    int rc;

    if (op->virq >= NR_VIRQS || (virq_is_global(op->virq) && op->vcpu != 0))
        return -EINVAL;
    if (op->vcpu >= d->nr_vcpus)
        return -ENOENT;
    v = d->vcpu[op->vcpu];
    if (v->virq_port[op->virq] != 0)
        return -EEXIST;
    rc = open_port_reply(d, (struct evtchn){ .state = EVTCHNSTAT_virq, .virq = (uint16_t)op->virq,
                                             .notify_vcpu = (uint8_t)op->vcpu }, &op->port);
    if (rc != 0)
        return rc;
    v->virq_port[op->virq] = op->port;
    if (op->virq == VIRQ_TIMER && v->cpu->running == v)
        vcpu_timers_in(v, now_ns());
    return 0;
}

static int evtchn_bind_pirq(struct domain *d, union evtchn_args *a)
{
    (void)d;
    return a->bind_pirq.pirq < NR_PIRQS ? -EPERM : -EINVAL;
}

static int evtchn_bind_ipi(struct domain *d, union evtchn_args *a)
{
    if (a->bind_ipi.vcpu >= d->nr_vcpus)
        return -ENOENT;
    return open_port_reply(d, (struct evtchn){ .state = EVTCHNSTAT_ipi,
                                               .notify_vcpu = (uint8_t)a->bind_ipi.vcpu },
                           &a->bind_ipi.port);
}

static int evtchn_close(struct domain *d, union evtchn_args *a)
{
    return evtchn_close_port(d, a->close.port);
}

static int evtchn_status(struct domain *d, union evtchn_args *a)
{
    struct evtchn_status *op = &a->status;
    int rc = check_target(d, op->dom);
    struct evtchn *e;

    if (rc != 0)
        return rc;
    e = evtchn_lookup(d, op->port);
    if (e == NULL)
        return -EINVAL;
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
    }
    return 0;
}

/* Where an event goes is fixed for IPIs and for VIRQs of a vCPU: both mean that very vCPU. */
static int evtchn_bind_vcpu(struct domain *d, union evtchn_args *a)
{
    struct evtchn *e;

    if (a->bind_vcpu.vcpu >= d->nr_vcpus)
        return -ENOENT;
    e = evtchn_lookup(d, a->bind_vcpu.port);
    if (e == NULL || e->state == EVTCHNSTAT_closed || e->state == EVTCHNSTAT_ipi ||
        (e->state == EVTCHNSTAT_virq && !virq_is_global(e->virq)))
        return -EINVAL;
    e->notify_vcpu = (uint8_t)a->bind_vcpu.vcpu;
    return 0;
}

static int evtchn_unmask(struct domain *d, union evtchn_args *a)
{
    struct evtchn *e = evtchn_lookup(d, a->unmask.port);

    if (e == NULL)
        return -EINVAL;
    spin_lock(&d->evtchn->lock);
    if (e->state != EVTCHNSTAT_closed)
        d->evtchn->abi->unmask(d->vcpu[e->notify_vcpu], e, a->unmask.port);
    spin_unlock(&d->evtchn->lock);
    return 0;
}

/* The bitmaps have no place for a port that another vCPU would open meanwhile, so none can. */
static int evtchn_reset(struct domain *d, union evtchn_args *a)
{
    int rc = check_target(d, a->reset.dom);
    struct evtchn_table *t = d->evtchn;

    if (rc != 0)
        return rc;
    if (__atomic_exchange_n(&t->resetting, true, __ATOMIC_SEQ_CST))
        return -EBUSY;
    for (evtchn_port_t port = 1; port < t->nr_valid; port++) {
        evtchn_close_port(d, port);
        preempt_after(WORK_PER_PORT);
    }
    fifo_destroy(d);
    t->resetting = false;
    return 0;
}

static int evtchn_init_control(struct domain *d, union evtchn_args *a)
{
    return fifo_init_control(d, &a->init_control);
}

static int evtchn_expand_array(struct domain *d, union evtchn_args *a)
{
    return fifo_expand_array(d, a->expand_array.array_gfn);
}

/* Counts from the next event on: one that stands in a queue stays there. */
static int evtchn_set_priority(struct domain *d, union evtchn_args *a)
{
    struct evtchn *e = evtchn_lookup(d, a->set_priority.port);

    if (e == NULL)
        return -EINVAL;
    if (d->evtchn->fifo == NULL)
        return -ENOSYS;
    if (a->set_priority.priority > EVTCHN_FIFO_PRIORITY_MIN)
        return -EINVAL;
    e->priority = (uint8_t)a->set_priority.priority;
    return 0;
}

static const struct {
    int (*fn)(struct domain *d, union evtchn_args *a);
    uint8_t size;
    bool replies;
} ops[] = {
#define OP(name, replies) [EVTCHNOP_##name] = { evtchn_##name, sizeof(struct evtchn_##name), replies }
    OP(alloc_unbound, true), OP(bind_interdomain, true), OP(bind_virq, true), OP(bind_pirq, true),
    OP(bind_ipi, true), OP(close, false), OP(status, true), OP(bind_vcpu, false), OP(unmask, false),
    OP(reset, false), OP(init_control, true), OP(expand_array, false), OP(set_priority, false),
#undef OP
};

/* The hot one. The lock keeps the two ends together (E1), so that the remote domain and its vCPU cannot go
 * meanwhile; the remote's bits are set atomically, and its queues have a lock of their own. */
static long evtchn_send(struct domain *d, evtchn_port_t port)
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
    case EVTCHNSTAT_unbound:            /* nobody there yet: they will find their end pending */
        break;
    default:
        rc = -EINVAL;
    }
    spin_unlock(&d->evtchn->lock);
    if (notify != NULL)
        notify(d);
    return rc;
}

/* One load does it, unless the page ends within the word around the port. */
static bool get_port(evtchn_port_t *port, uint64_t va)
{
    uint64_t word;

    if (unlikely((va & ~PAGE_MASK) > PAGE_SIZE - sizeof(word) || !guest_range_ok(va, sizeof(word))))
        return copy_from_guest(port, va, sizeof(*port)) == 0;
    if (!get_guest_words(&word, va, 1))
        return false;
    if (tracing(TRACE_ARGS))            /* the other half of the word is no argument */
        trace_copy(TRC_PARAGON_COPY_IN, va, &word, sizeof(*port));
    *port = (evtchn_port_t)word;
    return true;
}

/* Every command but send; apart from it, so that send saves no registers for their sake. */
static __attribute__((noinline)) long evtchn_command(struct domain *d, int cmd, uint64_t arg)
{
    union evtchn_args a;
    int rc;

    if (cmd < 0 || cmd >= (int)ARRAY_SIZE(ops) || ops[cmd].fn == NULL)
        return -ENOSYS;
    memset(&a, 0, sizeof(a));
    if (copy_from_guest(&a, arg, ops[cmd].size) != 0)
        return -EFAULT;
    rc = ops[cmd].fn(d, &a);
    if (rc == 0 && ops[cmd].replies && copy_to_guest(arg, &a, ops[cmd].size) != 0)
        rc = -EFAULT;
    return rc;
}

long do_event_channel_op(int cmd, uint64_t arg)
{
    struct domain *d = current->domain;
    evtchn_port_t port;

    if (unlikely(cmd != EVTCHNOP_send))
        return evtchn_command(d, cmd, arg);
    return get_port(&port, arg) ? evtchn_send(d, port) : -EFAULT;
}

/* The older form: command and argument in one structure. */
long do_event_channel_op_compat(uint64_t op)
{
    uint32_t cmd;

    if (copy_from_guest(&cmd, op, sizeof(cmd)) != 0)
        return -EFAULT;
    if (cmd > EVTCHNOP_unmask)
        return -ENOSYS;
    return do_event_channel_op((int)cmd, op + offsetof(struct evtchn_op, u));
}
