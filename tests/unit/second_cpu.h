/* A second CPU that runs a vCPU and answers each request for a flush at once. Counts the requests,
 * and those that were made while mm_lock of the vCPU's domain was held. It goes down before a test
 * checks, as the machine cannot end while it is there. */
#ifndef SECOND_CPU_H
#define SECOND_CPU_H

#include "host.h"
#include "xen/core/cpu.h"
#include "xen/core/domain.h"

static struct vcpu *second_runs;
static unsigned second_asked, second_asked_locked;

static inline void second_answers(unsigned cpu)
{
    HOST_CHECK(cpu == 1, "CPU %u", cpu);
    second_asked++;
    second_asked_locked += is_locked(&second_runs->domain->mm_lock);
    second_runs->flushed = second_runs->domain->epoch;
    cpus[1]->flush.done = cpus[1]->flush.wanted;
    cpus[1]->requests = 0;
}

static inline void second_cpu_up(struct vcpu *runs)
{
    host_add_cpus(2);
    second_runs = runs;
    second_asked = second_asked_locked = 0;
    cpus[1]->running = runs;
    runs->on_cpu = cpus[1];
    host.on_ipi = second_answers;
}

static inline void second_cpu_down(void)
{
    host.on_ipi = NULL;
    second_runs->on_cpu = NULL;
    host_remove_cpus();
}

#endif
