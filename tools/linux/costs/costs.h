/* The rows of `make bench` on Linux, one structure each; main.c measures them. Each file beside it
 * has the rows of one kind: calls.c, memory.c, processes.c, switches.c. */
#ifndef COSTS_H
#define COSTS_H

#include <stdint.h>

#define PAGE 4096ul

/* The cost of a row is the median of its samples, divided by `per`. */
struct row {
    const char *name;
    unsigned samples;
    unsigned per;               /* operations in one sample */
    unsigned minus;             /* ticks that pass whatever the operation costs */
    void (*sample)(void);       /* is measured */
    void (*begin)(void);        /* once before the first sample; may be NULL, as those below */
    void (*before)(void);       /* before each sample */
    void (*after)(void);        /* after each sample */
    void (*end)(void);          /* once after the last sample */
};

extern const struct row call_rows[], memory_rows[], process_rows[], switch_rows[];
extern const unsigned nr_call_rows, nr_memory_rows, nr_process_rows, nr_switch_rows;
#define ROWS(kind) const unsigned nr_##kind = sizeof(kind) / sizeof(kind[0])

extern char **environ;

/* The result, which must not be negative: a row whose operation fails has no cost. */
long must(long result, const char *what);

/* Read-write memory that was never touched. */
uint8_t *map(uint64_t pages);
void unmap(uint8_t *at, uint64_t pages);
/* Touches each page by a write. */
void touch(uint8_t *at, uint64_t pages);
/* Waits for the child, whose exit status must be 0. */
void wait_for(long child);

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

#endif
