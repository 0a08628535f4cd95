/* Arguments of requests that may succeed. */
#ifndef FUZZ_SHAPES_H
#define FUZZ_SHAPES_H

#include <stdint.h>

struct shape {
    unsigned nr;                        /* of the hypercall */
    void (*shape)(uint64_t *a);         /* its six arguments, and what they point to, at ARGS */
};
const struct shape *some_shape(void);

#endif
