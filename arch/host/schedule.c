/* Fake CPUs that schedule: each has an idle vCPU and a queue, and vCPUs of guests go from one to
 * another, as on a real machine. How they take turns in one thread is cpus.c's. CPU 0 is that of
 * the test, which runs vCPUs in host_run (machine.c). Called by the fuzzer (tests/fuzz) and by
 * scenarios of tests/interleave. */
#ifndef HOST_THREADS
#include "arch/arch.h"
#include "host.h"
#include "xen/core/cpu.h"
#include "xen/core/domain_list.h"
#include "xen/core/sched.h"

static bool scheduling;

/* The idle vCPU of another CPU than the first, which host_run() has. */
static void idle_elsewhere(struct vcpu *v)
{
    (void)v;
    for (;;) {
        host_take_interrupts();
        host_run_timer();
        schedule();
        if (!sched_has_work(this_cpu()))
            (void)host_halt(0);
    }
}

void host_cpus_schedule(unsigned nr, uint64_t seed, unsigned steps)
{
    host_add_cpus(nr);
    for (unsigned i = 1; i < nr; i++) {
        struct vcpu *idle = arch_vcpu_alloc();

        idle->domain = &idle_domain;
        idle->kernel_mode = true;
        host_vcpu(idle)->program = idle_elsewhere;
        sched_init(cpus[i], idle);
        host_fiber_make(idle);
        host_set_current_of(i, idle);
    }
    sched_nr_cpus = nr;
    scheduling = true;
    host_take_turns(seed, steps);
}

bool host_cpus_schedule_now(void)
{
    return scheduling;
}

/* Nothing is to be done any more: a CPU that halts has no vCPU in its queue (S5). */
void host_check_all_idle(void)
{
    for (unsigned i = 0; i < host_nr_cpus; i++)
        HOST_CHECK(cpus[i]->nr_queued == 0 && cpus[i]->lock.taken == 0,
                   "CPU %u has halted for ever, with %u vCPUs in its queue", i,
                   cpus[i]->nr_queued);
}

void host_cpus_end(void)
{
    host_turns_end();
    scheduling = false;
    for (unsigned i = 1; i < host_nr_cpus; i++) {
        HOST_CHECK(host_current_of(i) == cpus[i]->idle, "CPU %u is not idle", i);
        host_set_current_of(i, NULL);
        arch_vcpu_free(cpus[i]->idle);
    }
    sched_nr_cpus = 1;
    host_remove_cpus();
}
#endif
