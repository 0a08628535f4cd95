/* The scheduler on several fake CPUs and a simulated clock: the shares of vCPUs that always
 * compute against the weighted max-min ideal, caps, affinity, where a vCPU that wakes runs and
 * how soon, and that no CPU idles while somebody waits for it. No guest code runs: each step of
 * the simulation is 0.1 ms on every CPU, in which it takes its interrupts and what its vCPU is
 * asked to do. */
#include "cmocka_main.h"
#include <stdio.h>
#include <string.h>
#include "arch/arch.h"
#include "support.h"
#include "xen/core/domain_list.h"
#include "xen/core/request.h"
#include "xen/core/sched.h"
#include "xen/core/sched_cap.h"
#include "xen/core/sched_place.h"
#include "xen/core/sched_queue.h"
#include "xen/core/time.h"

#define MS 1000000ull
#define STEP_NS (MS / 10)
#define MOST_CPUS 16u
#define MOST_VCPUS 64u

static struct cpu *own[MOST_CPUS], **before;
static struct vcpu *idles_of[MOST_CPUS];
static bool interrupted[MOST_CPUS];


/* The vCPUs of a test, and how each behaves. */
static struct actor {
    struct vcpu *v;
    uint64_t work_ns, sleep_ns;     /* 0: it always computes */
    uint64_t until;                 /* end of the present stretch; sleeping: when it is woken */
    uint64_t woken_at, worst_wake;  /* how long it took until it ran */
    uint64_t cpu_ns_then;
} actors[MOST_VCPUS];
static unsigned nr_actors;
static uint64_t worst_idle;         /* longest time that a CPU idled while somebody waited for it */
static uint64_t idle_since[MOST_CPUS];

static void interrupt(unsigned cpu)
{
    interrupted[cpu] = true;
}

static void go_to(unsigned cpu)
{
    current = cpus[cpu]->running;
}

static void machine_with(unsigned nr)
{
    host_start(LOW_BASE, 32, 1);
    host.no_stacks = true;
    host.tsc_step = 0;
    host.on_ipi = interrupt;
    before = cpus;
    own[0] = cpus[0];
    memset(interrupted, 0, sizeof(interrupted));
    for (unsigned i = 1; i < nr; i++) {
        own[i] = aligned_alloc(128, sizeof(struct cpu));
        assert_non_null(own[i]);
        memset(own[i], 0, sizeof(struct cpu));
        cpu_set_up(own[i], i);
        idles_of[i] = arch_vcpu_alloc();
        idles_of[i]->domain = &idle_domain;
        idles_of[i]->kernel_mode = true;
        sched_init(own[i], idles_of[i]);
    }
    cpus = own;
    nr_cpus = sched_nr_cpus = nr;
    nr_actors = 0;
    worst_idle = 0;
    memset(actors, 0, sizeof(actors));
    memset(idle_since, 0, sizeof(idle_since));
}

static void step(void)
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

static struct actor *actor_of(const struct vcpu *v)
{
    for (unsigned i = 0; i < nr_actors; i++)
        if (actors[i].v == v)
            return &actors[i];
    return NULL;
}

/* What the vCPUs that run do of themselves: sleep after their stretch of work. */
static void act(void)
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

static bool waits_for(const struct cpu *c)
{
    for (unsigned i = 0; i < nr_actors; i++)
        if (actors[i].v->on_queue && cpu_in(&actors[i].v->domain->cpus, c->id))
            return true;
    return false;
}

static void check_state(void)
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
        assert_int_equal(runs + v->on_queue + v->throttled, !v->blocked);
        assert_true(runs == 0 || (v->cpu->running == v && v->on_cpu == v->cpu));
        assert_true(cpu_in(&v->domain->cpus, v->cpu->id));
    }
}

static void run_for(uint64_t ns)
{
    for (uint64_t end = now_ns() + ns; now_ns() < end;) {
        step();
        act();
        check_state();
    }
}

