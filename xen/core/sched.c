/* The scheduler: which vCPU runs, the queue of each CPU, slices, blocking and waking, preemption
 * points. Called by all code that blocks or wakes a vCPU, or works for long. The context switch
 * itself is arch_switch; what a blocked vCPU waits for is known only to the code that wakes it.
 *
 * A vCPU's vruntime is the time it ran, scaled by 256 / weight. The queue is in order of vruntime
 * and the vCPU with the least runs next, so that over time each gets its share. The weight is that
 * of the domain and counts for each of its vCPUs, as in Xen's schedulers: a domain with more busy
 * vCPUs gets more CPU time.
 *
 * Invariants, under sched_lock:
 *   S1  a vCPU is on its CPU's queue exactly when it is not blocked and does not run
 *   S2  the idle vCPU is blocked, and runs only when no other vCPU can. While there are domains to
 *       reap it is not blocked, and is scheduled like any other (S1)
 *   S3  min_vruntime never decreases; the vruntime of a vCPU that wakes is raised to it: sleeping
 *       earns no credit
 *   S4  boosted vCPUs are first in the queue. A vCPU is boosted when it wakes with a vruntime less
 *       than a slice above min_vruntime. So one that needs little time runs soon after it wakes,
 *       and one that uses much is not boosted
 *   S5  while the queue is not empty and a vCPU that is not blocked runs, the slice timer is armed
 *       or WORK_RESCHED is set
 */
#include "arch/arch.h"
#include "common/trace_format.h"
#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/irqsoff.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/trace.h"
#include "xen/core/vtimer.h"

#define DEFAULT_WEIGHT 256u
/* A vCPU runs at least so long before a boosted one preempts it. */
#define WAKE_GRANULARITY_NS 500000ull
#define REAP_SLICE_NS 1000000ull        /* the idle vCPU's slice while it reaps */
/* A vCPU runs at least so long after it woke another of its own domain. */
#define WAKER_GRACE_NS 200000ull

struct spinlock sched_lock = SPINLOCK(LOCK_QUEUE, 0);
unsigned sched_slice_us = 10000;
unsigned work_budget = 100000;

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

static void slice_over(void *arg)
{
    struct cpu *cpu = arg;

    cpu->running->own_work |= WORK_RESCHED;
}

void sched_init_cpu(struct cpu *cpu, struct vcpu *idle)
{
    list_init(&cpu->queue);
    timer_init(&cpu->slice, slice_over, cpu);
    list_init(&idle->queue);
    idle->cpu = cpu;
    idle->blocked = true;
    cpu->idle = cpu->running = idle;
    cpu->idle_has_work = false;
    cpu->work_left = work_budget;
    cpu->min_vruntime = 0;
}

void sched_init(struct vcpu *idle)
{
    idle_domain.weight = DEFAULT_WEIGHT;
    sched_init_cpu(cpus[0], idle);
}

/* The running vCPU v is the idle vCPU and has nothing to do. */
static inline bool idles(const struct vcpu *v)
{
    return v->blocked && is_idle(v);
}

void sched_add(struct vcpu *v)
{
    v->cpu = cpus[0];
    list_init(&v->queue);
    vcpu_timers_init(v);
    v->blocked = true;
    if (v->up)
        vcpu_wake(v);
}

static inline struct vcpu *first_queued(struct cpu *cpu)
{
    return list_empty(&cpu->queue) ? NULL : list_entry(cpu->queue.next, struct vcpu, queue);
}

static void enqueue(struct cpu *cpu, struct vcpu *v)
{
    struct list_head *at = &cpu->queue;

    while (at->prev != &cpu->queue) {
        const struct vcpu *before = list_entry(at->prev, struct vcpu, queue);

        if (before->boosted || (!v->boosted && before->vruntime <= v->vruntime))
            break;
        at = at->prev;
    }
    list_add_tail(&v->queue, at);
    v->on_queue = true;
}

static void dequeue(struct vcpu *v)
{
    list_del(&v->queue);
    v->on_queue = v->boosted = false;
}

