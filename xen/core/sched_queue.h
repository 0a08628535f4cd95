/* What the parts of the scheduler share: the queue of a CPU. All but queue_init()
 * and lock_queue_of() are called with the lock of the CPU's queue. */
#ifndef XEN_SCHED_QUEUE_H
#define XEN_SCHED_QUEUE_H

#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/sched.h"

#define DEFAULT_WEIGHT 256u
#define REAP_SLICE_NS 1000000ull        /* the idle vCPU's slice while it reaps */

static inline uint64_t slice_ns(void)
{
    return sched_slice_us * 1000ull;
}

/* The idle vCPU reaps ended domains in short slices, so that a guest's vCPU does not wait a whole
 * slice for that. */
static inline uint64_t slice_of(const struct vcpu *v)
{
    return is_idle(v) ? REAP_SLICE_NS : slice_ns();
}

static inline bool is_offline(const struct vcpu *v)
{
    return (!READ_ONCE(v->up) && !READ_ONCE(v->waits)) || v->parked;
}

/* The running vCPU v is an idle vCPU and has nothing to do. */
static inline bool idles(const struct vcpu *v)
{
    return v->blocked && is_idle(v);
}

static inline struct vcpu *first_queued(struct cpu *cpu)
{
    return list_empty(&cpu->queue) ? NULL : list_entry(cpu->queue.next, struct vcpu, queue);
}

static inline void queue_remove(struct cpu *cpu, struct vcpu *v)
{
    list_del(&v->queue);
    v->on_queue = v->boosted = false;
    WRITE_ONCE(cpu->nr_queued, cpu->nr_queued - 1);
}

void queue_init(struct cpu *cpu);
void account(struct cpu *cpu, uint64_t now);
uint64_t least_vruntime(const struct cpu *cpu);
/* Puts v, which ran until now, in its place in the queue. */
void enqueue(struct cpu *cpu, struct vcpu *v);
/* The same for one that did not run: it may preempt the running vCPU. */
void queue_add(struct cpu *cpu, struct vcpu *v, uint64_t now);
/* v, which was blocked or throttled, no longer is: as queue_add(), but it has no credit for the
 * time that it slept, and may be boosted. */
void join_queue(struct cpu *cpu, struct vcpu *v, uint64_t now);

/* Without a lock. */
struct cpu *lock_queue_of(const struct vcpu *v);

#endif
