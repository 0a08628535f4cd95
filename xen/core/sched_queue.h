/* The queue of a CPU, for the parts of the scheduler: sched.c, which defines these functions,
 * sched_place.c and sched_cap.c. All but the last are called with the lock of the CPU's queue. */
#ifndef XEN_SCHED_QUEUE_H
#define XEN_SCHED_QUEUE_H

#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/sched.h"

#define DEFAULT_WEIGHT 256u

static inline uint64_t slice_ns(void)
{
    return sched_slice_us * 1000ull;
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

void account(struct cpu *cpu, uint64_t now);
uint64_t least_vruntime(const struct cpu *cpu);
void queue_remove(struct cpu *cpu, struct vcpu *v);
void queue_add(struct cpu *cpu, struct vcpu *v, uint64_t now);
/* v, which was not blocked, throttled or running, becomes so: as queue_add(), but it has no credit
 * for the time that it slept, and may be boosted. */
void join_queue(struct cpu *cpu, struct vcpu *v, uint64_t now);

/* Without a lock. */
struct cpu *lock_queue_of(const struct vcpu *v);

#endif
