/* A world that guests run in. */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include "tests/fuzz/fuzz.h"

extern struct world {
    struct fuzz_result result;
    uint64_t hypercalls_left;
    unsigned inside;                    /* vCPUs in a hypercall that may hold something half done */
    bool over;
} world;

void audit_now_and_then(void);

#endif
