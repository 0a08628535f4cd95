/* Which CPU runs a vCPU: placement of one that wakes, stealing by a CPU that would idle, and
 * balance between busy CPUs. Called by sched.c, sched_wake.c and sched_cap.c.
 *
 * vruntime is one scale for all CPUs: a vCPU with the same weight that ran as long has the same,
 * wherever it ran. So a CPU whose least vruntime is behind another's has too many vCPUs, and
 * gives the one that is most behind to the other. Three busy vCPUs of one weight rotate over two
 * CPUs so, and each has two thirds of a CPU.
 *
 * A second queue's lock is only tried for, so its order is free. A vCPU moves while it is on no
 * CPU (S6) and both queues are locked.
 *
 *   S7  no CPU idles while a vCPU that may run there waits on another's queue. A CPU sets is_idle,
 *       then looks at the lengths of the queues (steal). Who makes a queue longer, where a vCPU
 *       runs, then looks for is_idle and asks that CPU to look again (offer). With a fence in
 *       between on both sides, one of them sees what the other wrote */
#include "xen/core/request.h"
#include "xen/core/sched_cap.h"
#include "xen/core/sched_place.h"
#include "xen/core/sched_queue.h"

#define LOOKED_AT 8u            /* CPUs that a wake-up looks at, in each of the two sets */
/* A CPU gives a vCPU away when the other is ahead by so many slices. */
#define SLICES_AHEAD 2u
/* A vCPU that comes to a CPU is at most so many slices behind those there. */
#define SLICES_BEHIND 10u

static inline bool may_run(const struct vcpu *v, const struct cpu *c)
{
    return cpu_in(&v->domain->cpus, c->id);
}

/* One that joined in turn, of those where v may run. */
struct cpu *first_cpu_of(const struct vcpu *v)
{
    static unsigned turn;

    for (unsigned i = 0; i < sched_nr_cpus; i++)
        if (may_run(v, cpus[(turn + i) % sched_nr_cpus])) {
            turn = (turn + i + 1) % sched_nr_cpus;
            return cpus[(turn + sched_nr_cpus - 1) % sched_nr_cpus];
        }
    return cpus[0];
}

/* A CPU that fills up begins where the others are. */
static void move(struct vcpu *v, struct cpu *from, struct cpu *to)
{
    if (idles(to->running) && list_empty(&to->queue))
        to->min_vruntime = MAX(to->min_vruntime, from->min_vruntime);
    WRITE_ONCE(v->cpu, to);
}

static bool lock_idle(struct cpu *c)
{
    if (!READ_ONCE(c->is_idle) || !spin_trylock(&c->lock))
        return false;
    if (idles(c->running) && list_empty(&c->queue))
        return true;
    spin_unlock(&c->lock);
    return false;
}

/* Nearest numbers first. */
static struct cpu *lock_idle_in(const struct vcpu *v, const struct cpu_set *set, unsigned from)
{
    unsigned looked = 0;

    for (unsigned i = 1; i < sched_nr_cpus && looked < LOOKED_AT; i++) {
        struct cpu *c = cpus[(from + i) % sched_nr_cpus];

        if (!cpu_in(set, c->id) || !may_run(v, c))
            continue;
        looked++;
        if (lock_idle(c))
            return c;
    }
    return NULL;
}

/* An idle CPU, whose queue is then locked, too; NULL: none was found, or v is just leaving its
 * CPU. */
static struct cpu *lock_idle_for(const struct vcpu *v, const struct cpu *cpu)
{
    struct cpu *c;

    if (load_acquire(&v->on_cpu) != NULL)
        return NULL;
    c = lock_idle_in(v, &v->domain->cpus_soft, cpu->id);
    return c != NULL ? c : lock_idle_in(v, &v->domain->cpus, cpu->id);
}

void offer(struct cpu *cpu, const struct vcpu *v)
{
    if (likely(sched_nr_cpus == 1) || is_idle(v))
        return;
    smp_mb();                           /* S7 */
    for (unsigned i = 1; i < sched_nr_cpus; i++) {
        struct cpu *c = cpus[(cpu->id + i) % sched_nr_cpus];

        if (READ_ONCE(c->is_idle) && may_run(v, c)) {
            request_cpu(c, REQUEST_RESCHED);
            return;
        }
    }
}

