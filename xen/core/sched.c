/* The scheduler: which vCPU runs, the queue of each CPU, slices, blocking and waking, preemption
 * points. Called by all code that blocks or wakes a vCPU, or works for long. The context switch
 * itself is arch_switch; what a blocked vCPU waits for is known only to the code that wakes it.
 *
 * A vCPU's vruntime is the time it ran, scaled by 256 / weight. The queue is in order of
 * vruntime and the vCPU with the least runs next, so that over time each gets its share. The
 * weight is that of the domain and counts for each of its vCPUs, as in Xen's schedulers: a
 * domain with more busy vCPUs gets more CPU time.
 *
 * Each CPU has a queue, with a lock. v->cpu says whose queue v is on, or was; it changes under
 * the lock of the old CPU's queue. vruntime is one scale for all CPUs. Which CPU's queue a vCPU
 * joins is sched_place.c's, caps are sched_cap.c's.
 *
 * Invariants, under the queue's lock:
 *   S1  a vCPU is on its CPU's queue exactly when it is not blocked, not throttled and does not run
 *   S2  the idle vCPU is blocked, and runs only when no other vCPU can. While there are domains to
 *       reap it is not blocked, and is scheduled like any other (S1)
 *   S3  min_vruntime never decreases; the vruntime of a vCPU that wakes is raised to it: sleeping
 *       earns no credit
 *   S4  boosted vCPUs are first in the queue. A vCPU is boosted when it wakes with a vruntime less
 *       than a slice above min_vruntime. So one that needs little time runs soon after it wakes,
 *       and one that uses much is not boosted
 *   S5  while the queue is not empty and a vCPU that is not blocked runs, the slice timer is armed,
 *       or WORK_RESCHED is set, or REQUEST_RESCHED
 *   S6  v->on_cpu is the CPU that runs v, from before its page tables are loaded until its stack
 *       has been left. Only when it is NULL may another CPU take v
 */
#include "arch/arch.h"
#include "common/string.h"
#include "common/trace_format.h"
#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/irqsoff.h"
#include "xen/core/lock.h"
#include "xen/core/request.h"
#include "xen/core/sched.h"
#include "xen/core/sched_cap.h"
#include "xen/core/sched_place.h"
#include "xen/core/sched_queue.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/trace.h"
#include "xen/core/vtimer.h"

/* A vCPU runs at least so long before a boosted one preempts it. */
#define WAKE_GRANULARITY_NS 500000ull
#define REAP_SLICE_NS 1000000ull        /* the idle vCPU's slice while it reaps */
/* A vCPU runs at least so long after it woke another of its own domain. */
#define WAKER_GRACE_NS 200000ull

unsigned sched_slice_us = 10000;
unsigned sched_nr_cpus = 1;
unsigned work_budget = 100000;

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

static void sched_look(void);

void cpu_set_up(struct cpu *c, unsigned id)
{
    c->id = id;
    spin_lock_init(&c->lock, LOCK_QUEUE, id);
    list_init(&c->queue);
    timer_queue_init(&c->timers, id);
}

void sched_init(struct cpu *cpu, struct vcpu *idle)
{
    timer_init(&cpu->slice, slice_over, cpu);
    list_init(&cpu->queue);
    list_init(&idle->queue);
    idle->cpu = idle->on_cpu = cpu;
    idle->blocked = true;
    idle_domain.weight = DEFAULT_WEIGHT;
    reschedule_requested = sched_look;
    cpu->idle = cpu->running = idle;
    cpu->nr_queued = 0;
    cpu->is_idle = true;
    cpu->idle_has_work = false;
    cpu->work_left = work_budget;
    cpu->min_vruntime = cpu->balanced_at = 0;
}

void sched_add(struct vcpu *v)
{
    v->cpu = first_cpu_of(v);
    list_init(&v->queue);
    vcpu_timers_init(v);
    v->blocked = true;
    if (v->up)
        vcpu_wake(v);
}

struct cpu *lock_queue_of(const struct vcpu *v)
{
    struct cpu *cpu;

    for (;;) {
        cpu = READ_ONCE(v->cpu);
        spin_lock(&cpu->lock);
        if (likely(cpu == v->cpu))
            return cpu;
        spin_unlock(&cpu->lock);        /* it moved meanwhile */
    }
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
    WRITE_ONCE(cpu->nr_queued, cpu->nr_queued + 1);
}

void queue_remove(struct cpu *cpu, struct vcpu *v)
{
    list_del(&v->queue);
    v->on_queue = v->boosted = false;
    WRITE_ONCE(cpu->nr_queued, cpu->nr_queued - 1);
}

/* Adds the time until now to the running vCPU's vruntime; idle time is not charged. Another CPU may
 * have read its clock a little later. */
