/* The structures of event channels, for evtchn.c (ports, bitmaps), evtchn_fifo.c (queues) and
 * evtchn_op.c (the hypercalls); audit.c counts the references that they hold on frames. All
 * other files use evtchn.h.
 *
 * Invariants, under the domain's lock (both domains' for E1)
 *   E1  two connected INTERDOMAIN ports point to each other until either closes
 *   E2  v->virq_port[n] != 0 is a VIRQ port with that n; for a per-vCPU VIRQ its notify_vcpu is v
 *   E3  ports from nr_valid on are closed. nr_closed[b] is the number of closed ports of bucket b,
 *       without port 0. The bucket's bit in has_room is set if it has one, unless the last search
 *       found all of them still linked in a queue
 *   E4  nr_valid <= abi->nr_ports; abi is the FIFO one only while fifo != NULL
 *   E5  each page of fifo, arrays and control blocks, holds a general and a writable reference
 *       (F6) */
#ifndef XEN_EVTCHN_TABLE_H
#define XEN_EVTCHN_TABLE_H

#include "common/atomic.h"
#include "xen/core/domain.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/core/sched_wake.h"
#include "xen/core/trace.h"

#define PORTS_PER_BUCKET 128u
#define WORK_PER_PORT 150u              /* to close a port */
#define WORK_PER_STATE 32u              /* to read the state of a port */
#define MAX_BUCKETS (EVTCHN_FIFO_NR_CHANNELS / PORTS_PER_BUCKET)
#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define MAX_ARRAY_PAGES (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)

struct evtchn {
    uint8_t state;                      /* EVTCHNSTAT_* */
    uint8_t notify_vcpu;
    uint16_t virq;                      /* or the number of the pirq */
    uint16_t remote_domid;              /* UNBOUND: who may bind */
    uint8_t priority;                   /* FIFO, as the next three */
    bool pending;                       /* an event came while there was no page for its word */
    evtchn_port_t remote_port;
    /* The queue that the port was last in; kept when the port is closed. */
    uint8_t last_vcpu, last_priority;
    struct domain *remote;              /* INTERDOMAIN; NULL: the hypervisor is the other end */
    void (*notify)(struct domain *d);   /* if remote is NULL: called when the guest sends */
};
_Static_assert(sizeof(struct evtchn) * PORTS_PER_BUCKET <= PAGE_SIZE, "a bucket is a page");

/* How events are delivered to the guest: by the 2-level bitmaps of shared_info, or by FIFO
 * queues in pages of the guest. */
struct evtchn_abi {
    unsigned nr_ports;
    void (*set_pending)(struct vcpu *v, struct evtchn *e, evtchn_port_t port);
    void (*clear_pending)(struct domain *d, evtchn_port_t port);
    bool (*is_pending)(struct domain *d, evtchn_port_t port);
    /* The port is still linked in a queue, though closed. */
    bool (*is_busy)(struct domain *d, evtchn_port_t port);
    void (*unmask)(struct vcpu *v, struct evtchn *e, evtchn_port_t port);
};
extern const struct evtchn_abi evtchn_two_level;

/* All pages are given back together, so a port that has a word keeps it until then. */
struct evtchn_fifo {
    struct spinlock lock;               /* of the queues */
    unsigned nr_pages;
    event_word_t *page[MAX_ARRAY_PAGES];
    struct {
        struct evtchn_fifo_control_block *control;      /* NULL: not given yet */
        evtchn_port_t tail[EVTCHN_FIFO_MAX_QUEUES];     /* the port added last; 0: none */
    } vcpu[MAX_VCPUS];
};
_Static_assert(sizeof(struct evtchn_fifo) <= PAGE_SIZE, "one page");

struct evtchn_table {
    struct spinlock lock;
    unsigned nr_valid;
    bool resetting;                     /* no port may be opened */
    const struct evtchn_abi *abi;
    struct evtchn_fifo *fifo;
    unsigned next_retry;               /* the bucket whose closed ports are checked again next */
    uint64_t has_room[MAX_BUCKETS / 64];
    uint8_t nr_closed[MAX_BUCKETS];
    struct evtchn *bucket[MAX_BUCKETS];
};
#define EVTCHN_TABLE_ORDER 2u
_Static_assert(sizeof(struct evtchn_table) <= PAGE_SIZE << EVTCHN_TABLE_ORDER, "one allocation");

/* NULL: no such port, or the domain's ports are all gone. Port 0 exists and is always CLOSED. May
 * be called without the lock: a port that exists keeps its place. */
static inline struct evtchn *evtchn_lookup(const struct domain *d, evtchn_port_t port)
{
    const struct evtchn_table *t = d->evtchn;

    if (unlikely(t == NULL || port >= load_acquire(&t->nr_valid)))
        return NULL;
    return &t->bucket[port / PORTS_PER_BUCKET][port % PORTS_PER_BUCKET];
}

void evtchn_trace(const struct domain *d, const struct evtchn *e, evtchn_port_t port);

/* The caller holds the domain's lock, or that of a domain whose port is connected to this one. */
static inline void evtchn_set_pending(struct domain *d, struct evtchn *e, evtchn_port_t port)
{
    if (tracing(TRACE_EVENT))
        evtchn_trace(d, e, port);
    load_acquire(&d->evtchn->abi)->set_pending(d->vcpu[READ_ONCE(e->notify_vcpu)], e, port);
}

/* Called by the two kinds of delivery. The vCPU that runs on this CPU sees the event at its exit
 * to the guest; one that runs elsewhere is interrupted. The store is a fence: a vCPU that goes to
 * sleep, or begins to run, at this time either is seen here or sees the event. */
static inline void mark_events_pending(struct vcpu *v)
{
    (void)xchg(&v->info->evtchn_upcall_pending, 1);
    if (READ_ONCE(v->blocked))
        vcpu_wake(v);
    else
        vcpu_kick(v);
}

void evtchn_wake_pollers(struct domain *d, evtchn_port_t port);

/* Opens the lowest free port that it finds as `init`: the port, -ENOSPC, -ENOMEM or -EBUSY. The
 * caller holds the lock. */
int evtchn_open_port(struct domain *d, struct evtchn init);
/* Sets has_room anew (E3) after a reset: nr_valid may be smaller, and no port is in a queue. */
void evtchn_reset_has_room(struct evtchn_table *t);
/* Called when a pirq's port is closed, with the lock held; set once, to pirq.c's. */
extern void (*evtchn_pirq_closed)(struct domain *d, unsigned pirq, evtchn_port_t port);
/* Closes a port that has no other end; the caller holds the lock. */
void evtchn_close_locked(struct domain *d, evtchn_port_t port);
/* -EINVAL: not open. Takes the locks itself. */
int evtchn_close_port(struct domain *d, evtchn_port_t port);
/* Both locks, in the order of lock.h; the domains may be the same. */
void evtchn_lock_pair(struct domain *a, struct domain *b);
void evtchn_unlock_pair(struct domain *a, struct domain *b);

#endif
