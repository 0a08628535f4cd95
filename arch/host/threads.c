/* The fake CPUs as threads, for ThreadSanitizer: host_interleave starts a thread for each CPU that
 * has a program, which runs it on a stack of its own and never switches vCPUs. Only in programs
 * compiled with HOST_THREADS, in which current, the machine's state and the CPU's caches belong to
 * the thread. In all others the CPUs take turns (cpus.c). */
#ifdef HOST_THREADS
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include "arch/arch.h"
#include "common/atomic.h"
#include "host.h"

static struct host_machine settings;
static unsigned nr_over;

void host_step(void)
{
    if (host_cpu != 0 && host_random() % 64 == 0)
        sched_yield();
}

static void *run(void *arg)
{
    struct vcpu *v = host_current_of((unsigned)(uintptr_t)arg);

    host = settings;
    host_cpu = (unsigned)(uintptr_t)arg;
    host.random += host_cpu;
    host_tlb_select(host_cpu);
    current = v;
    host_load_root(v);
    host_vcpu(v)->program(v);
    return NULL;
}

/* The CPU still answers requests: others may wait for it. */
_Noreturn void host_program_over(void)
{
    locked_add(&nr_over, 1);
    while (load_acquire(&nr_over) != host_nr_cpus - 1) {
        host_take_interrupts();
        sched_yield();
    }
    pthread_exit(NULL);
}

void host_interleave(uint64_t seed, unsigned steps)
{
    pthread_t threads[HOST_CPUS];

    (void)steps;
    settings = host;
    nr_over = 0;
    settings.random = seed | 1;
    for (unsigned i = 1; i < host_nr_cpus; i++)
        if (pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i) != 0)
            abort();
    for (unsigned i = 1; i < host_nr_cpus; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 1; i < host_nr_cpus; i++)
        host_program_ended(i);
}

/* CPUs that schedule are made in one thread only. */
bool host_cpus_schedule_now(void)
{
    return false;
}

void host_cpus_schedule(unsigned nr, uint64_t seed, unsigned steps)
{
    (void)nr, (void)seed, (void)steps;
    abort();
}

bool host_halt(uint64_t until)
{
    (void)until;
    abort();
}

void host_cpus_end(void)
{
}

void host_check_all_idle(void)
{
}

void host_guest_waits(void)
{
}

void accesses_begin(uint64_t seed, bool wait)
{
    (void)seed, (void)wait;
}

void accesses_end(void)
{
}
#endif
