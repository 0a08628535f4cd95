/* cap=: the vCPUs of a domain together get at most so many percent of one CPU. In each period of
 * 10 ms the domain has a budget, of which its vCPUs take a millisecond at a time, on whatever CPU
 * they run. When none is left a vCPU that would run is throttled: it is on no queue until the
 * domain's timer begins the next period, in which another vCPU comes first each time. What a vCPU
 * ran beyond its allowance it has less the next time. Called by sched.c and domain.c. */
#include "xen/core/sched_cap.h"
#include "xen/core/sched_queue.h"
#include "xen/core/time.h"

#define PERIOD_NS 10000000ll
#define CHUNK_NS 1000000ll

bool cap_take(struct vcpu *v)
{
    struct domain *d = v->domain;

    while (v->allowance <= 0) {
        int64_t left = READ_ONCE(d->budget_ns), chunk;

        do {
            chunk = MIN(left, CHUNK_NS);
            if (chunk <= 0)
                return false;
        } while (!try_cmpxchg(&d->budget_ns, &left, left - chunk));
        v->allowance += chunk;
    }
    return true;
}

static void release(struct vcpu *v)
{
    struct cpu *cpu = lock_queue_of(v);

    if (v->throttled) {
        v->throttled = false;
        if (!v->blocked)
            join_queue(cpu, v, now_ns());
    }
    spin_unlock(&cpu->lock);
}

static void begin_period(void *arg)
{
    struct domain *d = arg;

    WRITE_ONCE(d->budget_ns, PERIOD_NS * d->cap / 100);
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
    d->budget_ns = PERIOD_NS * d->cap / 100;
    timer_set(&d->refill, now_ns() + PERIOD_NS);
}

void cap_end(struct domain *d)
{
    if (d->cap != 0)
        timer_end(&d->refill);
}
