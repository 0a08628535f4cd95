/* Several fake CPUs on a simulated clock, and vCPUs that compute and sleep. No guest code runs:
 * each step of the simulation is 0.1 ms on every CPU, in which it takes its interrupts and what its
 * vCPU is asked to do. After each step the invariants of the scheduler are checked, and how long a
 * CPU idled while somebody waited for it. Included by the tests of the scheduler on several
 * CPUs. */
#ifndef SCHED_SIMULATION_H
#define SCHED_SIMULATION_H

#include <stdio.h>
#include <string.h>
#include "arch/arch.h"
#include "more_cpus.h"
#include "support.h"
#include "xen/core/domain_list.h"
#include "xen/core/request.h"
#include "xen/core/sched.h"
#include "xen/core/sched_cap.h"
#include "xen/core/sched_place.h"
#include "xen/core/sched_queue.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"

#define MS 1000000ull
#define STEP_NS (MS / 10)
#define MOST_VCPUS 64u

static bool interrupted[MOST_CPUS];

/* The vCPUs of a test, and how each behaves. */
static struct actor {
    struct vcpu *v;
    uint64_t work_ns, sleep_ns;     /* 0: it always computes */
    uint64_t until;                 /* end of the present stretch; sleeping: when it is woken */
    uint64_t woken_at, worst_wake;  /* how long it took until it ran */
    uint64_t cpu_ns_then;
    uint64_t queued_at, worst_wait; /* longest time on a queue without a break */
} actors[MOST_VCPUS];
static unsigned nr_actors;
static uint64_t worst_idle;         /* longest time that a CPU idled while somebody waited for it */
static uint64_t idle_since[MOST_CPUS];

static inline void interrupt(unsigned cpu)
{
    interrupted[cpu] = true;
}

static inline void machine_with(unsigned nr)
{
    host_start(LOW_BASE, 32, 1);
    host.no_stacks = true;
    host.tsc_step = 0;
    host.on_ipi = interrupt;
    memset(interrupted, 0, sizeof(interrupted));
    more_cpus_up(nr);
    nr_actors = 0;
    worst_idle = 0;
    memset(actors, 0, sizeof(actors));
    memset(idle_since, 0, sizeof(idle_since));
}

static inline void step(void)
{
    host.tsc += STEP_NS * 24 / 10;
    for (unsigned i = 0; i < nr_cpus; i++) {
        struct cpu *c = cpus[i];

        go_to(i);
        if (interrupted[i]) {
            interrupted[i] = false;
            serve_requests();
        }
        if (c->timers.programmed <= now_ns())
            timers_run();
        for (unsigned n = 0; n < 8; n++) {
            if (c->running->work & WORK_RESCHED || (c->running == c->idle && sched_has_work(c)))
                schedule();
            if (c == cpus[0] && c->running == c->idle)
                domain_reap();
        }
    }
}

static inline struct actor *actor_of(const struct vcpu *v)
{
    for (unsigned i = 0; i < nr_actors; i++)
        if (actors[i].v == v)
            return &actors[i];
    return NULL;
}

/* What the vCPUs that run do of themselves: sleep after their stretch of work. */
static inline void act(void)
{
    for (unsigned i = 0; i < nr_cpus; i++) {
        struct actor *a = actor_of(cpus[i]->running);

        if (a == NULL)
            continue;
        if (a->woken_at != 0) {
            a->worst_wake = MAX(a->worst_wake, now_ns() - a->woken_at);
            a->woken_at = 0;
            a->until = now_ns() + a->work_ns;
        }
        if (a->sleep_ns == 0 || now_ns() < a->until)
            continue;
        a->until = now_ns() + a->sleep_ns;
        go_to(i);
        vcpu_block();
    }
    go_to(0);
    for (unsigned i = 0; i < nr_actors; i++) {
        struct actor *a = &actors[i];

        if (a->sleep_ns != 0 && a->v->blocked && now_ns() >= a->until) {
            a->woken_at = now_ns();
            vcpu_wake(a->v);
        }
    }
}

