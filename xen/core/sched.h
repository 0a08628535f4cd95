/* The scheduler: shares the CPU between runnable vCPUs by weight, in slices, preemptively; halts
 * when none is. Policy: least weighted run time first; a vCPU that wakes gets no credit for the
 * time it slept. */
#ifndef XEN_SCHED_H
#define XEN_SCHED_H

#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/lock.h"

extern struct spinlock sched_lock;
extern unsigned sched_slice_us;            /* sched_credit_tslice_ms= */

void sched_init(struct vcpu *idle);
struct cpu;
void sched_init_cpu(struct cpu *cpu, struct vcpu *idle);    /* an empty queue */
void sched_add(struct vcpu *v);             /* a new vCPU, blocked unless it is up */
/* Clears blocked; sets WORK_RESCHED of the running vCPU if v preempts it. */
void vcpu_wake(struct vcpu *v);
/* The running vCPU sleeps, unless an upcall can be delivered; returns when woken. */
void vcpu_block(void);
/* Blocks v and removes it from the queue, until vcpu_wake. */
void vcpu_pause(struct vcpu *v);
/* Another vCPU may run; returns when current runs again. */
void schedule(void);
/* The same, but the first in the queue runs before current does. */
void schedule_behind(void);
/* WORK_RESCHED at the exit to the guest: schedule(). Does not return while current is down
 * (VCPUOP_down). */
void schedule_at_exit(void);
/* There is a domain to reap. Until domain_reap() is done, the idle vCPU is scheduled like a vCPU of
 * weight 256. */
void sched_wake_idle(void);
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

#endif