/* Adds the time until now to the running vCPU's vruntime; idle time is not charged. */
static void account(struct cpu *cpu, uint64_t now)
{
    struct vcpu *v = cpu->running;
    uint64_t ran = now - v->run_since;
    unsigned weight = v->domain->weight;

    v->run_since = now;
    v->cpu_ns += ran;
    if (idles(v))
        return;
    if (weight != DEFAULT_WEIGHT)
        ran = ran * DEFAULT_WEIGHT / MAX(weight, 1u);
    v->vruntime += ran;
}

/* Raises min_vruntime to the least vruntime of all vCPUs that can run. Candidates are the running
 * vCPU, the boosted ones, and the first that is not boosted, as the rest of the queue is in
 * order. */
static void advance_min_vruntime(struct cpu *cpu)
{
    uint64_t least = idles(cpu->running) ? UINT64_MAX : cpu->running->vruntime;
    struct vcpu *v;

    list_for_each_entry(v, &cpu->queue, queue) {
        least = MIN(least, v->vruntime);
        if (!v->boosted)
            break;
    }
    if (least != UINT64_MAX)
        cpu->min_vruntime = MAX(cpu->min_vruntime, least);
}

/* v has joined the queue: decides when it preempts the running vCPU. If v is not boosted, at the
 * end of the slice. If it is boosted, soon; but with a delay when a vCPU of the same domain runs.
 * That vCPU often woke v while it holds a lock in the guest that v takes next, and v would spin for
 * the lock until its slice is over. */
static void check_preemption(struct cpu *cpu, struct vcpu *v, uint64_t now)
{
    uint64_t turn = cpu->slice_start + (v->boosted ? WAKE_GRANULARITY_NS : slice_of(cpu->running));

    if (v->boosted && cpu->running->domain == v->domain)
        turn = MAX(turn, now + WAKER_GRACE_NS);
    if (idles(cpu->running) || turn <= now)
        cpu->running->own_work |= WORK_RESCHED;
    else if (!timer_armed(&cpu->slice) || turn < cpu->slice.deadline_ns)
        timer_set(&cpu->slice, turn);
}

static inline bool is_offline(const struct vcpu *v)
{
    return !v->up || v->parked;
}

/* Puts v, which is not blocked and does not run, on the queue. */
static void join_queue(struct cpu *cpu, struct vcpu *v, uint64_t now)
{
    account(cpu, now);
    advance_min_vruntime(cpu);
    v->vruntime = MAX(v->vruntime, cpu->min_vruntime);
    v->boosted = v->vruntime < cpu->min_vruntime + slice_ns();
    enqueue(cpu, v);
    check_preemption(cpu, v, now);
}

/* No effect on a vCPU that is down (VCPUOP_down), nor on one that is parked because its domain has
 * ended. */
void vcpu_wake(struct vcpu *v)
{
    struct cpu *cpu = v->cpu;
    uint64_t now;

    if (!v->blocked || is_offline(v))
        return;
    now = now_ns();
    TRACE_OF(v->domain, TRACE_SCHED, TRC_SCHED_WAKE, v->domain->id, v->id);
    spin_lock(&sched_lock);
    v->blocked = false;
    if (unlikely(!v->started)) {
        v->started = true;
        v->domain->vcpus_inside++;
    }
    runstate_change(v, RUNSTATE_runnable, now);
    join_queue(cpu, v, now);
    spin_unlock(&sched_lock);
}

/* The idle vCPU's vruntime was not kept up to date while it was blocked. When it is the running
 * vCPU it need not be queued: it continues, not blocked. */
void sched_wake_idle(void)
{
    struct cpu *cpu = cpus[0];
    struct vcpu *idle = cpu->idle;

    cpu->idle_has_work = true;
    if (!idle->blocked)
        return;
    spin_lock(&sched_lock);
    idle->blocked = false;
    idle->vruntime = cpu->min_vruntime;
    if (cpu->running == idle)
        idle->run_since = now_ns();
    else
        join_queue(cpu, idle, now_ns());
    spin_unlock(&sched_lock);
}

void vcpu_pause(struct vcpu *v)
{
    spin_lock(&sched_lock);
    v->blocked = true;
    if (v->on_queue) {
        dequeue(v);
        runstate_change(v, RUNSTATE_offline, now_ns());
    }
    spin_unlock(&sched_lock);
}

