/* The trace: what guests asked, got and were given, as records in a ring per CPU that the host reads in the machine's
 * RAM (common/trace_format.h). trace= says which classes of records, for all guests or, as a word of a module, for one;
 * a key of the console switches it at run time. Nobody traces: one predicted branch at each place. */
#ifndef XEN_TRACE_H
#define XEN_TRACE_H

#include "common/trace_format.h"
#include "xen/core/domain.h"
#include "xen/core/trace_control.h"

extern uint32_t trace_on;               /* classes that anybody records now; entry.S tests its first byte too */

/* TRACE_NEVER leaves them all out, so that what they cost can be measured (make trace-cost).
 * The words of 64-bit values: */
#define W64(x) (uint32_t)(x), (uint32_t)((uint64_t)(x) >> 32)
#define VCPU_WORD(v) ((v)->id | (uint32_t)(v)->domain->id << 16)

static inline bool tracing(uint32_t class)
{
#ifdef TRACE_NEVER
    return false && class;
#else
    return unlikely(trace_on & class);
#endif
}

/* A record with the time, if the domain of the running vCPU (or nobody's) is traced for it. */
void trace_put(uint32_t class, uint32_t event, const uint32_t *words, unsigned n);
#define TRACE(class, event, ...)                                                                        \
    do {                                                                                                \
        if (tracing(class)) {                                                                           \
            const uint32_t words_[] = { __VA_ARGS__ };                                                  \
            trace_put(class, event, words_, ARRAY_SIZE(words_));                                        \
        }                                                                                               \
    } while (0)

/* The same, if d is: what is done for d or to it, by whoever runs or in the timer that interrupts him. */
void trace_put_of(const struct domain *d, uint32_t class, uint32_t event, const uint32_t *words, unsigned n);
#define TRACE_OF(d, class, event, ...)                                                                  \
    do {                                                                                                \
        if (tracing(class)) {                                                                           \
            const uint32_t words_[] = { __VA_ARGS__ };                                                  \
            trace_put_of(d, class, event, words_, ARRAY_SIZE(words_));                                  \
        }                                                                                               \
    } while (0)

/* A hypercall begins and ends: its number, its six arguments, whether it is a multicall's member. */
uint64_t trace_hypercall(uint64_t nr, const uint64_t args[6], bool member);     /* TSC, for trace_result */
void trace_result(uint64_t nr, int64_t result, uint64_t begin);
/* What it read or wrote. Out of line, so that its callers stay small. */
void trace_copy(uint32_t event, uint64_t va, const void *bytes, size_t len);
void trace_emulated(uint32_t event, uint64_t rip, const uint8_t *bytes, unsigned len);
/* The vCPU's runstate changes: always recorded while anything is, because it says whose the other records are. */
void trace_runstate(const struct vcpu *v, int from, int to);
void trace_domain_event(const struct domain *d, enum trace_domain what);

#endif
