/* Times and vCPUs into a line, without printf, which is what a fast reader would spend its time in. And
 * slots: a small table of vCPUs that any input can only fill, not grow. */
#ifndef PVTRACE_PUT_H
#define PVTRACE_PUT_H

#include "tools/pvtrace/pvtrace.h"

#define DOMID_NOBODY 32767u         /* the idle vCPU's, in items */
#define DOMID_UNKNOWN 32768u

struct span {                       /* ticks as seconds and nanoseconds */
    uint64_t seconds;
    uint32_t nanoseconds;
};
struct span clock_span(const struct clock_info *c, uint64_t ticks);

void put_span(struct text *t, struct span s);                   /* 12.000123456 */
void put_vcpu(struct text *t, struct vcpu_id v);                /* d1v0, idle, ? */
void put_took(struct text *t, const struct clock_info *c, bool instructions, uint64_t ticks);   /* 1.234 us */

/* The index of v in keys[n], n a power of two: where it is, or a free place, or (*evicts) one that another
 * vCPU has to give up. A key of all ones is free. */
unsigned vcpu_slot(const struct vcpu_id *keys, unsigned n, struct vcpu_id v, bool *evicts);
/* -1: not there. */
int vcpu_slot_find(const struct vcpu_id *keys, unsigned n, struct vcpu_id v);
void vcpu_slots_clear(struct vcpu_id *keys, unsigned n);

static inline bool same_vcpu(struct vcpu_id a, struct vcpu_id b)
{
    return a.domid == b.domid && a.vcpu == b.vcpu;
}

#endif
