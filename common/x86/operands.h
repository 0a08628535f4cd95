/* The operands of an instruction, in the order of the manuals: the destination first. Those that it
 * names, and registers that it implies and assemblers write (as CL of shifts); not what PUSH, CALL
 * or string instructions access besides. */
#ifndef COMMON_X86_OPERANDS_H
#define COMMON_X86_OPERANDS_H

#include "common/x86/map.h"

enum operand_type {
    OPERAND_NONE,
    OPERAND_GENERAL,            /* reg: 0 to 15 */
    OPERAND_HIGH_BYTE,          /* reg: 0 to 3, for AH to BH */
    OPERAND_SEGMENT, OPERAND_CONTROL, OPERAND_DEBUG, OPERAND_MMX, OPERAND_XMM, OPERAND_X87,
    OPERAND_MEMORY,             /* base, index, scale, disp of struct insn; operand_segment() */
    OPERAND_IMMEDIATE,
    OPERAND_RELATIVE,           /* to the next instruction */
    OPERAND_FAR,                /* value: the offset, and from bit 32 on the selector */
};

struct operand {
    uint8_t type; /* enum operand_type */
    uint8_t reg;
    uint16_t bytes; /* of memory 0: as many as the instruction knows (LEA, XSAVE) */
    uint64_t value; /* sign-extended */
};

/* The one of that number, 0 to 2. */
void get_operand(const struct insn *in, const struct insn_case *c, unsigned nr, struct operand *o);
/* How many there are; the rest of them are of type OPERAND_NONE. */
unsigned get_operands(const struct insn *in, const struct insn_case *c, struct operand operands[3]);

#endif
