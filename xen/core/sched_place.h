/* Which CPU runs a vCPU. All but first_cpu_of() are called with the lock of cpu's queue. */
#ifndef XEN_SCHED_PLACE_H
#define XEN_SCHED_PLACE_H

#include "xen/core/cpu.h"
#include "xen/core/domain.h"

/* The CPU for a vCPU that never ran. */
struct cpu *first_cpu_of(const struct vcpu *v);
/* v, of cpu's, which was blocked or throttled, no longer is: it joins the queue of a CPU that
 * idles, or else of cpu. */
void join_best_queue(struct cpu *cpu, struct vcpu *v, uint64_t now);
/* v is on the queue of cpu, which is busy: asks a CPU that idles to take it. */
void offer(struct cpu *cpu, const struct vcpu *v);
/* This CPU would idle: takes a vCPU of another CPU's queue, to run here; NULL: none. */
struct vcpu *steal(struct cpu *cpu);
/* At most once a slice, gives a vCPU to another CPU that is ahead. */
void balance(struct cpu *cpu, uint64_t now);

#endif
