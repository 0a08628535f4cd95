/* struct cpu: what the hypervisor keeps for each CPU. this_cpu() is the one that runs this code; it
 * may change at every preemption point and sleep, so no pointer to it is kept across one. The
 * scheduler is sched.h's. */
#ifndef XEN_CPU_H
#define XEN_CPU_H

#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/irqsoff.h"
#include "xen/core/lock.h"
#include "xen/core/timer.h"

/* Questions to a CPU that it answers by number: request.c. */
struct question {
    uint32_t wanted, done;
};

#ifdef DEBUG
#define MAX_HELD_LOCKS 8u
struct held_locks {
    unsigned nr;
    struct spinlock *lock[MAX_HELD_LOCKS];
};
#endif

/* The fields are on cache lines by who writes them. Lines are fetched in pairs, so each CPU has
 * pairs of its own. */
struct cpu {
    /* This CPU writes them. Others read `running` and `id`. */
    struct vcpu *running;
    struct vcpu *idle;
    struct arch_cpu *arch;      /* the architecture's part */
    unsigned id;                /* its index in cpus[] */
    int64_t work_left;          /* units of work until a preemption point is due: see work_done() */
    uint64_t slice_start;       /* ns when `running` was chosen */
    struct vcpu *leaving;       /* the one that ran before it */
    uint64_t balanced_at;       /* ns when this CPU last compared itself with another, */
    unsigned balanced_with;     /* and with which */
    bool printing;              /* it holds the console's lock, or waits for it: console.c */
    bool steal_again;           /* a vCPU that could not be taken at this instant waits elsewhere */

    /* Other CPUs write them too, under lock. */
    __attribute__((aligned(64))) struct spinlock lock;
    unsigned nr_queued;
    struct list_head queue;     /* runnable vCPUs, without `running` */
    uint64_t min_vruntime;
    bool is_idle;               /* the idle vCPU runs, and none waits */
    bool idle_has_work;         /* a domain is to be reaped: see sched_wake_idle() */
    struct timer slice;
    struct timer_queue timers;

    /* Other CPUs write them without a lock: request.h. */
    __attribute__((aligned(64))) uint32_t requests;
    struct question flush, grace, alive, trace;
#ifdef DEBUG
    struct held_locks held;
#endif
#ifdef IRQSOFF
    struct irqsoff irqsoff;
#endif
} __attribute__((aligned(128)));

/* The CPUs that came up. cpus[0] is the one that booted; it builds and reaps domains, and has the
 * console. */
extern struct cpu **cpus;
extern unsigned nr_cpus;

#define for_each_cpu(c) \
    for (unsigned cpu_nr_ = 0; cpu_nr_ < nr_cpus && ((c) = cpus[cpu_nr_], true); cpu_nr_++)

static inline struct cpu *this_cpu(void)
{
    return current->cpu;
}

#endif
