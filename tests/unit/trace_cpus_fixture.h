/* The guests of trace_fixture.h on several fake CPUs, of which one runs at a time; a record may be
 * written by any of them at any time that the test chooses. Included by test_trace_cpus*.c. */
#ifndef TRACE_CPUS_FIXTURE_H
#define TRACE_CPUS_FIXTURE_H

#include "cmocka_main.h"
#include "xen/core/bug.h"
#include "xen/core/request.h"
#include "xen/core/sched.h"
#include "more_cpus.h"
#include "trace_ring_fixture.h"

static void (*in_interrupt)(void);      /* called on the CPU that is asked, before it answers */
static unsigned asked;
static struct trace_reader readers[MOST_CPUS];

static inline void answer(unsigned cpu)
{
    struct vcpu *v = current;

    if (!(cpus[cpu]->requests & REQUEST_TRACE))
        return;
    asked++;
    go_to(cpu);
    if (in_interrupt != NULL)
        in_interrupt();
    serve_requests();
    current = v;
}

static inline void cpus_up(unsigned nr)
{
    host.on_ipi = answer;
    more_cpus_up(nr);
    asked = 0;
    in_interrupt = NULL;
    for (unsigned i = 0; i < nr; i++) {
        reader_start(&readers[i], collect);
        readers[i].cpu = i;
    }
    nr_seen = next_seen = 0;
    trace_boot((struct trace_config){ .size = 1 << 20, .lines = 32 });
}

static inline void runs_untraced(unsigned cpu, struct vcpu *v)
{
    current = cpus[cpu]->running = v;
    v->cpu = cpus[cpu];
}

static inline void cpus_down(void)
{
    go_to(0);
    panic_depth = 0;
    in_interrupt = NULL;
    trace_end();
    a->trace = b->trace = 0;
    reader_drop_ring();
    runs_untraced(0, a->vcpu[0]);
    a->vcpu[1]->cpu = b->vcpu[0]->cpu = cpus[0];
    more_cpus_down();
    host.on_ipi = NULL;
}

/* v goes on on that CPU. */
static inline void runs(unsigned cpu, struct vcpu *v)
{
    struct vcpu *old;

    go_to(cpu);
    old = current;
    trace_runstate(old, RUNSTATE_running, RUNSTATE_runnable);
    trace_runstate(v, RUNSTATE_runnable, RUNSTATE_running);
    current = cpus[cpu]->running = v;
    v->cpu = cpus[cpu];
}

/* The records of that CPU that have not been seen yet, without those that begin a block. */
static inline const struct trace_record *next_of(unsigned cpu, unsigned *nr)
{
    unsigned first = nr_seen;

    reader_follow(&readers[cpu]);
    *nr = nr_seen - first;
    return &seen[first];
}

#define MUST_BE(r, e, ...)                                                                        \
    do {                                                                                          \
        const uint32_t w_[] = { __VA_ARGS__ };                                                    \
        assert_int_equal((r)->event, e);                                                          \
        assert_memory_equal((r)->words, w_, sizeof(w_));                                          \
    } while (0)

/* Also after a failure. */
static inline int down(void **state)
{
    if (nr_cpus != 1)
        cpus_down();
    return trace_down(state);
}
#define with_cpus(test) cmocka_unit_test_setup_teardown(test, trace_up, down)

#endif
