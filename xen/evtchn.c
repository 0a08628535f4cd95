/* Owns the ports of a domain and how an event reaches the guest: bitmaps, wake-up, pollers. What guests
 * ask for is in evtchn_op.c; the upcall itself, made from evtchn_upcall_pending on the way out, is
 * upcall.c's.
 *
 * The words of shared_info and vcpu_info are the guest's too, which may change them at any time, on
 * another CPU even. So they are only ever touched by single atomic operations, and nothing of ours depends
 * on what they say but whether this guest is woken. */
#include "common/string.h"
#include "xen/evtchn_table.h"
#include "xen/frame.h"
#include "xen/sched.h"

#define BITS 64u

static inline bool test_and_set(uint64_t *words, unsigned nr)
{
    uint64_t bit = 1ull << nr % BITS;

    return __atomic_fetch_or(&words[nr / BITS], bit, __ATOMIC_SEQ_CST) & bit;
}

static inline bool test_and_clear(uint64_t *words, unsigned nr)
{
    uint64_t bit = 1ull << nr % BITS;

    return __atomic_fetch_and(&words[nr / BITS], ~bit, __ATOMIC_SEQ_CST) & bit;
}

static inline bool test(const uint64_t *words, unsigned nr)
{
    return READ_ONCE(words[nr / BITS]) >> nr % BITS & 1;
}

/* A vCPU that runs on another CPU would be interrupted here; the one that runs on this CPU looks on its
 * way out. */
static inline void vcpu_kick(struct vcpu *v)
{
    if (v->blocked)
        vcpu_wake(v);
}

