/* Several fake CPUs in one thread: each has its own `current`, loaded root, timer and pending
 * interrupt here, and its own TLB in tlb.c. One of them runs; host_step() is a point at which
 * another may go on instead. A CPU that does not run has stopped on the stack of its current vCPU
 * (cpu.c).
 *
 * host_step() is called by arch/host at each guest access, flush, interrupt and window, and, in
 * programs whose xen/ is compiled for it (tests/interleave), before each access of the hypervisor
 * to memory. Which CPU goes on is chosen by a generator of its own, from a seed. At each change of
 * the CPU the caches of all of them are audited: no instant may exist at which a guest could use a
 * translation that it should no longer have.
 *
 * Either each CPU runs one program of one vCPU, and schedules nothing (host_cpu_program); or each
 * has an idle vCPU and schedules, as the CPUs of a real machine do (schedule.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/arch.h"
#include "common/atomic.h"
#include "host.h"
#include "xen/core/cpu.h"
#include "xen/core/request.h"
#include "xen/core/sched.h"
#include "xen/core/timer.h"

#define MAX_SWITCHES 10000000ull /* of the CPU, in one run: more are a deadlock */

static struct state {
    struct vcpu *current;
    uint64_t cr3, cr4, deadline;
    bool ts;
    bool interrupt;             /* another CPU's waits to be taken */
    bool over;                  /* its program has ended: it waits for interrupts */
    bool halted;                /* it is in host_halt(), until the clock is `until` (0: no end) */
    uint64_t until;
} states[HOST_CPUS];

HOST_TLS unsigned host_cpu;
unsigned host_nr_cpus = 1;
uint64_t host_steps, host_cpu_switches;
bool host_held;
static struct cpu others[HOST_CPUS], *table[HOST_CPUS];

/* The CPUs from 1 on run nothing at first. */
void host_add_cpus(unsigned nr)
{
    HOST_CHECK(nr <= HOST_CPUS, "%u CPUs", nr);
    memset(states, 0, sizeof(states));
    host_cpu = 0;
    table[0] = cpus[0];
    for (unsigned i = 1; i < nr; i++) {
        table[i] = &others[i];
        memset(table[i], 0, sizeof(*table[i]));
        cpu_set_up(table[i], i);
        states[i].over = true;
    }
    cpus = table;
    nr_cpus = host_nr_cpus = nr;
}

/* NULL: the CPU runs nothing. */
void host_set_current_of(unsigned cpu, struct vcpu *v)
{
    states[cpu] = (struct state){ .current = v };
}

/* Timers of vCPUs may still be in their lists. The first CPU has no other left to take a vCPU from:
 * it would look for one for ever, and not halt. */
void host_remove_cpus(void)
{
    cpus[0]->steal_again = false;
    nr_cpus = host_nr_cpus = 1;
    host_cpu = 0;
}

struct vcpu *host_current_of(unsigned cpu)
{
    return cpu == host_cpu ? current : states[cpu].current;
}

/* Interrupts are on: in guest mode, in idle, in an interrupt window. */
void host_take_interrupts(void)
{
    struct state *s = &states[host_cpu];

    if (!host_held && READ_ONCE(s->interrupt) && xchg(&s->interrupt, false))
        serve_requests();
}

void arch_send_ipi(unsigned cpu)
{
    host.ipis++;
    if (host.on_ipi != NULL)
        host.on_ipi(cpu);
    if (cpu >= host_nr_cpus)
        return;
    (void)xchg(&states[cpu].interrupt, true);
    host_step();
}

/* CPU c runs one vCPU only, v, with this program, and takes part in no scheduling. */
void host_cpu_program(unsigned cpu, struct vcpu *v, void (*program)(struct vcpu *))
{
    HOST_CHECK(cpu > 0 && cpu < host_nr_cpus && states[cpu].over, "CPU %u", cpu);
    host_vcpu(v)->program = program;
    v->cpu = cpus[cpu];
    v->blocked = false;
    v->domain->vcpus_inside += !v->started;
    v->started = true;
    cpus[cpu]->running = v;
    v->on_cpu = cpus[cpu];
    states[cpu] = (struct state){ .current = v, .cr3 = v->root_kernel };
    host_fiber_make(v);
}

void host_program_ended(unsigned cpu)
{
    struct vcpu *v = states[cpu].current;

    if (v == NULL)
        return;
    fiber_free(v);
    v->blocked = true;
    v->cpu = cpus[0];
    v->on_cpu = NULL;
    host_vcpu(v)->program = host_idle_guest;
}

/* --- Taking turns in one thread --------------------------------------------------------------- */

#ifndef HOST_THREADS
static uint64_t random_state;
static unsigned quantum;        /* steps between two changes of the CPU, on average */
static unsigned left;           /* until the next */
static bool choosing;           /* the CPUs take turns */
static uint64_t switches_limit;
static bool nothing_to_come;    /* all CPUs have halted, and nothing will wake one */

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state >> 11;
}

