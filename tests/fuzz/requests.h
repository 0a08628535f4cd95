/* The next hypercall of a guest. */
#ifndef FUZZ_REQUESTS_H
#define FUZZ_REQUESTS_H

#include <stdint.h>

unsigned choose_request(uint64_t *a);   /* its number; a: six arguments */

#endif
