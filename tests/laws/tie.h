/* Between the formulas in C (made by laws.py), the program that compares (tie.c) and the calls of
 * the hypervisor's code (pages.c, frames.c, cpu.c, segments.c, lists.c, times.c). */
#ifndef TIE_H
#define TIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_ARGS 8

/* A formula. Arguments and the result are words; a Boolean is 0 or 1. */
struct model {
    const char *name;
    unsigned nr_args;
    uint8_t width[MAX_ARGS];
    uint64_t (*call)(const uint64_t *a);
    uint64_t (*changed)(const uint64_t *a);     /* with the change number `mutant` */
    bool (*domain)(const uint64_t *a);          /* NULL: all values */
    const uint64_t *constants;                  /* in the formula */
    unsigned nr_constants, nr_mutants;
};
extern const struct model models[];
extern unsigned mutant;

/* The C code that a formula of the same name models. shape (or NULL) changes random arguments so
 * that they lie in the domain; call may rely on that. */
struct real {
    const char *name;
    uint64_t (*call)(const uint64_t *a);
    void (*shape)(uint64_t *a);
    unsigned values;                            /* number of values to try; 0: VALUES */
};
#define VALUES 1000000u
extern const struct real reals_pages[], reals_frames[], reals_cpu[], reals_segments[],
    reals_lists[], reals_times[];

void pages_up(void);                /* needs a machine with one guest, whose vCPU 0 is current */
void cpu_up(void);
void segments_up(void);
void lists_up(void);

#endif
