/* fuzz ITERATIONS SEED [CPUS [WORLD]]: worlds of a thousand hypercalls each, from one seed, which
 * begin with number WORLD. The same arguments give the same run. More than one CPU: only in the
 * program that is compiled for it (make fuzz-cpus). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "tests/fuzz/fuzz.h"

#define WORLD_HYPERCALLS 1000u

static uint64_t next(void *state)
{
    uint64_t *x = state, z = *x += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static bool never_dry(void *state)
{
    (void)state;
    return false;
}

static uint64_t argument(int argc, char **argv, int i, uint64_t otherwise)
{
    return argc > i ? strtoull(argv[i], NULL, 0) : otherwise;
}

static uint64_t seed, world;
static unsigned cpus_used;

static void failed(int signal)
{
    fprintf(stderr, "fuzz: signal %d; again: fuzz 1 %lu %u %lu\n", signal, seed, cpus_used, world);
    _exit(1);
}

int main(int argc, char **argv)
{
    uint64_t iterations = argument(argc, argv, 1, 20000);
    struct fuzz_result total = { 0 };

    seed = argument(argc, argv, 2, 1);
    cpus_used = (unsigned)argument(argc, argv, 3, 1);
    signal(SIGABRT, failed);
    for (world = argument(argc, argv, 4, 0); total.hypercalls < iterations; world++) {
        uint64_t state = seed * 1000003 + world;
        struct fuzz_source source = { next, never_dry, &state };
        struct fuzz_result r;

        if (getenv("FUZZ_VERBOSE"))
            fprintf(stderr, "world %lu\n", world);
        r = fuzz_world(&source, WORLD_HYPERCALLS, cpus_used);

        total.hypercalls += r.hypercalls;
        total.succeeded += r.succeeded;
        total.traps += r.traps;
        total.domains += r.domains;
        total.grants += r.grants;
        total.audits += r.audits;
        total.linear += r.linear;
        total.records += r.records;
        total.lost += r.lost;
    }
    printf("fuzz: %lu hypercalls (%lu served, %lu refused) and %lu traps of %lu domains, "
           "%lu grants mapped, %lu audits that met %lu linear tables, "
           "%lu records traced (%lu lost), seed %lu: passed\n",
           total.hypercalls, total.succeeded, total.hypercalls - total.succeeded, total.traps,
           total.domains, total.grants, total.audits, total.linear, total.records, total.lost,
           seed);
    return 0;
}