static inline bool waits_for(const struct cpu *c)
{
    for (unsigned i = 0; i < nr_actors; i++)
        if (actors[i].v->on_queue && cpu_in(&actors[i].v->domain->cpus, c->id))
            return true;
    return false;
}

static inline void check_state(void)
{
    for (unsigned i = 0; i < nr_cpus; i++) {
        struct cpu *c = cpus[i];

        if (c->running == c->idle && waits_for(c)) {
            idle_since[i] = idle_since[i] != 0 ? idle_since[i] : now_ns();
            worst_idle = MAX(worst_idle, now_ns() - idle_since[i]);
        } else {
            idle_since[i] = 0;
        }
    }
    for (unsigned i = 0; i < nr_actors; i++) {      /* S1, and S6's consequence */
        struct vcpu *v = actors[i].v;
        unsigned runs = 0;

        for (unsigned c = 0; c < nr_cpus; c++)
            runs += cpus[c]->running == v;
        if (!v->on_queue)
            actors[i].queued_at = now_ns();
        actors[i].worst_wait = MAX(actors[i].worst_wait, now_ns() - actors[i].queued_at);
        assert_int_equal(runs + v->on_queue + v->throttled, !v->blocked);
        assert_true(runs == 0 || (v->cpu->running == v && v->on_cpu == v->cpu));
        assert_true(cpu_in(&v->domain->cpus, v->cpu->id));
    }
}

static inline void run_step(void)
{
    step();
    act();
    check_state();
}

static inline void run_for(uint64_t ns)
{
    for (uint64_t end = now_ns() + ns; now_ns() < end;)
        run_step();
}

static inline struct actor *add(domid_t id, unsigned nr_vcpus, unsigned weight, uint64_t cpu_bits,
                         unsigned cap)
{
    struct domain *d = domain_create(id, "simulated", nr_vcpus, 16, weight);
    struct actor *first = &actors[nr_actors];

    assert_non_null(d);
    d->cap = cap;
    memset(&d->cpus, 0, sizeof(d->cpus));
    d->cpus.bits[0] = cpu_bits & ((1ull << nr_cpus) - 1);
    d->cpus_soft = d->cpus;
    for (unsigned i = 0; i < nr_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        v->cpu = first_cpu_of(v);
        v->info->evtchn_upcall_mask = 1;
        actors[nr_actors++] = (struct actor){ .v = v, .queued_at = now_ns() };
        if (i == 0) {
            domain_start(d);
            continue;
        }
        spin_lock(&d->life_lock);
        vcpu_start(v);
        spin_unlock(&d->life_lock);
        vcpu_wake(v);
    }
    return first;
}

static inline void machine_ends(void)
{
    struct domain *d;

    go_to(0);
    for_each_domain(d)
        cap_end(d);
    cpus[0]->running = current = cpus[0]->idle;
    for (unsigned i = 0; i < nr_actors; i++)
        arch_vcpu_free(actors[i].v);
    more_cpus_down();
    list_init(&cpus[0]->queue);
    list_init(&cpus[0]->timers.armed);
    cpus[0]->timers.programmed = NO_DEADLINE;
    for_each_domain(d)
        domain_unpublish(d);        /* the RAM goes with the machine */
    host.no_stacks = false;
    host_stop();
}

static inline double share(const struct actor *a, uint64_t ns)
{
    return (double)(a->v->cpu_ns - a->cpu_ns_then) / (double)ns;
}

static inline void begin_measuring(void)
{
    for (unsigned i = 0; i < nr_actors; i++) {
        actors[i].cpu_ns_then = actors[i].v->cpu_ns;
        actors[i].worst_wait = 0;
    }
}

static inline void account_all(void)
{
    for (unsigned i = 0; i < nr_cpus; i++)
        account(cpus[i], now_ns());
}

#endif
