/* The ports of a domain, and delivery of events by the 2-level bitmaps. Delivery by FIFO queues
 * is in evtchn_fifo.c, the hypercall in evtchn_op.c. The upcall, made at the exit to a guest
 * whose evtchn_upcall_pending is set, is in cpu/upcall.c. Called by evtchn_op.c, and by
 * everything that raises an event.
 *
 * The guest may change the words of shared_info and vcpu_info at any time. So the hypervisor
 * accesses them only by single atomic operations, and what they contain decides nothing but
 * whether this guest is woken. */
#include "arch/arch.h"
#include "common/atomic.h"
#include "common/trace_format.h"
#include "xen/core/alloc.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/core/sched_wake.h"
#include "xen/core/trace.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/evtchn_fifo.h"
#include "xen/pv/evtchn_table.h"

#define BITS 64u
#define BUCKETS_SEARCHED 8u            /* searched again whenever a port is opened */

void (*evtchn_pirq_closed)(struct domain *d, unsigned pirq, evtchn_port_t port);

static inline bool test_and_set(uint64_t *words, unsigned nr)
{
    uint64_t bit = 1ull << nr % BITS;

    return fetch_or(&words[nr / BITS], bit) & bit;
}

static inline bool test_and_clear(uint64_t *words, unsigned nr)
{
    uint64_t bit = 1ull << nr % BITS;

    return fetch_and(&words[nr / BITS], ~bit) & bit;
}

static inline bool test(const uint64_t *words, unsigned nr)
{
    return READ_ONCE(words[nr / BITS]) >> nr % BITS & 1;
}

/* Wakes vCPUs in SCHEDOP_poll, also for a port that is masked or was pending already: they wait
 * for the pending bit only. poll_port is read once: a poller changes it from POLL_SEVERAL to its
 * port when it has looked at the port, which may be meanwhile. */
void evtchn_wake_pollers(struct domain *d, evtchn_port_t port)
{
    for (uint32_t mask = READ_ONCE(d->poll_mask); mask != 0; mask &= mask - 1) {
        struct vcpu *v = d->vcpu[__builtin_ctz(mask)];
        evtchn_port_t polled = READ_ONCE(v->poll_port);

        if (polled == port || polled == POLL_SEVERAL)
            vcpu_wake(v);
    }
}

static inline __attribute__((always_inline)) void two_level_deliver(struct vcpu *v,
                                                                    evtchn_port_t port)
{
    if (!test(v->domain->shared->evtchn_mask, port) &&
        !test_and_set(&v->info->evtchn_pending_sel, port / BITS))
        mark_events_pending(v);
}

/* A function of its own, so that its caller saves no registers. */
static __attribute__((noinline)) void two_level_wake_and_deliver(struct vcpu *v, evtchn_port_t port)
{
    evtchn_wake_pollers(v->domain, port);
    two_level_deliver(v, port);
}

static void two_level_set_pending(struct vcpu *v, struct evtchn *e, evtchn_port_t port)
{
    struct domain *d = v->domain;
    struct shared_info *s = d->shared;

    if (test_and_set(s->evtchn_pending, port))
        return;
    if (unlikely(READ_ONCE(d->evtchn->abi) != &evtchn_two_level)) {
        fifo_set_pending_again(v, e, port);
        return;
    }
    if (unlikely(READ_ONCE(d->poll_mask) != 0))
        two_level_wake_and_deliver(v, port);
    else
        two_level_deliver(v, port);
}

static void two_level_clear_pending(struct domain *d, evtchn_port_t port)
{
    test_and_clear(d->shared->evtchn_pending, port);
}

static bool two_level_is_pending(struct domain *d, evtchn_port_t port)
{
    return test(d->shared->evtchn_pending, port);
}

/* With bitmaps, closing a port clears its bit, so no event of the closed port can be delivered
 * later. */
static bool two_level_is_busy(struct domain *d, evtchn_port_t port)
{
    (void)d, (void)port;
    return false;
}

