/* The trace: hypercalls, traps, events and scheduling of guests, as records in a ring per CPU,
 * which the host reads from the machine's RAM (common/trace_format.h). The option trace= chooses
 * the classes of records for all guests, and as a word of a module for one guest; a console key
 * switches it at run time. While nothing is traced, each place costs one predicted branch. */
#ifndef XEN_TRACE_H
#define XEN_TRACE_H

#include "common/trace_format.h"
#include "xen/core/domain.h"
#include "xen/core/trace_control.h"

/* The classes that are recorded for at least one domain; entry.S tests its first byte. */
extern uint32_t trace_on;

/* A 64-bit value as two words of a record, and a vCPU as one. */
#define W64(x) (uint32_t)(x), (uint32_t)((uint64_t)(x) >> 32)
#define VCPU_WORD(v) ((v)->id | (uint32_t)(v)->domain->id << 16)

/* A build with TRACE_NEVER has no tracing, so that its cost can be measured (make trace-cost). */
static inline bool tracing(uint32_t class)
{
#ifdef TRACE_NEVER
    return false && class;
#else
    return unlikely(trace_on & class);
#endif
}

/* A record with the time, if the domain of the running vCPU is traced for the class, or the idle
 * vCPU runs. */
void trace_put(uint32_t class, uint32_t event, const uint32_t *words, unsigned n);
#define TRACE(class, event, ...)                                                                  \
    do {                                                                                          \
        if (tracing(class)) {                                                                     \
            const uint32_t words_[] = { __VA_ARGS__ };                                            \
            trace_put(class, event, words_, ARRAY_SIZE(words_));                                  \
        }                                                                                         \
    } while (0)

/* The same, if d is traced for the class. For events of a domain that is not the running one: its
 * vCPU is woken, it gets an event, its timer fires. */
void trace_put_of(const struct domain *d, uint32_t class, uint32_t event, const uint32_t *words,
                  unsigned n);
#define TRACE_OF(d, class, event, ...)                                                            \
    do {                                                                                          \
        if (tracing(class)) {                                                                     \
            const uint32_t words_[] = { __VA_ARGS__ };                                            \
            trace_put_of(d, class, event, words_, ARRAY_SIZE(words_));                            \
        }                                                                                         \
    } while (0)

/* A hypercall begins. member: it is a multicall's member. Returns the TSC, for trace_result. */
uint64_t trace_hypercall(uint64_t nr, const uint64_t args[6], bool member);
/* The hypercall ends. */
void trace_result(uint64_t nr, int64_t result, uint64_t begin);
/* Bytes that the hypercall copied from or to guest memory. Not inline, so that its callers stay
 * small. */
void trace_copy(uint32_t event, uint64_t va, const void *bytes, size_t len);
void trace_emulated(uint32_t event, uint64_t rip, const uint8_t *bytes, unsigned len);
/* v's runstate changes. Recorded whenever anything is: a reader needs it to know to which vCPU the
 * next records belong. */
void trace_runstate(const struct vcpu *v, int from, int to);
void trace_domain_event(const struct domain *d, enum trace_domain what);

#endif
