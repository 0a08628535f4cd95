/* What the files of suite "smp" share; in smp.c. */
#ifndef GUEST_SUITES_SMP_H
#define GUEST_SUITES_SMP_H

#include <stdbool.h>
#include <stdint.h>

/* Tells the workers to end; smp_begin() clears it. */
extern volatile bool smp_stop;

/* The first call of each test: the number of workers; skips the test if there is none. The test's
 * time begins, 2 seconds times rounds= of the command line. */
unsigned smp_begin(void);
/* n rounds, times rounds= of the command line. */
unsigned smp_rounds(unsigned n);
/* Whether a test that has done so many rounds of n, times rounds=, is to do another. It does fewer
 * when its time is over, but SMP_LEAST at least: a round takes long where the emulated CPUs have to
 * wait for one another, as a host with few cores runs them in turn. */
#define SMP_LEAST 5u
bool smp_goes_on(unsigned done, unsigned n);
/* The next of a sequence of pseudo-random numbers (xorshift); *state is not 0. */
uint64_t smp_random(uint64_t *state);
#endif
