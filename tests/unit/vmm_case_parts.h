/* What vmm_cases.c and vmm_case_values.c do for each other. */
#ifndef TEST_VMM_CASE_PARTS_H
#define TEST_VMM_CASE_PARTS_H

#include "tests/unit/vmm_cases.h"

bool is_string(unsigned op);
uint64_t random_value(void);            /* often one at an edge */
uint64_t random_target(void);           /* an address: mostly one that can be accessed */
uint64_t base_of(const struct insn *in, uint64_t fs, uint64_t gs);

/* All registers, before those of the address, which win. */
void set_registers(struct test_case *t);
/* RSI, RDI, RCX and what is compared */
void set_string(struct test_case *t, uint64_t fs, uint64_t gs);
/* After the address's registers: half of the comparisons succeed, jumps lead somewhere. */
void set_values(struct test_case *t);

#endif
