/* interleave [SCENARIO [SEED [SEEDS]]]: runs the scenarios, each with many seeds; a seed says in
 * which order the CPUs take turns, and what the guests choose. The same arguments give the same
 * run. After each, all references and types are counted anew, and when the guests have ended every
 * frame is free. A failure prints the seed that it was found with. */
#include <execinfo.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "tests/interleave/interleave.h"
#include "xen/core/cpu.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/core/sched_wake.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/mmuext.h"

#define SEEDS 2000u
#define MAX_WAIT 2000000u       /* steps: more than any call takes */
#define PATIENCE_NS 1000000000ull

static const struct scenario *now;
static uint64_t seed_now;
static bool scheduled;          /* the vCPUs are scheduled, and have no CPU of their own each */
static unsigned nr_programs;    /* that have not ended */
static HOST_TLS uint64_t choices;

unsigned pick(unsigned n)
{
    choices = choices * 6364136223846793005 + 1442695040888963407;
    return (unsigned)(choices >> 33) % n;
}

long call(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
    return hypercall_table[nr](a1, a2, a3, a4, DOMID_SELF, 0);
}

static uint64_t own_page(void)
{
    return SCRATCH + current->id * PAGE_SIZE;
}

long call_struct(uint64_t nr, uint64_t cmd, void *arg, size_t len)
{
    long rc;

    guest_put(own_page(), arg, len);
    rc = call(nr, cmd, own_page(), 1, 0);
    guest_get(arg, own_page(), len);
    return rc;
}

long call_mmuext(unsigned cmd, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = { .cmd = cmd };

    op.arg1.linear_addr = arg1;
    op.arg2.src_mfn = arg2;
    guest_put(own_page(), &op, sizeof(op));
    return call(__HYPERVISOR_mmuext_op, own_page(), 1, 0, DOMID_SELF);
}

void guest_store(uint64_t va, uint64_t word)
{
    (void)host_guest_write(va, &word, sizeof(word));
}

void guest_load(uint64_t va)
{
    uint64_t word;

    (void)host_guest_read(&word, va, sizeof(word));
}

/* Instead of the scheduler's: the CPUs here run one vCPU each, and are idle while it sleeps. */
void __real_vcpu_wait(struct spinlock *l);
void __wrap_vcpu_wait(struct spinlock *l);
void __wrap_vcpu_wait(struct spinlock *l)
{
    unsigned steps = 0;

    if (scheduled) {
        __real_vcpu_wait(l);
        return;
    }
    WRITE_ONCE(current->blocked, true);
    spin_unlock(l);
    while (READ_ONCE(current->blocked)) {
        HOST_CHECK(steps < MAX_WAIT, "d%uv%u is not woken", current->domain->id, current->id);
#ifndef HOST_THREADS            /* threads may wait for the machine's CPU for long */
        steps++;
#endif
        host_take_interrupts();
        host_step();
    }
    spin_lock(l);
}

static void failed(int signal)
{
    void *stack[40];

    fprintf(stderr, "interleave: scenario %s failed with seed %lu (signal %d on CPU %u, d%uv%u); "
            "again: interleave %s %lu 1\n", now->name, seed_now, signal, host_cpu,
            current->domain->id, current->id, now->name, seed_now);
    backtrace_symbols_fd(stack, backtrace(stack, ARRAY_SIZE(stack)), STDERR_FILENO);
    _exit(1);
}

static void program(struct vcpu *v)
{
#ifdef HOST_THREADS             /* each has choices of its own */
    choices = seed_now * 1000 + host_cpu;
#endif
    now->program[v->domain->id - 1](v);
    if (!scheduled)
        host_program_over();
    nr_programs--;
    host_idle_guest(v);
}

/* All vCPUs of a domain run on the tables of its first one. cpu: that of the next vCPU; NULL: they
 * are scheduled. */
