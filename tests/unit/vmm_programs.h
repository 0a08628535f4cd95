/* Random kernel programs for the translator, in the pages of vmm_translated.h. */
#ifndef TEST_VMM_PROGRAMS_H
#define TEST_VMM_PROGRAMS_H

#include "tests/unit/vmm_translated.h"

#define MAX_PROGRAM 4000u

struct program {
    uint8_t bytes[MAX_PROGRAM];
    unsigned len;
    uint64_t start;             /* in PAGE_CODE or the page behind it */
};

/* Ends with CLI and HLT if nothing goes wrong; with exceptions that are handled in the middle. */
void random_program(struct program *p, unsigned chunks);
/* Both machines as new, the program and random data in their memory, registers set. */
void load_program(struct pair *p, const struct program *program, uint64_t state);

#endif
