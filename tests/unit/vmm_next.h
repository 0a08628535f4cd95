/* The instruction that the guest of vmm_translated.h executes next: may it run in this process? */
#ifndef TEST_VMM_NEXT_H
#define TEST_VMM_NEXT_H

#include "tests/unit/vmm_cases.h"
#include "tests/unit/vmm_translated.h"

/* 06, which is no instruction, where there is no code. */
uint8_t code_byte(struct cpu *c, uint64_t rip);
/* As a test case, with the registers. False: it is none. */
bool next_insn(struct cpu *c, struct test_case *t);
bool is_next(struct cpu *c, unsigned op);
/* Does it reach memory that is this process's and not the guest's? Or does it branch to where the
 * guest has no code: of an address that is not canonical translated code raises #GP there, not at
 * the branch. */
bool leaves_window(struct cpu *c, const struct test_case *t);

#endif
