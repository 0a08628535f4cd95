/* The queue of a CPU, for the parts of the scheduler: sched.c, sched_place.c, sched_cap.c. All
 * functions but the last group are called with the lock of the CPU's queue. */
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

/* sched.c */
void account(struct cpu *cpu, uint64_t now);
uint64_t least_vruntime(const struct cpu *cpu);
void queue_remove(struct cpu *cpu, struct vcpu *v);
void queue_add(struct cpu *cpu, struct vcpu *v, uint64_t now);
/* v, which was not blocked, throttled or running, becomes so: as queue_add(), but it has no credit
 * for the time that it slept, and may be boosted. */
void join_queue(struct cpu *cpu, struct vcpu *v, uint64_t now);

/* sched_place.c. place_woken: the CPU whose queue v, of cpu's, should join; if it is another it is
 * locked, too, and v is that CPU's from now on. steal: takes a vCPU of another CPU's queue, to run
 * here; NULL: none. balance: at most once a slice, gives a vCPU to another CPU that is ahead. */
struct cpu *place_woken(struct vcpu *v, struct cpu *cpu);
struct vcpu *steal(struct cpu *cpu);
void balance(struct cpu *cpu, uint64_t now);

/* sched_cap.c. False: v's domain has used up its cap, v must wait for the next period. */
bool cap_take(struct vcpu *v);
static inline bool cap_allows(struct vcpu *v)
{
    return likely(v->domain->cap == 0) || v->allowance > 0 || cap_take(v);
}

/* Without a lock. */
struct cpu *first_cpu_of(const struct vcpu *v);     /* a new vCPU's */
struct cpu *lock_queue_of(const struct vcpu *v);
void cap_begin(struct domain *d);                   /* d starts to run */
void cap_end(struct domain *d);                     /* d is dying */

#endif
