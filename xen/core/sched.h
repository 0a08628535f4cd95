/* The scheduler: shares the CPUs between runnable vCPUs by weight, in slices, preemptively; a CPU
 * halts when none is. Policy: least weighted run time first; a vCPU that wakes gets no credit for
 * the time it slept. */
#ifndef XEN_SCHED_H
#define XEN_SCHED_H

#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/lock.h"
#include "xen/core/request.h"

extern unsigned sched_slice_us;            /* sched_credit_tslice_ms= */
extern unsigned sched_nr_cpus;             /* guests run on the first so many of cpus[] */

/* c, zeroed, becomes CPU number id. */
void cpu_set_up(struct cpu *c, unsigned id);
void sched_init(struct cpu *cpu, struct vcpu *idle);
void sched_add(struct vcpu *v);             /* a new vCPU, which is down */
/* Called after each arch_switch(), and by a vCPU at its first run: the stack of the vCPU that ran
 * before has been left. */
void sched_switched(void);
/* Another vCPU may run; returns when current runs again. */
void schedule(void);
/* The same, but the first in the queue runs before current does. */
void schedule_behind(void);
/* With an empty queue: halts the CPU until an interrupt comes, for ns at most, while current waits
 * for something that it has to look at again. Then call preempt_point(). */
void sched_halt(uint64_t ns);
/* WORK_RESCHED at the exit to the guest: schedule(). Does not return while current is down
 * (VCPUOP_down). */
void schedule_at_exit(void);
/* With interrupts off, before the idle vCPU halts the CPU: it must call schedule() instead. */
static inline bool sched_has_work(const struct cpu *cpu)
{
    return !list_empty(&cpu->queue) || READ_ONCE(cpu->idle_has_work) || cpu->steal_again;
}
/* May sleep; called between the steps of a long operation, without locks. Opens an interrupt
 * window, and lets other vCPUs run when one should. True: others may have run. */
bool preempt_point(void);

/* Bounds how long interrupts stay off. Every operation that a guest can make long, by one request
 * or by many in a row, counts its work, in units of about one instruction. The count continues
 * through nested operations and from one member of a multicall to the next. When it reaches
 * work_budget, the next place in the code where that is possible calls preempt_point(), which
 * starts a new count. Between two such places there are at most half a million instructions. */
extern unsigned work_budget;

/* Counts units of work. True: a preemption point is due. */
static inline bool work_done(unsigned units)
{
    return unlikely((this_cpu()->work_left -= units) <= 0);
}

/* For code that cannot call preempt_point(): counts, and the next place that can will find it
 * due. */
static inline void count_work(unsigned units)
{
    (void)work_done(units);
}

/* Counts, and calls preempt_point() when it is due; then it may sleep. */
static inline void preempt_after(unsigned units)
{
    if (work_done(units))
        preempt_point();
}

/* v, which may run on another CPU, has an event or other work that its exit to the guest looks at:
 * makes it leave the guest. What it is to see was written by a locked instruction. */
static inline void vcpu_kick(const struct vcpu *v)
{
    struct cpu *cpu = READ_ONCE(v->on_cpu);

    if (unlikely(cpu != NULL && cpu != this_cpu()))
        request_cpu(cpu, REQUEST_KICK);
}

#endif