static void save(struct state *s)
{
    s->current = current;
    s->cr3 = host.cr3;
    s->cr4 = host.cr4;
    s->deadline = host.deadline;
    s->ts = host.ts;
}

static void restore(const struct state *s)
{
    current = s->current;
    host.cr3 = s->cr3;
    host.cr4 = s->cr4;
    host.deadline = s->deadline;
    host.ts = s->ts;
}

static void go_to(unsigned cpu)
{
    struct vcpu *from = current;

    if (cpu == host_cpu)
        return;
    host_fiber_ready(from);
    host_cpu_switches++;
    save(&states[host_cpu]);
    host_cpu = cpu;
    host_tlb_select(cpu);
    restore(&states[cpu]);
    host_fiber_switch(from, current);
}

static uint64_t deadline_of(unsigned cpu)
{
    return cpu == host_cpu ? host.deadline : states[cpu].deadline;
}

static bool is_due(uint64_t tsc)
{
    return tsc != 0 && tsc <= host.tsc;
}

static bool can_go_on(unsigned cpu)
{
    const struct state *s = &states[cpu];

    return host_current_of(cpu) != NULL &&
           (s->interrupt || (!s->over && !s->halted) ||
            (s->halted && (is_due(deadline_of(cpu)) || is_due(s->until))));
}

/* One that can go on, which may be this one; HOST_CPUS: none can. */
static unsigned choose_now(void)
{
    unsigned start = (unsigned)(next_random() % host_nr_cpus);

    for (unsigned i = 0; i < host_nr_cpus; i++)
        if (can_go_on((start + i) % host_nr_cpus))
            return (start + i) % host_nr_cpus;
    return HOST_CPUS;
}

/* All CPUs have halted: the clock advances to the first time at which one goes on. False: there is
 * none. */
static bool advance_clock(void)
{
    uint64_t first = UINT64_MAX;

    for (unsigned i = 0; i < host_nr_cpus; i++) {
        first = MIN(first, deadline_of(i) - 1);         /* 0: never */
        first = MIN(first, states[i].until - 1);
    }
    if (first == UINT64_MAX)
        return false;
    host.tsc = MAX(host.tsc, first + 1);
    return true;
}

/* If no CPU ever goes on, CPU 0 does, which is told so. */
static unsigned choose(void)
{
    unsigned cpu = choose_now();

    if (cpu == HOST_CPUS && advance_clock())
        cpu = choose_now();
    if (cpu != HOST_CPUS)
        return cpu;
    HOST_CHECK(states[0].halted, "no CPU can go on");
    nothing_to_come = true;
    return 0;
}

static void change(void)
{
    left = 1 + (unsigned)(next_random() % (2 * quantum));
    HOST_CHECK(host_cpu_switches < switches_limit, "the CPUs wait for each other for ever");
    host_tlb_audit();
    host_tlb_speculate(next_random());
    go_to(choose());
}

void host_step(void)
{
    if (!choosing || host_held)
        return;
    host_steps++;
    if (left-- == 0)
        change();
}

/* Called on the stack of the program, which does not go on: the CPU only takes interrupts. */
_Noreturn void host_program_over(void)
{
    for (;;) {
        states[host_cpu].over = true;
        change();
        states[host_cpu].over = false;          /* it may have to wait in the handler */
        host_take_interrupts();
    }
}

static bool all_over(void)
{
    for (unsigned i = 1; i < host_nr_cpus; i++)
        if (!states[i].over)
            return false;
    return true;
}

void host_take_turns(uint64_t seed, unsigned steps)
{
    random_state = seed * 0x9e3779b97f4a7c15 | 1;
    for (unsigned i = 0; i < 4; i++)
        (void)next_random();
    quantum = steps;
    left = 0;
    switches_limit = host_cpu_switches + MAX_SWITCHES;
    nothing_to_come = false;
    choosing = true;
}

void host_turns_end(void)
{
    choosing = false;
}

void host_interleave(uint64_t seed, unsigned steps)
{
    host_take_turns(seed, steps);
    while (!all_over()) {
        host_take_interrupts();
        if (host.on_turn != NULL)
            host.on_turn();
        change();
    }
    host_turns_end();
    for (unsigned i = 1; i < host_nr_cpus; i++)
        host_program_ended(i);
}

bool host_halt(uint64_t until)
{
    struct state *s = &states[host_cpu];

    s->until = until;
    s->halted = true;
    while (!s->interrupt && !is_due(host.deadline) && !is_due(until) && !nothing_to_come)
        change();
    s->halted = false;
    s->until = 0;
    return !nothing_to_come || (nothing_to_come = false);
}

void host_guest_waits(void)
{
    if (choosing)
        change();
    host_take_interrupts();
}
#endif
