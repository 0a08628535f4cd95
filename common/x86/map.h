/* What a decoded instruction is: its operation and operands, from the maps (map_*.def) by way of
 * map.c. The hypervisor does without: what decode.c says is enough for it. A row of a map is one of
 *
 *   ONE(opcode, op, a, b, c, extra)      an opcode with one meaning; its operands, of operands.def
 *   RUN(opcode, n, op, a, b, c, extra)   so many opcodes with the same
 *   OPCODE(opcode, entry, CASE(select, op, a, b, c, extra), ...)
 *                                        one whose meaning depends on prefixes, ModRM or mode:
 *                                        the first case that fits. entry is that of opcodes.h
 *   PREFIXES(opcode, entry)              what is no opcode
 *
 * with 0x100 added to opcodes behind 0F, 0x200 behind 0F 38, 0x300 behind 0F 3A. extra: bits of
 * opcodes.h. */
#ifndef COMMON_X86_MAP_H
#define COMMON_X86_MAP_H

#include "common/x86/insn.h"

/* When a case is meant: all that is given has to be so. */
#define MEM       1u                    /* the ModRM names memory, or a register */
#define REGISTER  2u
#define REG(n)    ((8u | (n)) << 2)     /* the ModRM's fields */
#define RM(n)     ((8u | (n)) << 6)
#define NO_PREFIX 0x400u                /* of 66, F2 and F3 none, or that. Of F2 and F3 the last */
#define ONLY_66   0x800u                /* one counts, and beside it 66 does not */
#define REP_F3    0x1000u
#define REP_F2    0x2000u
#define REX_W     0x4000u
#define NO_REX_B  0x8000u
#define CODE_64   0x10000u              /* in 64-bit code */
#define NO_REP    0x20000u              /* neither F2 nor F3; 66 is the operand size */

enum operand_form {
#define OPERAND(name, kind, size, tail) FORM_##name,
#include "common/x86/operands.def"
#undef OPERAND
};

struct insn_case {
    uint32_t select;
    uint32_t entry;   /* of opcodes.h */
    uint16_t op;      /* enum insn_op */
    uint8_t forms[3]; /* enum operand_form; FORM__: none */
};

/* NULL: no instruction, or one that only its length is known of (VEX, 3DNow!). */
const struct insn_case *find_case(const struct insn *in);

#endif
