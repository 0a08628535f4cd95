/* The integer ALU: alu.c. */
#ifndef COMMON_X86_ALU_H
#define COMMON_X86_ALU_H

#include "common/x86/flags.h"
#include "common/x86/insn.h"

#define FLAGS_ARITHMETIC (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* What op makes of a destination a and a source b (for BTS and the like: the number of the bit; for
 * SETCC: of the condition), with a count for shifts; flags are RFLAGS before and after. CMP and
 * TEST return a. Bits beyond the operand's are garbage, in and out. Flags that the SDM calls
 * undefined: AF stays, and so does OF of shifts by more than one. */
uint64_t alu(enum insn_op op, unsigned bytes, uint64_t a, uint64_t b, unsigned count,
             uint64_t *flags);
void compare(unsigned bytes, uint64_t a, uint64_t b, uint64_t *flags); /* CMP */
bool condition_holds(unsigned condition, uint64_t flags);

#endif
