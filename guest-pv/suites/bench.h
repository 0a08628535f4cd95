/* The measurement of suite "bench" (bench.c). Costs are ticks of the TSC, which under
 * -icount shift=0 are instructions, wherever they are executed. */
#ifndef GUEST_BENCH_H
#define GUEST_BENCH_H

#include <stdint.h>

#define BENCH_SAMPLES 101

/* One operation; its result must be `expected`. The cost of an empty call is subtracted. */
typedef long (*bench_op)(void);
/* Runs op BENCH_SAMPLES times, and prints the median of what `per` parts of it cost each. */
void bench(const char *name, bench_op op, long expected, unsigned per);
/* The two halves of that, for an operation that prints. */
uint64_t bench_cost(bench_op op, long expected);
void bench_print(const char *name, uint64_t cost);
/* For operations that cannot be a function: the caller's samples, minus the cost of `nothing`. */
void bench_samples(const char *name, uint64_t *samples, unsigned n, uint64_t nothing);
uint64_t bench_median(uint64_t *samples, unsigned n);
#endif
