/* cap=: the vCPUs of a domain together get at most so many percent of one CPU. In each period of
 * 10 ms the domain has a budget, of which its vCPUs take a millisecond at a time, on whatever CPU
 * they run. When none is left a vCPU that would run is throttled: it is on no queue until the
 * domain's timer begins the next period, in which another vCPU comes first each time. Called by the
 * other parts of the scheduler and by domain.c.
 *
 *   K1  a vCPU has an allowance above zero only while it runs: what is left of it when it stops
 *       goes back to the budget
 *   K2  what is left of the budget at the end of a period is lost. What is left of the allowances
 *       of vCPUs that run then is taken from the next budget. So a domain runs for no more than its
 *       budget in each period, but for the time by which a CPU was late because it was in the
 *       hypervisor; the vCPU pays that from its next allowance
 *
 * d->budget has the number of the period in its upper half and nanoseconds in the lower, so that a
 * vCPU that stops does not give to one period what it took from the one before. */
#include "xen/core/sched_cap.h"
#include "xen/core/sched_place.h"
#include "xen/core/sched_queue.h"
#include "xen/core/time.h"

#define PERIOD_NS 10000000ull
#define CHUNK_NS 1000000u

static inline uint32_t period_of(uint64_t budget)
{
    return (uint32_t)(budget >> 32);
}

static inline uint64_t whole_budget(const struct domain *d)
{
    return PERIOD_NS * d->cap / 100;
}

bool cap_take(struct vcpu *v)
{
    struct domain *d = v->domain;
    uint64_t budget = READ_ONCE(d->budget);

    while (v->allowance <= 0) {
        uint32_t chunk = MIN((uint32_t)budget, CHUNK_NS);

        if (chunk == 0)
            return false;
        if (!try_cmpxchg(&d->budget, &budget, budget - chunk))
            continue;
        budget -= chunk;
        v->allowance += chunk;
        v->cap_period = period_of(budget);
    }
    return true;
}

void cap_return(struct vcpu *v)
{
    struct domain *d = v->domain;
    uint64_t budget = READ_ONCE(d->budget);

    while (v->allowance > 0 && v->cap_period == period_of(budget))
        if (try_cmpxchg(&d->budget, &budget, budget + (uint64_t)v->allowance))
            v->allowance = 0;
    v->allowance = MIN(v->allowance, 0);
}

/* What v, which may run, still has of the last period's budget: it belongs to this period now. */
static uint64_t carry_over(struct vcpu *v, uint32_t period)
{
    struct cpu *cpu = lock_queue_of(v);
    uint64_t left = 0;

    if (cpu->running == v) {
        account(cpu, now_ns());
        if (v->allowance > 0) {
            left = (uint64_t)v->allowance;
            v->cap_period = period;
        }
    }
    spin_unlock(&cpu->lock);
    return left;
}

static void release(struct vcpu *v)
{
    struct cpu *cpu = lock_queue_of(v);

    if (v->throttled) {
        v->throttled = false;
        if (!v->blocked)
            join_best_queue(cpu, v, now_ns());
    }
    spin_unlock(&cpu->lock);
}

/* Until the new budget is there nobody can take of it. */
static void begin_period(void *arg)
{
    struct domain *d = arg;
    uint32_t period = period_of(d->budget) + 1;
    uint64_t left = 0;

    WRITE_ONCE(d->budget, (uint64_t)period << 32);
    for (unsigned i = 0; i < d->nr_vcpus; i++)
        left += carry_over(d->vcpu[i], period);
    locked_add(&d->budget, whole_budget(d) - left);
    d->first_released = (d->first_released + 1) % d->nr_vcpus;
    for (unsigned i = 0; i < d->nr_vcpus; i++)
        release(d->vcpu[(d->first_released + i) % d->nr_vcpus]);
    timer_set(&d->refill, MAX(d->refill.deadline_ns + PERIOD_NS, now_ns()));
}

void cap_begin(struct domain *d)
{
    if (d->cap == 0)
        return;
    timer_init(&d->refill, begin_period, d);
    d->budget = whole_budget(d);
    timer_set(&d->refill, now_ns() + PERIOD_NS);
}

void cap_end(struct domain *d)
{
    if (d->cap != 0)
        timer_end(&d->refill);
}