static struct actor *add(domid_t id, unsigned nr_vcpus, unsigned weight, uint64_t cpu_bits,
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
        actors[nr_actors++] = (struct actor){ .v = v };
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

static void machine_ends(void)
{
    struct domain *d;

    go_to(0);
    for_each_domain(d)
        cap_end(d);
    cpus[0]->running = current = cpus[0]->idle;
    for (unsigned i = 0; i < nr_actors; i++)
        arch_vcpu_free(actors[i].v);
    for (unsigned i = 1; i < nr_cpus; i++) {
        arch_vcpu_free(idles_of[i]);
        free(own[i]);
    }
    cpus = before;
    nr_cpus = sched_nr_cpus = 1;
    list_init(&cpus[0]->queue);
    list_init(&cpus[0]->timers.armed);
    cpus[0]->timers.programmed = NO_DEADLINE;
    list_init(&domain_list);        /* the RAM goes with the machine */
    host.no_stacks = false;
    host_stop();
}

/* Weighted max-min: everybody gets level * weight, but at most one CPU; the level is the one at
 * which the shares add up to all CPUs. */
static double ideal(const unsigned *weights, unsigned n, unsigned nr, unsigned i)
{
    double low = 0, high = nr;

    for (unsigned round = 0; round < 100; round++) {
        double level = (low + high) / 2, sum = 0;

        for (unsigned j = 0; j < n; j++)
            sum += MIN(1.0, level * weights[j]);
        *(sum < MIN(nr, n) ? &low : &high) = level;
    }
    return MIN(1.0, low * weights[i]);
}

static double share(const struct actor *a, uint64_t ns)
{
    return (double)(a->v->cpu_ns - a->cpu_ns_then) / (double)ns;
}

static void begin_measuring(void)
{
    for (unsigned i = 0; i < nr_actors; i++)
        actors[i].cpu_ns_then = actors[i].v->cpu_ns;
}

static void account_all(void)
{
    for (unsigned i = 0; i < nr_cpus; i++)
        account(cpus[i], now_ns());
}

/* One domain for each weight, all busy for 10 s; returns the largest difference from the ideal. */
static double unfairness(unsigned nr, const unsigned *weights, unsigned n)
{
    double worst = 0;

    machine_with(nr);
    for (unsigned i = 0; i < n; i++)
        add((domid_t)(i + 1), 1, weights[i], ~0ull, 0);
    run_for(2000 * MS);
    account_all();
    begin_measuring();
    run_for(10000 * MS);
    account_all();
    printf("# %u CPUs:", nr);
    for (unsigned i = 0; i < n; i++) {
        double want = ideal(weights, n, nr, i), got = share(&actors[i], 10000 * MS);

        worst = MAX(worst, MAX(got - want, want - got));
        printf(" %u: %.3f (%.3f)", weights[i], got, want);
    }
    printf(", worst %.3f\n", worst);
    assert_true(worst_idle <= MS);
    machine_ends();
    return worst;
}

#define FAIR(nr, ...)                                                                   \
    do {                                                                                \
        static const unsigned weights[] = { __VA_ARGS__ };                              \
        assert_true(unfairness(nr, weights, ARRAY_SIZE(weights)) <= 0.03);              \
    } while (0)

static void shares_are_max_min(void **state)
{
    (void)state;
    FAIR(1, 256, 512, 1024);
    FAIR(2, 256, 256);
    FAIR(2, 256, 256, 256);
    FAIR(2, 256, 256, 256, 256, 256);
    FAIR(2, 1024, 256, 256);
    FAIR(2, 512, 256, 256, 256);
    FAIR(2, 65535, 1, 1);
    FAIR(3, 256, 256, 256, 256);
    FAIR(4, 128, 256, 512, 1024, 256, 128);
    FAIR(4, 256, 256, 256, 256, 256, 256, 256);
    FAIR(8, 256, 256, 256, 256, 256, 256, 256, 256, 256);
    FAIR(8, 512, 512, 512, 256, 256, 256, 256, 256, 256, 256, 256, 128);
}

/* Weight is per vCPU: a guest with twice the vCPUs has twice the share. */
static void weight_is_for_each_vcpu(void **state)
{
    (void)state;
    machine_with(2);
    add(1, 4, 256, ~0ull, 0);
    add(2, 2, 256, ~0ull, 0);
    run_for(2000 * MS);
    account_all();
    begin_measuring();
    run_for(6000 * MS);
    account_all();
    for (unsigned i = 0; i < nr_actors; i++)
        assert_in_range(share(&actors[i], 6000 * MS) * 1000, 303, 363);
    machine_ends();
}

static void sleepers_leave_no_cpu_idle(void **state)
{
    uint64_t worst_wake = 0;

    (void)state;
    machine_with(8);
    for (unsigned i = 0; i < 24; i++) {
        struct actor *a = add((domid_t)(i + 1), 1, 256, ~0ull, 0);

        a->work_ns = (1 + i % 5) * MS * 3 / 10;
        a->sleep_ns = (1 + i % 7) * MS;
    }
    run_for(4000 * MS);
    for (unsigned i = 0; i < nr_actors; i++)
        worst_wake = MAX(worst_wake, actors[i].worst_wake);
    printf("# 24 sleepers on 8 CPUs: idle beside a queue at most %lu us, waking at most %lu us\n",
           worst_idle / 1000, worst_wake / 1000);
    assert_true(worst_idle <= MS);
    assert_in_range(worst_wake, 0, 20 * MS);
    machine_ends();
}

/* A vCPU that wakes while its CPU is busy runs on an idle one, at once. */
static void who_wakes_finds_an_idle_cpu(void **state)
{
    struct actor *a;

    (void)state;
    machine_with(4);
    for (unsigned i = 0; i < 3; i++)
        add((domid_t)(i + 1), 1, 256, ~0ull, 0);
    a = add(9, 1, 256, ~0ull, 0);
    a->work_ns = MS;
    a->sleep_ns = 5 * MS;
    run_for(2000 * MS);
    assert_in_range(a->worst_wake, 0, 2 * STEP_NS);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(actors[i].v->runstate.time[RUNSTATE_runnable] / (10 * MS), 0);
    machine_ends();
}

static void affinity_is_kept(void **state)
{
    (void)state;
    machine_with(4);
    add(1, 3, 256, 0x3, 0);             /* check_state() looks at each step */
    add(2, 1, 256, 0x4, 0);
    add(3, 2, 256, ~0ull, 0);
    run_for(2000 * MS);
    account_all();
    begin_measuring();
    run_for(4000 * MS);
    account_all();
    assert_in_range(share(&actors[3], 4000 * MS) * 1000, 450, 1000);
    assert_true(worst_idle <= MS);
    machine_ends();
}

/* A domain whose vCPUs would all run all the time, for 4 s after it has settled. */
static void measure_capped(unsigned nr_vcpus, unsigned cap)
{
    add(1, nr_vcpus, 256, ~0ull, cap);
    run_for(500 * MS);
    account_all();
    begin_measuring();
    run_for(4000 * MS);
    account_all();
}

static void capped_domains_get_their_cap(void **state)
{
    static const struct {
        unsigned cap, vcpus, want;
    } cases[] = { { 50, 1, 500 }, { 25, 2, 250 }, { 150, 2, 1500 }, { 3, 4, 30 }, { 0, 1, 1000 } };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        double sum = 0;

        machine_with(4);
        measure_capped(cases[i].vcpus, cases[i].cap);
        for (unsigned j = 0; j < nr_actors; j++)
            sum += share(&actors[j], 4000 * MS);
        printf("# cap=%u, %u vCPUs: %.3f\n", cases[i].cap, cases[i].vcpus, sum);
        assert_in_range(sum * 1000, cases[i].want - 30, cases[i].want + 30);
        machine_ends();
    }
}

