/* Searches of the frame table. */
#ifndef FUZZ_SCAN_H
#define FUZZ_SCAN_H

#include "arch/arch.h"

struct domain;
/* The first frame from mfn on that d owns; max_mfn: there is none. */
mfn_t next_owned(mfn_t mfn, const struct domain *d);
/* How many owned frames have some of these bits in `word` or in `linear`. */
unsigned count_frames(uint64_t word_bits, uint32_t linear_bits);

#endif
