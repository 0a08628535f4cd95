/* Random guests: the world they live in and where their choices come from. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stdint.h>

/* The source of choices; ends the run when it is empty. */
struct fuzz_source {
    uint64_t (*next)(void *state);
    bool (*dry)(void *state);
    void *state;
};

struct fuzz_result {
    uint64_t hypercalls, succeeded, traps, domains, grants, audits, linear, records, lost;
};

/* One world: two domains make requests until the source is empty or max_hypercalls were made;
 * then both end, and every frame must be free again. A bug ends the process. */
struct fuzz_result fuzz_world(struct fuzz_source *source, uint64_t max_hypercalls,
                              unsigned nr);

#endif
