/* The queue of a CPU: its order, the accounts of run time that decide it, and when a vCPU that
 * joins it preempts the one that runs. The invariants are in sched.c. Called by the other parts of
 * the scheduler: sched.c (who runs next), sched_wake.c, sched_place.c (which CPU's queue) and
 * sched_cap.c. */
#include "arch/arch.h"
#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/request.h"
#include "xen/core/sched_queue.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"

/* A vCPU runs at least so long before a boosted one preempts it. */
#define WAKE_GRANULARITY_NS 500000ull
/* A vCPU runs at least so long after it woke another of its own domain. */
#define WAKER_GRACE_NS 200000ull

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

void enqueue(struct cpu *cpu, struct vcpu *v)
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
        request_cpu(cpu, REQUEST_RESCHED);      /* it continues in look_at_queue() */
    else if (idles(cpu->running) || turn <= now)
        cpu->running->own_work |= WORK_RESCHED;
    else
        timer_set(&cpu->slice, turn);
}

void queue_add(struct cpu *cpu, struct vcpu *v, uint64_t now)
{
    enqueue(cpu, v);
    WRITE_ONCE(cpu->is_idle, false);
    check_preemption(cpu, v, now);
}

void join_queue(struct cpu *cpu, struct vcpu *v, uint64_t now)
{
    account(cpu, now);
    advance_min_vruntime(cpu);
    v->vruntime = MAX(v->vruntime, cpu->min_vruntime);
    v->boosted = v->vruntime < cpu->min_vruntime + slice_ns();
    queue_add(cpu, v, now);
}

/* REQUEST_RESCHED: another CPU has put a vCPU on this CPU's queue, or offers one to an idle CPU
 * (sched_place.c). */
static void look_at_queue(void)
{
    struct cpu *cpu = this_cpu();
    uint64_t now = now_ns();

    spin_lock(&cpu->lock);
    if (!list_empty(&cpu->queue))
        check_preemption(cpu, first_queued(cpu), now);
    else
        cpu->steal_again = idles(cpu->running);
    spin_unlock(&cpu->lock);
}

void queue_init(struct cpu *cpu)
{
    reschedule_requested = look_at_queue;
    list_init(&cpu->queue);
    cpu->nr_queued = 0;
    cpu->min_vruntime = 0;
}