void join_best_queue(struct cpu *cpu, struct vcpu *v, uint64_t now)
{
    struct cpu *c;

    if (likely(sched_nr_cpus == 1) || (idles(cpu->running) && list_empty(&cpu->queue))) {
        join_queue(cpu, v, now);
    } else if ((c = lock_idle_for(v, cpu)) != NULL) {
        move(v, cpu, c);
        join_queue(c, v, now);
        spin_unlock(&c->lock);
    } else {
        join_queue(cpu, v, now);
        offer(cpu, v);
    }
}

/* The first in from's queue that may run on `to`. *again: one could not be moved at this
 * instant. */
static struct vcpu *first_movable(struct cpu *from, const struct cpu *to, bool *again)
{
    struct vcpu *v;

    list_for_each_entry(v, &from->queue, queue) {
        if (is_idle(v) || !may_run(v, to))
            continue;
        if (load_acquire(&v->on_cpu) == NULL)
            return v;
        *again = true;
    }
    return NULL;
}

/* One that its cap does not allow to run waits for its next period on no queue. */
static struct vcpu *steal_from(struct cpu *from, struct cpu *cpu)
{
    struct vcpu *v;

    while ((v = first_movable(from, cpu, &cpu->steal_again)) != NULL) {
        queue_remove(from, v);
        if (likely(cap_allows(v))) {
            move(v, from, cpu);
            break;
        }
        v->throttled = true;
    }
    return v;
}

/* steal_again tells the idle loop to come back, as nobody tells this CPU when the lock is free or
 * the stack has been left. */
struct vcpu *steal(struct cpu *cpu)
{
    struct vcpu *v = NULL;

    if (sched_nr_cpus == 1)
        return NULL;
    cpu->steal_again = false;
    WRITE_ONCE(cpu->is_idle, true);
    smp_mb();                           /* S7 */
    for (unsigned i = 1; i < sched_nr_cpus && v == NULL; i++) {
        struct cpu *from = cpus[(cpu->id + i) % sched_nr_cpus];

        if (READ_ONCE(from->nr_queued) == 0)
            continue;
        if (!spin_trylock(&from->lock)) {
            cpu->steal_again = true;
            continue;
        }
        v = steal_from(from, cpu);
        spin_unlock(&from->lock);
    }
    if (v != NULL)
        cpu->steal_again = false;
    return v;
}

/* One that was given to this CPU and has not run here yet is not given on: passed round so, it
 * would never run. */
static void give_first(struct cpu *cpu, struct cpu *to, uint64_t now)
{
    bool again = false;
    uint64_t here = least_vruntime(cpu), there;
    struct vcpu *v = first_movable(cpu, to, &again);

    account(to, now);
    there = least_vruntime(to);
    if (v == NULL || v->given_at > v->run_since || there <= here + SLICES_AHEAD * slice_ns())
        return;
    queue_remove(cpu, v);
    move(v, cpu, to);
    v->given_at = now;
    if (there != UINT64_MAX)
        v->vruntime = MAX(v->vruntime, there - MIN(there, SLICES_BEHIND * slice_ns()));
    queue_add(to, v, now);
}

/* The running vCPU stays here, so the queue may become empty; if it blocks, one must be left. */
void balance(struct cpu *cpu, uint64_t now)
{
    struct cpu *to;

    if (now < cpu->balanced_at + slice_ns() || cpu->nr_queued < 1u + cpu->running->blocked)
        return;
    cpu->balanced_at = now;
    cpu->balanced_with = (cpu->balanced_with + 1) % sched_nr_cpus;
    if (cpu->balanced_with == cpu->id)
        cpu->balanced_with = (cpu->balanced_with + 1) % sched_nr_cpus;
    to = cpus[cpu->balanced_with];
    if (spin_trylock(&to->lock)) {
        give_first(cpu, to, now);
        spin_unlock(&to->lock);
    }
}