static void two_level_unmask(struct vcpu *v, struct evtchn *e, evtchn_port_t port)
{
    struct shared_info *s = v->domain->shared;

    (void)e;
    if (test_and_clear(s->evtchn_mask, port) && test(s->evtchn_pending, port) &&
        !test_and_set(&v->info->evtchn_pending_sel, port / BITS))
        mark_events_pending(v);
}

const struct evtchn_abi evtchn_two_level = {
    EVTCHN_2L_NR_CHANNELS, two_level_set_pending, two_level_clear_pending, two_level_is_pending,
    two_level_is_busy, two_level_unmask,
};

/* The sender is known from the port's state. The record is for the trace of the receiver and,
 * from port to port, of the sender, which is current. */
void evtchn_trace(const struct domain *d, const struct evtchn *e, evtchn_port_t port)
{
    const struct vcpu *v = d->vcpu[e->notify_vcpu];
    enum trace_send how = e->state == EVTCHNSTAT_virq  ? TRACE_SEND_VIRQ
                          : e->state == EVTCHNSTAT_ipi ? TRACE_SEND_IPI
                          : e->remote != NULL          ? TRACE_SEND_PORT
                                                       : TRACE_SEND_XEN;
    const uint32_t words[] = { how,
                              how == TRACE_SEND_VIRQ   ? e->virq
                              : how == TRACE_SEND_PORT ? e->remote_port
                                                       : port,
                              VCPU_WORD(v), port};

    if (how == TRACE_SEND_PORT && !(d->trace & TRACE_EVENT))
        d = current->domain;
    trace_put_of(d, TRACE_EVENT, TRC_PARAGON_SEND, words, ARRAY_SIZE(words));
}

static void set_room(struct evtchn_table *t, unsigned bucket, bool room)
{
    uint64_t bit = 1ull << bucket % BITS, *word = &t->has_room[bucket / BITS];

    *word = room ? *word | bit : *word & ~bit;
}

void evtchn_reset_has_room(struct evtchn_table *t)
{
    for (unsigned i = 0; i < MAX_BUCKETS; i++)
        set_room(t, i, i < t->nr_valid / PORTS_PER_BUCKET && t->nr_closed[i] != 0);
}

/* The bucket may exist already, from before a reset. */
static int add_bucket(struct domain *d)
{
    struct evtchn_table *t = d->evtchn;
    unsigned n = t->nr_valid / PORTS_PER_BUCKET;

    if (t->nr_valid == t->abi->nr_ports)
        return -ENOSPC;
    if (t->bucket[n] == NULL)
        t->bucket[n] = alloc_page_for(d);
    if (t->bucket[n] == NULL)
        return -ENOMEM;
    t->nr_closed[n] = PORTS_PER_BUCKET - (n == 0);
    set_room(t, n, true);
    store_release(&t->nr_valid, t->nr_valid + PORTS_PER_BUCKET);
    return 0;
}

int evtchn_init(struct domain *d)
{
    struct evtchn_table *t = alloc_pages(EVTCHN_TABLE_ORDER);

    if (t == NULL)
        return -ENOMEM;
    t->abi = &evtchn_two_level;
    spin_lock_init(&t->lock, LOCK_EVTCHN, d->id);
    d->evtchn = t;
    return add_bucket(d);
}

static unsigned first_with_room(const struct evtchn_table *t)
{
    for (unsigned i = 0; i < ARRAY_SIZE(t->has_room); i++)
        if (t->has_room[i] != 0)
            return i * BITS + (unsigned)__builtin_ctzll(t->has_room[i]);
    return MAX_BUCKETS;
}

/* Returns 0 if all closed ports of the bucket are busy. A guest that takes a port off its queue
 * does not tell the hypervisor, so nothing marks the bucket when one is free again. */
static evtchn_port_t free_port_in(struct domain *d, unsigned bucket)
{
    struct evtchn_table *t = d->evtchn;
    evtchn_port_t first = bucket * PORTS_PER_BUCKET;

    for (evtchn_port_t port = MAX(first, 1u); port < first + PORTS_PER_BUCKET; port++)
        if (evtchn_lookup(d, port)->state == EVTCHNSTAT_closed && !t->abi->is_busy(d, port))
            return port;
    set_room(t, bucket, false);
    return 0;
}

