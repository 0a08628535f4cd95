/* Random choices of a world. */
#ifndef FUZZ_CHOICE_H
#define FUZZ_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

struct fuzz_source;
void choose_from(struct fuzz_source *source);
bool choices_end(void);             /* no choices are left */
uint64_t any(void);
uint64_t below(uint64_t n);
bool one_in(unsigned n);

#endif
