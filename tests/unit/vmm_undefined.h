/* What the SDM calls undefined of an integer instruction, and what CPUs do differently: a test that
 * compares the vmm's core with the host's CPU leaves it out. vmm_undefined.c. */
#ifndef TEST_VMM_UNDEFINED_H
#define TEST_VMM_UNDEFINED_H

#include "tests/unit/vmm_cases.h"
#include "tests/unit/vmm_native.h"

/* Is the result undefined: BSF and BSR of 0, 16 bits that are shifted by more? */
bool is_undefined(const struct test_case *t, const struct native_run *host);
/* The flags after it */
uint64_t undefined_flags(const struct test_case *t);
/* Bits of a register after it */
uint64_t undefined_bits(const struct test_case *t, unsigned reg, bool faulted);

#endif