/* The lowest port that is closed and not busy, or 0. A guest can have all of its ports closed
 * and busy. So that each new port does not take a search of all of them, buckets whose closed
 * ports were all busy are skipped, and at each call a few of them, in turn, are searched again.
 * A guest with fewer than some thousand ports does not notice this. */
static evtchn_port_t find_free_port(struct domain *d)
{
    struct evtchn_table *t = d->evtchn;
    unsigned nr_buckets = t->nr_valid / PORTS_PER_BUCKET, bucket;

    for (unsigned i = 0; i < MIN(nr_buckets, BUCKETS_SEARCHED); i++) {
        t->next_retry = t->next_retry + 1 < nr_buckets ? t->next_retry + 1 : 0;
        if (t->nr_closed[t->next_retry] != 0)
            set_room(t, t->next_retry, true);
    }
    for (unsigned i = 0; i < 2 * BUCKETS_SEARCHED && (bucket = first_with_room(t)) < MAX_BUCKETS;
         i++) {
        evtchn_port_t port = free_port_in(d, bucket);

        count_work(PORTS_PER_BUCKET * WORK_PER_STATE);
        if (port != 0)
            return port;
    }
    return 0;
}

int evtchn_open_port(struct domain *d, struct evtchn init)
{
    struct evtchn_table *t = d->evtchn;
    struct evtchn *e;
    evtchn_port_t port;
    int rc;

    if (READ_ONCE(t->resetting))
        return -EBUSY;
    port = find_free_port(d);
    if (port == 0) {
        rc = add_bucket(d);
        if (rc != 0)
            return rc;
        port = MAX(t->nr_valid - PORTS_PER_BUCKET, 1u);
    }
    if (unlikely(port > d->max_port))
        return -ENOSPC;
    if (--t->nr_closed[port / PORTS_PER_BUCKET] == 0)
        set_room(t, port / PORTS_PER_BUCKET, false);
    e = evtchn_lookup(d, port);
    init.priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    init.last_vcpu = e->last_vcpu;
    init.last_priority = e->last_priority;
    *e = init;
    return (int)port;
}

void evtchn_lock_pair(struct domain *a, struct domain *b)
{
    struct domain *first = a->id < b->id ? a : b;

    spin_lock(&first->evtchn->lock);
    if (a != b)
        spin_lock(&(first == a ? b : a)->evtchn->lock);
}

void evtchn_unlock_pair(struct domain *a, struct domain *b)
{
    spin_unlock(&a->evtchn->lock);
    if (a != b)
        spin_unlock(&b->evtchn->lock);
}

/* The domain's lock is held, and the remote domain's if the port has one. */
static void close_port_locked(struct domain *d, evtchn_port_t port, struct evtchn *e)
{
    struct evtchn_table *t = d->evtchn;
    struct vcpu *v;
    unsigned i;

    if (e->state == EVTCHNSTAT_pirq)
        evtchn_pirq_closed(d, e->virq, port);
    if (e->state == EVTCHNSTAT_virq)
        for_each_vcpu(d, v, i)
            if (v != NULL && v->virq_port[e->virq] == port)
                WRITE_ONCE(v->virq_port[e->virq], 0);
    if (e->state == EVTCHNSTAT_interdomain && e->remote != NULL) {
        struct evtchn *r = evtchn_lookup(e->remote, e->remote_port);

        r->state = EVTCHNSTAT_unbound;
        r->remote = NULL;
        r->remote_domid = d->id;
    }
    *e = (struct evtchn){ .last_vcpu = e->last_vcpu, .last_priority = e->last_priority };
    t->abi->clear_pending(d, port);     /* the next user of the port must not see this event */
    t->nr_closed[port / PORTS_PER_BUCKET]++;
    set_room(t, port / PORTS_PER_BUCKET, true);
}

void evtchn_close_locked(struct domain *d, evtchn_port_t port)
{
    close_port_locked(d, port, evtchn_lookup(d, port));
}