static void start_vcpus(struct domain *d, unsigned *cpu)
{
    for (unsigned i = 0; i < d->nr_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        if (i > 0) {
            spin_lock(&d->mm_lock);
            (void)new_guest_root(v, d->vcpu[0]->root_kernel >> PAGE_SHIFT);
            spin_unlock(&d->mm_lock);
            v->initialised = true;
            vcpu_start(v);
        } else {
            vcpu_pause(v);
        }
        if (cpu != NULL)
            host_cpu_program((*cpu)++, v, program);
        else
            host_vcpu(v)->program = program;
    }
}

/* All vCPUs run until their programs have ended. */
static void run_scheduled(struct domain *d[2], uint64_t seed, unsigned steps, bool wait)
{
    for (unsigned i = 0; i < 2 && d[i] != NULL; i++)
        start_vcpus(d[i], NULL);
    host_cpus_schedule(2 + (unsigned)(seed % 3), seed, steps);
    accesses_begin(seed, wait);
    for (unsigned i = 0; i < 2 && d[i] != NULL; i++)
        for (unsigned id = 0; id < d[i]->nr_vcpus; id++)
            vcpu_wake(d[i]->vcpu[id]);
    (void)host_run(PATIENCE_NS);
    HOST_CHECK(nr_programs == 0, "%u programs have not ended: a wake-up was lost", nr_programs);
    guests_end();
    accesses_end();
    host_cpus_end();
}

static void run_each(struct domain *d[2], uint64_t seed, unsigned steps, bool wait)
{
    unsigned cpu = 1;

    host_add_cpus(1 + now->nr_vcpus[0] + (now->program[1] != NULL ? now->nr_vcpus[1] : 0));
    for (unsigned i = 0; i < 2 && d[i] != NULL; i++)
        if (now->program[i] != NULL)
            start_vcpus(d[i], &cpu);
    accesses_begin(seed, wait);
    host_interleave(seed, steps);
    accesses_end();
    host.on_turn = NULL;
    audit();
    if (now->check != NULL)
        now->check(d);
    host_remove_cpus();
}

static void run(const struct scenario *s, uint64_t seed)
{
    static const unsigned quanta[] = { 1, 5, 20, 100, 500, 2000 };
    unsigned steps = quanta[seed % ARRAY_SIZE(quanta)];
    bool wait = seed / ARRAY_SIZE(quanta) % 2 != 0;
    struct domain *d[2] = { NULL };

    now = s;
    seed_now = seed;
    choices = seed;
    machine_up_at(LOW_BASE);
    nr_programs = s->nr_vcpus[0] + s->nr_vcpus[1];
    for (unsigned i = 0; i < 2 && s->nr_vcpus[i] != 0; i++)
        d[i] = guest_make((domid_t)(i + 1), s->nr_vcpus[i]);
    s->prepare(d);
    host_become(cpus[0]->idle);
    if (scheduled)
        run_scheduled(d, seed, steps, wait);
    else
        run_each(d, seed, steps, wait);
    if (machine_down(NULL) != 0)
        abort();
}

int main(int argc, char **argv)
{
    static const struct scenario *const all[] = { page_scenarios, grant_scenarios, event_scenarios,
                                                  misc_scenarios, death_scenarios,
                                                  claim_scenarios, sleep_scenarios };
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1,
             seeds = argc > 3 ? strtoull(argv[3], NULL, 0) : SEEDS;

    signal(SIGABRT, failed);
    signal(SIGSEGV, failed);
    (void)mallopt(M_PERTURB, 0xa5);     /* memory that was freed is overwritten */
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
        for (const struct scenario *s = all[i]; s->name != NULL; s++) {
            clock_t began = clock();

            if (argc > 1 && strcmp(argv[1], "all") != 0 && strcmp(argv[1], s->name) != 0)
                continue;
            host_steps = host_cpu_switches = 0;
            scheduled = all[i] == sleep_scenarios;
            for (uint64_t seed = first; seed < first + seeds; seed++)
                run(s, seed);
            printf("interleave %s: %lu seeds, %lu steps, %lu changes of the CPU, %.1f s: passed\n",
                   s->name, seeds, host_steps, host_cpu_switches,
                   (double)(clock() - began) / CLOCKS_PER_SEC);
            fflush(stdout);
        }
    return 0;
}
