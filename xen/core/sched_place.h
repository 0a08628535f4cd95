/* Which CPU runs a vCPU. All but first_cpu_of() are called with the lock of cpu's queue. */
#ifndef XEN_SCHED_PLACE_H
#define XEN_SCHED_PLACE_H

#include "xen/core/cpu.h"
#include "xen/core/domain.h"

/* The CPU for a vCPU that never ran. */
struct cpu *first_cpu_of(const struct vcpu *v);
/* The CPU whose queue v, of cpu's, should join; if it is another it is locked, too, and v is that
 * CPU's from now on. */
struct cpu *place_woken(struct vcpu *v, struct cpu *cpu);
/* Takes a vCPU of another CPU's queue, to run on this one; NULL: none. */
struct vcpu *steal(struct cpu *cpu);
/* At most once a slice, gives a vCPU to another CPU that is ahead. */
void balance(struct cpu *cpu, uint64_t now);

#endif