int evtchn_close_port(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = evtchn_lookup(d, port);
    struct domain *remote;
    int rc = -EINVAL;

    if (e == NULL)
        return -EINVAL;
    for (;;) {
        spin_lock(&d->evtchn->lock);
        remote = e->remote != NULL ? e->remote : d;
        spin_unlock(&d->evtchn->lock);
        evtchn_lock_pair(d, remote);
        if (likely(remote == (e->remote != NULL ? e->remote : d)))
            break;
        evtchn_unlock_pair(d, remote);  /* the other end was closed or bound again meanwhile */
    }
    if (e->state != EVTCHNSTAT_closed) {
        close_port_locked(d, port, e);
        rc = 0;
    }
    evtchn_unlock_pair(d, remote);
    return rc;
}

void evtchn_destroy(struct domain *d)
{
    struct evtchn_table *t = d->evtchn;

    if (t == NULL)
        return;
    for (evtchn_port_t port = 1; port < t->nr_valid; port++) {
        if (evtchn_lookup(d, port)->state != EVTCHNSTAT_closed)
            evtchn_close_port(d, port);
        preempt_after(WORK_PER_PORT);
    }
    fifo_destroy(d);
    d->evtchn = NULL;
    for (unsigned i = 0; i < MAX_BUCKETS; i++) {
        free_page_for(d, t->bucket[i]);
        preempt_after(WORK_PER_PORT);
    }
    free_pages(t, EVTCHN_TABLE_ORDER);
}

/* The port may be closed until the lock is held. */
void send_guest_virq(struct vcpu *v, unsigned virq)
{
    struct domain *d = v->domain;
    evtchn_port_t port;

    if (READ_ONCE(v->virq_port[virq]) == 0)
        return;
    spin_lock(&d->evtchn->lock);
    port = v->virq_port[virq];
    if (likely(port != 0))
        evtchn_set_pending(d, evtchn_lookup(d, port), port);
    spin_unlock(&d->evtchn->lock);
}

int evtchn_bind_hypervisor(struct domain *d, unsigned vcpu, void (*notify)(struct domain *d))
{
    int port;

    spin_lock(&d->evtchn->lock);
    port = evtchn_open_port(d, (struct evtchn){ .state = EVTCHNSTAT_interdomain,
                                                .notify_vcpu = (uint8_t)vcpu, .notify = notify });
    spin_unlock(&d->evtchn->lock);
    return port;
}

int evtchn_open_unbound(struct domain *d, domid_t remote)
{
    int port;

    spin_lock(&d->evtchn->lock);
    port = evtchn_open_port(d,
                            (struct evtchn){ .state = EVTCHNSTAT_unbound, .remote_domid = remote });
    spin_unlock(&d->evtchn->lock);
    return port;
}

/* The guest may have closed the port and opened it again for another purpose. */
void evtchn_raise(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = evtchn_lookup(d, port);

    if (e == NULL)
        return;
    spin_lock(&d->evtchn->lock);
    if (e->notify != NULL)
        evtchn_set_pending(d, e, port);
    spin_unlock(&d->evtchn->lock);
}

void evtchn_raise_unbound(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = evtchn_lookup(d, port);

    if (e == NULL)
        return;
    spin_lock(&d->evtchn->lock);
    if (e->state == EVTCHNSTAT_unbound)
        evtchn_set_pending(d, e, port);
    spin_unlock(&d->evtchn->lock);
}

bool evtchn_port_valid(struct domain *d, evtchn_port_t port)
{
    return evtchn_lookup(d, port) != NULL;
}

bool evtchn_port_pending(struct domain *d, evtchn_port_t port)
{
    bool pending;

    if (evtchn_lookup(d, port) == NULL)
        return false;
    spin_lock(&d->evtchn->lock);
    pending = d->evtchn->abi->is_pending(d, port);
    spin_unlock(&d->evtchn->lock);
    return pending;
}

/* The guest may have changed the old structure after it was copied. So every selector bit is set
 * as pending: the guest then checks all ports, and no event is lost. */
void evtchn_info_moved(struct vcpu *v)
{
    (void)xchg(&v->info->evtchn_pending_sel, ~0ul);
    mark_events_pending(v);
}
