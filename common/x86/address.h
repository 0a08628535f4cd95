/* Where memory operands lie, by a register state: address.c. */
#ifndef COMMON_X86_ADDRESS_H
#define COMMON_X86_ADDRESS_H

#include "common/x86/regs.h"

/* The memory operand's offset in its segment. For BTS, BTR, BTC and BT with a register, the one of
 * the word that holds the bit. */
uint64_t operand_offset(const struct insn *in, struct x86_regs regs);
/* 64-bit code: does the instruction access memory through RSP or RBP, by its operand or by
 * implication, at an address that is not canonical? Such an access is #SS(0). */
bool stack_access_not_canonical(const struct insn *in, struct x86_regs regs);

#endif