void account(struct cpu *cpu, uint64_t now)
{
    struct vcpu *v = cpu->running;
    uint64_t ran = now > v->run_since ? now - v->run_since : 0;
    unsigned weight = v->domain->weight;

    v->run_since = now;
    v->cpu_ns += ran;
    if (idles(v))
        return;
    if (unlikely(v->domain->cap != 0))
        v->allowance -= (int64_t)ran;
    if (weight != DEFAULT_WEIGHT)
        ran = ran * DEFAULT_WEIGHT / MAX(weight, 1u);
    v->vruntime += ran;
}

/* The least vruntime of all vCPUs that run or wait here; UINT64_MAX: there is none. Candidates
 * are the running vCPU, the boosted ones, and the first that is not boosted, as the rest of the
 * queue is in order. */
uint64_t least_vruntime(const struct cpu *cpu)
{
    uint64_t least = idles(cpu->running) ? UINT64_MAX : cpu->running->vruntime;
    struct vcpu *v;

    list_for_each_entry(v, &cpu->queue, queue) {
        least = MIN(least, v->vruntime);
        if (!v->boosted)
            break;
    }
    return least;
}

static void advance_min_vruntime(struct cpu *cpu)
{
    uint64_t least = least_vruntime(cpu);

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
    if (!idles(cpu->running) && turn > now && timer_armed(&cpu->slice) &&
        turn >= cpu->slice.deadline_ns)
        return;
    if (unlikely(cpu != this_cpu()))
        request_cpu(cpu, REQUEST_RESCHED);      /* it continues in sched_look() */
    else if (idles(cpu->running) || turn <= now)
        cpu->running->own_work |= WORK_RESCHED;
    else
        timer_set(&cpu->slice, turn);
}

/* REQUEST_RESCHED: another CPU has put a vCPU on this CPU's queue. */
static void sched_look(void)
{
    struct cpu *cpu = this_cpu();
    uint64_t now = now_ns();

    spin_lock(&cpu->lock);
    if (!list_empty(&cpu->queue))
        check_preemption(cpu, first_queued(cpu), now);
    spin_unlock(&cpu->lock);
}

static inline bool is_offline(const struct vcpu *v)
{
    return !READ_ONCE(v->up) || v->parked;
}

void queue_add(struct cpu *cpu, struct vcpu *v, uint64_t now)
{
    enqueue(cpu, v);
    WRITE_ONCE(cpu->is_idle, false);
    check_preemption(cpu, v, now);
}

/* Puts v, which is not blocked and does not run, on the queue. */
void join_queue(struct cpu *cpu, struct vcpu *v, uint64_t now)
{
    account(cpu, now);
    advance_min_vruntime(cpu);
    v->vruntime = MAX(v->vruntime, cpu->min_vruntime);
    v->boosted = v->vruntime < cpu->min_vruntime + slice_ns();
    queue_add(cpu, v, now);
}

/* No effect on a vCPU that is down (VCPUOP_down), nor on one that is parked because its domain has
 * ended. One that still runs, because it is about to sleep, only goes on. */
void vcpu_wake(struct vcpu *v)
{
    struct cpu *cpu, *target;
    uint64_t now;

    if (!READ_ONCE(v->blocked) || is_offline(v))
        return;
    cpu = lock_queue_of(v);
    if (likely(v->blocked && !is_offline(v))) {
        now = now_ns();
        TRACE_OF(v->domain, TRACE_SCHED, TRC_SCHED_WAKE, v->domain->id, v->id);
        WRITE_ONCE(v->blocked, false);
        if (likely(cpu->running != v)) {
            runstate_change(v, RUNSTATE_runnable, now);
            if (likely(!v->throttled)) {
                target = sched_nr_cpus == 1 ? cpu : place_woken(v, cpu);
                join_queue(target, v, now);
                if (unlikely(target != cpu))
                    spin_unlock(&target->lock);
            }
        }
    }
    spin_unlock(&cpu->lock);
}

/* The idle vCPU's vruntime was not kept up to date while it was blocked. When it is the running
 * vCPU it need not be queued: it continues, not blocked. */
void sched_wake_idle(void)
{
    struct cpu *cpu = cpus[0];
    struct vcpu *idle = cpu->idle;

    spin_lock(&cpu->lock);
    WRITE_ONCE(cpu->idle_has_work, true);
    if (idle->blocked) {
        idle->blocked = false;
        idle->vruntime = cpu->min_vruntime;
        if (cpu->running != idle)
            join_queue(cpu, idle, now_ns());
        else
            idle->run_since = now_ns();
        if (cpu != this_cpu())
            request_cpu(cpu, REQUEST_RESCHED);
    }
    spin_unlock(&cpu->lock);
}

bool sched_idle_done(void)
{
    struct cpu *cpu = this_cpu();
    bool done;

    spin_lock(&cpu->lock);
    done = !cpu->idle_has_work;
    cpu->idle->blocked = done;
    spin_unlock(&cpu->lock);
    return done;
}

void vcpu_pause(struct vcpu *v)
{
    struct cpu *cpu = lock_queue_of(v);

    WRITE_ONCE(v->blocked, true);
    if (v->on_queue) {
        queue_remove(cpu, v);
        runstate_change(v, RUNSTATE_offline, now_ns());
    }
    spin_unlock(&cpu->lock);
}

