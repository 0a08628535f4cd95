/* The inside of event channels, for evtchn.c (ports, delivery) and evtchn_op.c (the hypercalls). Everybody
 * else uses evtchn.h.
 *
 * Invariants, under the domain's lock (both domains' for E1)
 *   E1  an INTERDOMAIN port with a remote domain is its remote port's remote, until either closes
 *   E2  v->virq_port[n] != 0 is a VIRQ port with that n; for a per-vCPU VIRQ its notify_vcpu is v
 *   E3  ports 1 .. first_free - 1 are in use; ports from nr_valid on have no memory */
#ifndef XEN_EVTCHN_TABLE_H
#define XEN_EVTCHN_TABLE_H

#include "xen/evtchn.h"

#define PORTS_PER_BUCKET 128u
#define MAX_BUCKETS (EVTCHN_2L_NR_CHANNELS / PORTS_PER_BUCKET)

struct evtchn {
    uint8_t state;                      /* EVTCHNSTAT_* */
    uint8_t notify_vcpu;
    uint16_t virq;
    uint16_t remote_domid;              /* UNBOUND: who may bind */
    evtchn_port_t remote_port;
    struct domain *remote;              /* INTERDOMAIN; NULL: the hypervisor is the other end */
    void (*notify)(struct domain *d);   /* then: what a send calls */
};
_Static_assert(sizeof(struct evtchn) * PORTS_PER_BUCKET <= PAGE_SIZE, "a bucket is a page");

/* How the guest is told: the 2-level bitmaps of shared_info. FIFO queues would be a second table. */
struct evtchn_abi {
    void (*set_pending)(struct vcpu *v, evtchn_port_t port);
    void (*clear_pending)(struct domain *d, evtchn_port_t port);
    bool (*is_pending)(struct domain *d, evtchn_port_t port);
    void (*unmask)(struct vcpu *v, evtchn_port_t port);
};

struct evtchn_table {
    struct spinlock lock;
    unsigned nr_valid;
    unsigned first_free;
    const struct evtchn_abi *abi;
    struct evtchn *bucket[MAX_BUCKETS];
};
_Static_assert(sizeof(struct evtchn_table) <= PAGE_SIZE, "one allocation");

/* NULL: no such port, or the domain has none any more. Port 0 exists and is always CLOSED. */
static inline struct evtchn *evtchn_lookup(const struct domain *d, evtchn_port_t port)
{
    const struct evtchn_table *t = d->evtchn;

    if (unlikely(t == NULL || port >= t->nr_valid))
        return NULL;
    return &t->bucket[port / PORTS_PER_BUCKET][port % PORTS_PER_BUCKET];
}

static inline struct vcpu *notified_vcpu(const struct domain *d, const struct evtchn *e)
{
    return d->vcpu[e->notify_vcpu];
}

/* A free port, the lowest; -ENOSPC or -ENOMEM. The caller holds the lock and sets the state. */
int evtchn_get_free_port(struct domain *d);
/* -EINVAL: not open. Takes the locks itself. */
int evtchn_close_port(struct domain *d, evtchn_port_t port);
/* Both locks, in the order of lock.h; the domains may be the same. */
void evtchn_lock_pair(struct domain *a, struct domain *b);
void evtchn_unlock_pair(struct domain *a, struct domain *b);

#endif
