/* Random guests: the world they live in and where their choices come from. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stdint.h>

/* Where choices come from; ends the run when it is dry. */
struct fuzz_source {
    uint64_t (*next)(void *state);
    bool (*dry)(void *state);
    void *state;
};

struct fuzz_result {
    uint64_t hypercalls, succeeded, traps, domains, grants, audits, linear, records, lost;
};

/* One world: two domains making requests until the source is dry or max_hypercalls were made;
 * then both end, and whatever they did, every frame must be free again. A bug ends the process. */
struct fuzz_result fuzz_world(struct fuzz_source *source, uint64_t max_hypercalls);

#endif