static inline void mark_events_pending(struct vcpu *v)
{
    __atomic_store_n(&v->info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
    vcpu_kick(v);
}

/* Pollers wake for a port that is masked, or was pending for long: they look at the port's bit alone. */
static void wake_pollers(struct domain *d, evtchn_port_t port)
{
    for (uint32_t mask = d->poll_mask; mask != 0; mask &= mask - 1) {
        struct vcpu *v = d->vcpu[__builtin_ctz(mask)];

        if (v->poll_port == port || v->poll_port == UINT16_MAX)
            vcpu_wake(v);
    }
}

static void two_level_set_pending(struct vcpu *v, evtchn_port_t port)
{
    struct domain *d = v->domain;
    struct shared_info *s = d->shared;

    if (test_and_set(s->evtchn_pending, port))
        return;
    if (!test(s->evtchn_mask, port) && !test_and_set(&v->info->evtchn_pending_sel, port / BITS))
        mark_events_pending(v);
    if (unlikely(d->poll_mask != 0))
        wake_pollers(d, port);
}

static void two_level_clear_pending(struct domain *d, evtchn_port_t port)
{
    test_and_clear(d->shared->evtchn_pending, port);
}

static bool two_level_is_pending(struct domain *d, evtchn_port_t port)
{
    return test(d->shared->evtchn_pending, port);
}

static void two_level_unmask(struct vcpu *v, evtchn_port_t port)
{
    struct shared_info *s = v->domain->shared;

    if (test_and_clear(s->evtchn_mask, port) && test(s->evtchn_pending, port) &&
        !test_and_set(&v->info->evtchn_pending_sel, port / BITS))
        mark_events_pending(v);
}

static const struct evtchn_abi two_level = {
    two_level_set_pending, two_level_clear_pending, two_level_is_pending, two_level_unmask,
};

static int add_bucket(struct evtchn_table *t)
{
    unsigned n = t->nr_valid / PORTS_PER_BUCKET;

    if (n == MAX_BUCKETS)
        return -ENOSPC;
    t->bucket[n] = alloc_page();
    if (t->bucket[n] == NULL)
        return -ENOMEM;
    t->nr_valid += PORTS_PER_BUCKET;
    return 0;
}

int evtchn_init(struct domain *d)
{
    struct evtchn_table *t = alloc_page();

    if (t == NULL || add_bucket(t) != 0) {
        free_page(t);
        return -ENOMEM;
    }
    t->abi = &two_level;
    t->first_free = 1;
    d->evtchn = t;
    return 0;
}

int evtchn_get_free_port(struct domain *d)
{
    struct evtchn_table *t = d->evtchn;
    unsigned port;

    for (port = t->first_free; port < t->nr_valid; port++)
        if (evtchn_lookup(d, port)->state == EVTCHNSTAT_closed)
            break;
    t->first_free = port;
    if (port == t->nr_valid) {
        int rc = add_bucket(t);

        if (rc != 0)
            return rc;
    }
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

/* The lock is held, and the remote's for a port that has one. */
static void close_port_locked(struct domain *d, evtchn_port_t port, struct evtchn *e)
{
    struct evtchn_table *t = d->evtchn;
    struct vcpu *v;
    unsigned i;

    if (e->state == EVTCHNSTAT_virq)
        for_each_vcpu(d, v, i)
            if (v != NULL && v->virq_port[e->virq] == port)
                v->virq_port[e->virq] = 0;
    if (e->state == EVTCHNSTAT_interdomain && e->remote != NULL) {
        struct evtchn *r = evtchn_lookup(e->remote, e->remote_port);

        r->state = EVTCHNSTAT_unbound;
        r->remote = NULL;
        r->remote_domid = d->id;
    }
    memset(e, 0, sizeof(*e));
    t->abi->clear_pending(d, port);     /* the next who gets the port shall not find our event */
    t->first_free = MIN(t->first_free, port);
}

int evtchn_close_port(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = evtchn_lookup(d, port);
    struct domain *remote;
    int rc = -EINVAL;

    if (e == NULL)
        return -EINVAL;
    for (;;) {
        remote = e->remote != NULL ? e->remote : d;
        evtchn_lock_pair(d, remote);
        if (likely(remote == (e->remote != NULL ? e->remote : d)))
            break;
        evtchn_unlock_pair(d, remote);  /* the other end was closed or bound anew meanwhile */
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
    for (evtchn_port_t port = 1; port < t->nr_valid; port++)
        if (evtchn_lookup(d, port)->state != EVTCHNSTAT_closed)
            evtchn_close_port(d, port);
    d->evtchn = NULL;
    for (unsigned i = 0; i < MAX_BUCKETS; i++)
        free_page(t->bucket[i]);
    free_page(t);
}

void send_guest_virq(struct vcpu *v, unsigned virq)
{
    struct domain *d = v->domain;
    evtchn_port_t port = v->virq_port[virq];

    if (port == 0)
        return;
    spin_lock(&d->evtchn->lock);
    d->evtchn->abi->set_pending(notified_vcpu(d, evtchn_lookup(d, port)), port);
    spin_unlock(&d->evtchn->lock);
}

int evtchn_bind_hypervisor(struct domain *d, unsigned vcpu, void (*notify)(struct domain *d))
{
    int port;

    spin_lock(&d->evtchn->lock);
    port = evtchn_get_free_port(d);
    if (port > 0)
        *evtchn_lookup(d, (evtchn_port_t)port) = (struct evtchn){
            .state = EVTCHNSTAT_interdomain, .notify_vcpu = (uint8_t)vcpu, .notify = notify,
        };
    spin_unlock(&d->evtchn->lock);
    return port;
}

/* The guest may have closed the port, and opened it again for something else. */
void evtchn_raise(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = evtchn_lookup(d, port);

    if (e == NULL)
        return;
    spin_lock(&d->evtchn->lock);
    if (e->notify != NULL)
        d->evtchn->abi->set_pending(notified_vcpu(d, e), port);
    spin_unlock(&d->evtchn->lock);
}

bool evtchn_port_valid(struct domain *d, evtchn_port_t port)
{
    return evtchn_lookup(d, port) != NULL;
}

bool evtchn_port_pending(struct domain *d, evtchn_port_t port)
{
    return evtchn_lookup(d, port) != NULL && d->evtchn->abi->is_pending(d, port);
}

/* The guest may have read the old place between our copying it and now: say that everything is pending. It
 * looks at the ports, finds nothing, and goes on. */
void evtchn_info_moved(struct vcpu *v)
{
    __atomic_store_n(&v->info->evtchn_pending_sel, ~0ul, __ATOMIC_SEQ_CST);
    mark_events_pending(v);
}
