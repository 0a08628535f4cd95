/* Multiplication, division and the search for bits: arith.c. Operands are of 1, 2, 4 or 8 bytes;
 * bits beyond them are garbage, in and out. Flags that the SDM calls undefined stay. */
#ifndef COMMON_X86_ARITH_H
#define COMMON_X86_ARITH_H

#include "common/x86/alu.h"

/* MUL, or IMUL: the product's lower and upper half. The forms of IMUL with two and three operands
 * have the lower one for a result. */
void multiply(bool is_signed, unsigned bytes, uint64_t a, uint64_t b, uint64_t *low, uint64_t *high,
              uint64_t *flags);

/* DIV, or IDIV: false: #DE. */
bool divide(bool is_signed, unsigned bytes, uint64_t high, uint64_t low, uint64_t divisor,
            uint64_t *quotient, uint64_t *remainder);

/* BSF, BSR, TZCNT, LZCNT, POPCNT. BSF and BSR of 0 leave the destination, old, as it was. */
uint64_t count_bits(enum insn_op op, unsigned bytes, uint64_t old, uint64_t source,
                    uint64_t *flags);

#endif
