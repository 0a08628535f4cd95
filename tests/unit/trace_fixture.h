/* Two guests that can be traced: a, with two vCPUs of which the first is current, and b with one;
 * and macros that compare their records word for word. Included by trace_records.h
 * and trace_ring_fixture.h. */
#ifndef TRACE_FIXTURE_H
#define TRACE_FIXTURE_H

#include <string.h>
#include "arch/arch.h"
#include "trace_reader.h"
#include "common/trace_format.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/time.h"
#include "xen/core/trace.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_ring.h"
#include "xen/pv/hypercalls.h"

#define MAX_SEEN 20000u
#define ANY 0xa1b2c3d4u                 /* a word that is not compared */
#define A0 (1u << 16)                   /* VCPU_WORDs */
#define A1 (1u | 1u << 16)
#define B0 (2u << 16)
#define CHANGE(from, to) (TRC_SCHED_RUNSTATE_CHANGE | RUNSTATE_##from << 8 | RUNSTATE_##to << 4)
#define V64(x) (uint32_t)(x), (uint32_t)((uint64_t)(x) >> 32)

static struct domain *a, *b;
static struct trace_reader reader;
static struct trace_record seen[MAX_SEEN];
static unsigned nr_seen, next_seen;

/* The records that each block begins with belong to no guest. */
static inline void collect(const struct trace_record *r)
{
    static bool after_clock;
    bool begins = r->event == TRC_PARAGON_CLOCK ||
        (after_clock && r->event == TRC_SCHED_CONTINUE_RUNNING);

    after_clock = r->event == TRC_PARAGON_CLOCK;
    if (begins)
        return;
    assert_true(nr_seen < MAX_SEEN);
    seen[nr_seen++] = *r;
}

/* host_become() with the scheduler's accounting. */
static inline void become(struct vcpu *v)
{
    struct vcpu *old = current;

    if (!is_idle(old))
        runstate_change(old, RUNSTATE_blocked, now_ns());
    else if (tracing(TRACE_ALL))
        trace_runstate(old, RUNSTATE_running, RUNSTATE_runnable);
    host_become(v);
    if (!is_idle(v))
        runstate_change(v, RUNSTATE_running, now_ns());
    else if (tracing(TRACE_ALL))
        trace_runstate(v, RUNSTATE_runnable, RUNSTATE_running);
}

/* The state after booting with trace=config. */
static inline void trace_boot(struct trace_config config)
{
    memset(&trace_header, 0, sizeof(trace_header));
    trace_config = config;
    trace_init();
}

static inline int trace_up(void **state)
{
    machine_up(state);
    nr_seen = next_seen = 0;
    reader_start(&reader, collect);
    trace_boot((struct trace_config){ .size = 64 << 10, .lines = 32 });
    a = guest_make(1, 2);
    b = guest_make(2, 1);
    assert_true(a != NULL && b != NULL);
    become(b->vcpu[0]);                 /* it is blocked from now on */
    become(a->vcpu[0]);
    return 0;
}

static inline int trace_down(void **state)
{
    trace_end();
    guests_end();
    trace_config.classes = 0;
    reader_drop_ring();
    return machine_down(state);
}
#define with_trace(test) cmocka_unit_test_setup_teardown(test, trace_up, trace_down)

/* a's records of these classes from here on. */
static inline void start(uint32_t classes)
{
    trace_domain(a, classes);
    reader_follow(&reader);
    next_seen = nr_seen;
}

static inline const struct trace_record *next_record(int line)
{
    reader_follow(&reader);
    if (next_seen == nr_seen)
        fail_msg("line %d: there is no further record", line);
    return &seen[next_seen++];
}

static inline void expect_record(int line, uint32_t event, const uint32_t *words, unsigned n)
{
    const struct trace_record *r = next_record(line);

    if (r->event != event || r->n != n)
        fail_msg("line %d: record %x of %u words, expected %x of %u", line, r->event, r->n, event,
                 n);
    for (unsigned i = 0; i < n; i++)
        if (words[i] != ANY && r->words[i] != words[i])
            fail_msg("line %d: word %u of record %x is %x, expected %x", line, i, event,
                     r->words[i], words[i]);
}
#define EXPECT(event, ...)                                            \
    expect_record(__LINE__, event, (const uint32_t[]){ __VA_ARGS__ }, \
                  ARRAY_SIZE(((const uint32_t[]){ __VA_ARGS__ })))

static inline void expect_end(int line)
{
    reader_follow(&reader);
    if (next_seen != nr_seen)
        fail_msg("line %d: record %x follows that was not expected", line, seen[next_seen].event);
}
#define EXPECT_END() expect_end(__LINE__)

/* As entry.S calls. */
static inline long traced(uint64_t nr, const uint64_t args[6])
{
    return tracing(TRACE_HYPERCALL) ? hypercall_traced(nr, args) : hcall_args(nr, args);
}
#define TRACED(nr, ...) traced(nr, (const uint64_t[6]){ __VA_ARGS__ })

#endif
