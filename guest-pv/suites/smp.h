/* What the files of suite "smp" share; in smp.c. */
#ifndef GUEST_SUITES_SMP_H
#define GUEST_SUITES_SMP_H

#include <stdbool.h>
#include <stdint.h>

/* Tells the workers to end; smp_begin() clears it. */
extern volatile bool smp_stop;

/* The first call of each test: the number of workers; skips the test if there is none. */
unsigned smp_begin(void);
/* n rounds, times rounds= of the command line. */
unsigned smp_rounds(unsigned n);
/* The next of a sequence of pseudo-random numbers (xorshift); *state is not 0. */
uint64_t smp_random(uint64_t *state);
#endif
