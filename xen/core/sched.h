/* The scheduler: shares the CPU between runnable vCPUs by weight, in slices, preemptively; halts when none is.
 * Policy: least weighted run time first; a vCPU that wakes gets no credit for the time it slept. */
#ifndef XEN_SCHED_H
#define XEN_SCHED_H

#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/lock.h"
#include "xen/core/timer.h"

struct cpu {
    struct vcpu *running;
    struct vcpu *idle;
    unsigned id;
    uint32_t flush_stamp;       /* value of tlb_clock at this CPU's last full flush: see frame.h */
    bool idle_has_work;         /* a domain is to be reaped: see sched_wake_idle() */
    int64_t work_left;          /* until a preemption point is due: see work_done() */
    uint64_t ticks;
    struct list_head queue;     /* runnable vCPUs, not the running one */
    uint64_t min_vruntime;
    uint64_t slice_start;       /* when running was picked */
    struct timer slice;
};

extern struct cpu boot_cpu;
extern struct spinlock sched_lock;
extern unsigned sched_slice_us;            /* sched_credit_tslice_ms= */

void sched_init(struct vcpu *idle);
void sched_add(struct vcpu *v);             /* known from now on; runs once up and not blocked */
void vcpu_wake(struct vcpu *v);             /* clears blocked; sets WORK_RESCHED where it should preempt */
void vcpu_block(void);                      /* current: sleeps unless an upcall is deliverable; returns when woken */
void vcpu_pause(struct vcpu *v);            /* off the queue, until vcpu_wake */
void schedule(void);                        /* picks the next vCPU; returns when current runs again */
void schedule_behind(void);                 /* the same, but whoever is next in the queue goes first */
/* For the way out to the guest: schedule(), and while VCPUOP_down holds current down, it does not return. */
void schedule_at_exit(void);
/* There is a domain to reap. From now until domain_reap() is done, the idle vCPU has its share like any vCPU of weight 256. */
void sched_wake_idle(void);
/* Long operations call this between steps, holding no lock: lets interrupts in and others run when it is time.
 * True when somebody else may have run meanwhile. */
bool preempt_point(void);

/* How long interrupts stay off. Whatever a guest can make long, by one request or by many in a row, counts what it did, in
 * units of about an instruction; the count goes on through nested operations and from one member of a multicall to the
 * next. When the budget is used up, the next place that can takes a preemption point, which begins a new count. Between two
 * such places there may be no more than half a million instructions. */
extern unsigned work_budget;

/* Counts work; true: a preemption point is due. */
static inline bool work_done(unsigned units)
{
    return unlikely((current->cpu->work_left -= units) <= 0);
}

/* Where no preemption point can be: the next place that has one will find it due. */
static inline void count_work(unsigned units)
{
    (void)work_done(units);
}

/* Counts work, and takes the preemption point when it is due. */
static inline void preempt_after(unsigned units)
{
    if (work_done(units))
        preempt_point();
}

#endif