void vcpu_stop(struct vcpu *v)
{
    struct cpu *cpu = lock_queue_of(v);

    if (v->blocked && cpu->running != v)
        runstate_change(v, RUNSTATE_offline, now_ns());
    else
        ask_work(v, WORK_STOP);
    spin_unlock(&cpu->lock);
    vcpu_kick(v);
}

void vcpu_get_runstate(const struct vcpu *v, struct vcpu_runstate_info *r)
{
    struct cpu *cpu = lock_queue_of(v);

    memcpy(r, &v->runstate, sizeof(*r));        /* with its padding, which is zero */
    spin_unlock(&cpu->lock);
}

/* blocked is set before the conditions are checked, so no wake-up is lost: one that comes after the
 * check finds blocked set and clears it; one that came before has left its condition, which the
 * check sees. The fence keeps the CPU from checking first. */
void vcpu_block(void)
{
    WRITE_ONCE(current->blocked, true);
    smp_mb();
    vcpu_block_woken();
}

void vcpu_block_woken(void)
{
    struct vcpu *v = current;

    if (upcall_due(v) || (v->work & WORK_DOMAIN) || ((v->work & WORK_NMI) && !v->nmi_blocked)) {
        WRITE_ONCE(v->blocked, false);
        return;
    }
    schedule();
}

/* The first that may run now; those whose domain has used up its cap leave the queue. */
static struct vcpu *first_allowed(struct cpu *cpu)
{
    struct vcpu *head;

    while ((head = first_queued(cpu)) != NULL && unlikely(!cap_allows(head))) {
        queue_remove(cpu, head);
        head->throttled = true;
    }
    return head;
}

static struct vcpu *pick_next(struct cpu *cpu, struct vcpu *prev)
{
    bool stays = !prev->blocked && likely(cap_allows(prev));
    struct vcpu *head = first_allowed(cpu);

    if (stays && (head == NULL || (!head->boosted && prev->vruntime <= head->vruntime)))
        return prev;
    if (stays)
        enqueue(cpu, prev);
    else if (unlikely(!prev->blocked))
        prev->throttled = true;
    if (head == NULL) {
        head = sched_nr_cpus == 1 ? NULL : steal(cpu);
        return head != NULL ? head : cpu->idle;
    }
    queue_remove(cpu, head);
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
    WRITE_ONCE(next->on_cpu, cpu);      /* CR3 is loaded next, which is a fence (S6) */
    cpu->leaving = prev;
    WRITE_ONCE(cpu->is_idle, idles(next));
}

void sched_switched(void)
{
    struct cpu *cpu = this_cpu();

    if (!is_idle(cpu->leaving))
        store_release(&cpu->leaving->on_cpu, NULL);
}

/* When next must give up the CPU; NO_DEADLINE: no other waits, and it has no cap. */
static inline uint64_t slice_end(const struct cpu *cpu, const struct vcpu *next, uint64_t now)
{
    uint64_t end = list_empty(&cpu->queue) || idles(next) ? NO_DEADLINE : now + slice_of(next);

    if (unlikely(next->domain->cap != 0))
        end = MIN(end, now + (uint64_t)next->allowance);
    return end;
}

/* behind: the first in the queue runs before current does. */
static void reschedule(bool behind)
{
    struct vcpu *prev = current, *next;
    struct cpu *cpu = prev->cpu;
    uint64_t now, end;
    unsigned before;

    spin_lock(&cpu->lock);
    now = now_ns();
    account(cpu, now);
    prev->own_work &= (uint16_t)~WORK_RESCHED;
    if (behind && !list_empty(&cpu->queue))
        prev->vruntime = MAX(prev->vruntime, first_queued(cpu)->vruntime + 1);
    if (sched_nr_cpus != 1)
        balance(cpu, now);
    next = pick_next(cpu, prev);
    if (next != prev)
        switch_accounts(cpu, prev, next, now);
    cpu->slice_start = now;
    end = slice_end(cpu, next, now);
    if (end == NO_DEADLINE)
        timer_cancel(&cpu->slice);
    else
        timer_set(&cpu->slice, end);
    spin_unlock(&cpu->lock);
    if (next == prev)
        return;
    if (!is_idle(next))
        vcpu_timers_in(next, now);
    if (unlikely(prev->runstate_area != 0))
        runstate_publish_leaving(prev);
    ASSERT(locks_held() == 0);
    before = irqsoff_begin(IRQSOFF_NOTHING);
    arch_switch(prev, next);
    sched_switched();
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
        if (unlikely(!READ_ONCE(v->up))) {      /* as in vcpu_block() */
            WRITE_ONCE(v->blocked, true);
            smp_mb();
            if (READ_ONCE(v->up))
                WRITE_ONCE(v->blocked, false);
        }
        schedule();
    } while (unlikely(!READ_ONCE(v->up)));
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
