/* A reader of the ring as on a host, for the unit tests and the fuzzer: continues where it stopped
 * last time, checks every block and record, and counts what it missed. A fault ends the process. */
#ifndef TRACE_READER_H
#define TRACE_READER_H

#include "support.h"
#include "common/trace_format.h"
#include "xen/core/domain.h"
#include "xen/core/options.h"

struct trace_record {
    uint64_t index, tsc;   /* its number since boot; tsc 0: it has no time of its own */
    uint32_t event, who;                /* who: VCPU_WORD of who ran, NO_VCPU, IDLE_WORD */
    uint64_t block;
    unsigned n;
    uint32_t words[TRACE_EXTRA_MAX];
};

#define READER_VCPUS 16u
#define READER_DEPTH 4u

struct trace_reader {
    void (*on_record)(const struct trace_record *r); /* may be NULL */
    unsigned cpu;                       /* whose ring: 0, or set after reader_start() */
    uint64_t block, offset;             /* where it continues; block 0: at the oldest block */
    uint64_t seen, lost, calls, results;
    uint64_t tsc;
    uint32_t who, classes;
    bool who_is_known;
    struct reader_calls {               /* hypercalls that have not ended, of one vCPU */
        uint32_t vcpu;
        unsigned depth;
        bool loose;                     /* there may be calls whose beginning was not read */
        uint32_t nr[READER_DEPTH];
    } vcpus[READER_VCPUS];
};

void reader_start(struct trace_reader *r, void (*on_record)(const struct trace_record *r));
void reader_follow(struct trace_reader *r);     /* everything new */
/* The traced classes have changed: calls may lack their results, and results their calls. */
void reader_forget_calls(struct trace_reader *r);
/* After trace_end(), which leaves the ring to readers: the next machine uses a new one. */
void reader_drop_ring(void);

#endif
