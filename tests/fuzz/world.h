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
} world;

void audit_now_and_then(void);

#endif
