/* CPUs beside the first, each with an idle vCPU, that do nothing by themselves: a test goes from
 * one to another. What they do when they are asked is host.on_ipi. Included by sched_simulation.h
 * and trace_cpus_fixture.h. */
#ifndef MORE_CPUS_H
#define MORE_CPUS_H

#include <stdlib.h>
#include <string.h>
#include "host.h"
#include "xen/core/cpu.h"
#include "xen/core/domain_list.h"
#include "xen/core/sched.h"

#define MOST_CPUS 16u

static struct cpu *own_cpus[MOST_CPUS], **cpus_before;
static struct vcpu *idles_of[MOST_CPUS];

static inline void go_to(unsigned cpu)
{
    current = cpus[cpu]->running;
}

static inline void more_cpus_up(unsigned nr)
{
    cpus_before = cpus;
    own_cpus[0] = cpus[0];
    for (unsigned i = 1; i < nr; i++) {
        struct cpu *c = own_cpus[i] = aligned_alloc(128, sizeof(struct cpu));
        struct vcpu *idle = idles_of[i] = arch_vcpu_alloc();

        assert_non_null(c);
        memset(c, 0, sizeof(*c));
        cpu_set_up(c, i);
        idle->domain = &idle_domain;
        idle->id = i;
        idle->kernel_mode = true;
        sched_init(c, idle);
    }
    cpus = own_cpus;
    nr_cpus = sched_nr_cpus = nr;
}

static inline void more_cpus_down(void)
{
    for (unsigned i = 1; i < nr_cpus; i++) {
        arch_vcpu_free(idles_of[i]);
        free(own_cpus[i]);
    }
    cpus = cpus_before;
    nr_cpus = sched_nr_cpus = 1;
}

#endif
