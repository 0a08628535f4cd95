/* The scheduler: the choice of the vCPU that runs next, its slice, the switch to it, preemption
 * points. Called by a vCPU that gives up its CPU, at the exit to the guest (WORK_RESCHED) and by
 * idle CPUs. Here is also what is true of all of the scheduler. Its other parts: the queue of a CPU
 * is sched_queue.c's, blocking and waking sched_wake.c's, which CPU runs a vCPU sched_place.c's,
 * caps sched_cap.c's. The context switch itself is arch_switch.
 *
 * A vCPU's vruntime is the time it ran, scaled by 256 / weight. The queue is in order of
 * vruntime and the vCPU with the least runs next, so that over time each gets its share. The
 * weight is that of the domain and counts for each of its vCPUs, as in Xen's schedulers: a
 * domain with more busy vCPUs gets more CPU time.
 *
 * Each CPU has a queue, with a lock. v->cpu says whose queue v is on, or was; it changes under
 * the lock of the old CPU's queue. vruntime is one scale for all CPUs.
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

unsigned sched_slice_us = 10000;
unsigned sched_nr_cpus = 1;
unsigned work_budget = 100000;

static void slice_over(void *arg)
{
    struct cpu *cpu = arg;

    cpu->running->own_work |= WORK_RESCHED;
}

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
    queue_init(cpu);
    list_init(&idle->queue);
    idle->cpu = idle->on_cpu = cpu;
    idle->blocked = true;
    idle_domain.weight = DEFAULT_WEIGHT;
    cpu->idle = cpu->running = idle;
    cpu->is_idle = true;
    cpu->idle_has_work = false;
    cpu->work_left = work_budget;
    cpu->balanced_at = 0;
}

void sched_add(struct vcpu *v)
{
    v->cpu = first_cpu_of(v);
    list_init(&v->queue);
    vcpu_timers_init(v);
    v->blocked = true;
}

/* Its domain has used up its cap. */
static void throttle(struct cpu *cpu, struct vcpu *v)
{
    queue_remove(cpu, v);
    v->throttled = true;
}

static struct vcpu *pick_next(struct cpu *cpu, struct vcpu *prev)
{
    bool stays = !prev->blocked && likely(cap_allows(prev));
    struct vcpu *head;

    while ((head = first_queued(cpu)) != NULL) {
        if (stays && !head->boosted && prev->vruntime <= head->vruntime)
            return prev;
        if (likely(cap_allows(head)))
            break;
        throttle(cpu, head);
    }
    if (stays && head == NULL)
        return prev;
    if (stays) {
        enqueue(cpu, prev);
        offer(cpu, prev);
    } else if (unlikely(!prev->blocked)) {
        prev->throttled = true;
    }
    if (head == NULL) {
        head = steal(cpu);
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
        if (unlikely(prev->domain->cap != 0))
            cap_return(prev);
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

/* The slice timer has nothing else to do: no other vCPU waits here. The interrupt that ends the
 * halt may also have put one into the queue. */
void sched_halt(uint64_t ns)
{
    struct timer *slice = &this_cpu()->slice;
    uint64_t end = now_ns() + ns;
    unsigned before;

    if (!timer_armed(slice) || slice->deadline_ns > end)
        timer_set(slice, end);
    before = irqsoff_begin(IRQSOFF_NOTHING);
    arch_idle();
    irqsoff_end(before);
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