/* blocked is set before the conditions are checked, so no wake-up is lost: one that comes after the
 * check finds blocked set and clears it; one that came before has left its condition, which the
 * check sees. */
void vcpu_block(void)
{
    struct vcpu *v = current;

    v->blocked = true;
    barrier();
    if (upcall_due(v) || (v->work & WORK_DOMAIN) || ((v->work & WORK_NMI) && !v->nmi_blocked)) {
        v->blocked = false;
        return;
    }
    schedule();
}

static struct vcpu *pick_next(struct cpu *cpu, struct vcpu *prev)
{
    struct vcpu *head = first_queued(cpu);

    if (!prev->blocked && (head == NULL || (!head->boosted && prev->vruntime <= head->vruntime)))
        return prev;
    if (!prev->blocked)
        enqueue(cpu, prev);
    if (head == NULL)
        return cpu->idle;
    dequeue(head);
    return head;
}

/* Runstates, timers, trace and cpu->running change from prev to next; arch_switch does the
 * registers. */
static void switch_accounts(struct cpu *cpu, struct vcpu *prev, struct vcpu *next, uint64_t now)
{
    if (!is_idle(prev)) {
        runstate_change(prev, !prev->blocked ? RUNSTATE_runnable :
                        is_offline(prev) ? RUNSTATE_offline : RUNSTATE_blocked, now);
        vcpu_timers_out(prev);
    } else if (tracing(TRACE_ALL)) {
        trace_runstate(prev, RUNSTATE_running, RUNSTATE_runnable);
    }
    TRACE_OF(prev->domain->trace & TRACE_SCHED ? prev->domain : next->domain, TRACE_SCHED,
             TRC_SCHED_SWITCH, prev->domain->id, prev->id, next->domain->id, next->id);
    if (!is_idle(next)) {
        runstate_change(next, RUNSTATE_running, now);
        if (next->runstate_area != 0)
            next->own_work |= WORK_PUBLISH;
    } else if (tracing(TRACE_ALL)) {
        trace_runstate(next, RUNSTATE_runnable, RUNSTATE_running);
    }
    next->run_since = now;
    cpu->running = next;
}

/* behind: the first in the queue runs before current does. */
static void reschedule(bool behind)
{
    struct vcpu *prev = current, *next;
    struct cpu *cpu = prev->cpu;
    uint64_t now = now_ns();
    unsigned before;

    spin_lock(&sched_lock);
    account(cpu, now);
    prev->own_work &= (uint16_t)~WORK_RESCHED;
    if (behind)
        prev->vruntime = MAX(prev->vruntime, first_queued(cpu)->vruntime + 1);
    next = pick_next(cpu, prev);
    if (next != prev)
        switch_accounts(cpu, prev, next, now);
    cpu->slice_start = now;
    if (list_empty(&cpu->queue) || idles(next))
        timer_cancel(&cpu->slice);
    else
        timer_set(&cpu->slice, now + slice_of(next));
    spin_unlock(&sched_lock);
    if (next == prev)
        return;
    if (!is_idle(next))
        vcpu_timers_in(next, now);
    if (unlikely(prev->runstate_area != 0))
        runstate_publish_leaving(prev);
    ASSERT(locks_held() == 0);
    before = irqsoff_begin(IRQSOFF_NOTHING);
    arch_switch(prev, next);
    irqsoff_end(before);
}

void schedule(void)
{
    reschedule(false);
}

void schedule_behind(void)
{
    if (!list_empty(&current->cpu->queue))
        reschedule(true);
}

void schedule_at_exit(void)
{
    struct vcpu *v = current;

    do {
        v->blocked = !v->up;
        schedule();
    } while (unlikely(!v->up));
}

/* The idle vCPU is blocked while it builds domains, as when it idles, and is not preempted then: it
 * would continue only when no other vCPU can run. */
bool preempt_point(void)
{
    struct vcpu *v = current;
    unsigned before;

    ASSERT(locks_held() == 0);
    v->cpu->work_left = work_budget;
    before = irqsoff_begin(IRQSOFF_NOTHING);
    arch_interrupt_window();
    irqsoff_end(before);
    if (likely(!(v->work & WORK_RESCHED)) || idles(v))
        return false;
    schedule();
    return true;
}