/* With one CPU and less for all of them than they would use, each gets the same. */
static void a_cap_is_shared_fairly(void **state)
{
    static const struct {
        unsigned cap, vcpus;
    } cases[] = { { 5, 2 }, { 10, 2 }, { 20, 2 }, { 25, 2 }, { 25, 4 }, { 50, 4 } };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        double want = cases[i].cap / 100.0 / cases[i].vcpus;

        machine_with(1);
        measure_capped(cases[i].vcpus, cases[i].cap);
        for (unsigned j = 0; j < nr_actors; j++) {
            printf("# cap=%u, vCPU %u of %u: %.3f\n", cases[i].cap, j, cases[i].vcpus,
                   share(&actors[j], 4000 * MS));
            assert_in_range(share(&actors[j], 4000 * MS) * 1000, want * 1000 * 0.8,
                            want * 1000 * 1.2);
        }
        machine_ends();
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_max_min),
        cmocka_unit_test(weight_is_for_each_vcpu),
        cmocka_unit_test(sleepers_leave_no_cpu_idle),
        cmocka_unit_test(who_wakes_finds_an_idle_cpu),
        cmocka_unit_test(affinity_is_kept),
        cmocka_unit_test(capped_domains_get_their_cap),
        cmocka_unit_test(a_cap_is_shared_fairly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
