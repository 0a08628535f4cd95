/* A world that guests run in. */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include "tests/fuzz/fuzz.h"

extern struct world {
    struct fuzz_result result;
    uint64_t hypercalls_left;
    /* vCPUs in the middle of a hypercall, which may hold references */
    unsigned inside;
    bool over;
    unsigned nr_cpus;
    /* Several CPUs: a vCPU wants to audit, and waits until none is inside, nor goes inside. */
    bool stop;
} world;

/* With several CPUs the audit comes later, at the next audit_if_wanted() of any vCPU; which is
 * called in guest mode. */
void audit_now_and_then(void);
void audit_if_wanted(void);

#endif
