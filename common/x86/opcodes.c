/* The decoder's tables, made from the maps: of each opcode what follows it, and what the
 * instruction does as far as decode.c says it. Where opcodes with a ModRM or prefixes mean several
 * things, the maps' cases say which (map.h); the groups among them that write to memory or the
 * stack are here once more, for decode.c to find quickly. */
#include "common/x86/insn.h"
#include "common/x86/opcodes.h"

enum { G_ALU, G_SHIFT, G_UNARY, G_FE, G_FF, G_BIT, G_MOV, G_POP, G_0FC7 };
const uint8_t opcode_groups[][8] = {
    [G_ALU] = { OP_ADD, OP_OR, OP_ADC, OP_SBB, OP_AND, OP_SUB, OP_XOR, OP_CMP },
    [G_SHIFT] = { OP_ROL, OP_ROR, OP_RCL, OP_RCR, OP_SHL, OP_SHR, OP_SHL, OP_SAR },
    [G_UNARY] = { [2] = OP_NOT, [3] = OP_NEG },
    [G_FE] = { OP_INC, OP_DEC },
    [G_FF] = { OP_INC, OP_DEC, OP_CALL, OP_CALL_FAR, [6] = OP_PUSH },
    [G_BIT] = { [4] = OP_BT, [5] = OP_BTS, [6] = OP_BTR, [7] = OP_BTC },
    [G_MOV] = { OP_MOV },
    [G_POP] = { OP_POP_MEMORY },
    [G_0FC7] = { [1] = OP_CMPXCHG8B },
};

#define RUN(first, n, op, a, b, c, extra)                                                          \
    [((first)&0xff)...((first)&0xff) + (n)-1] =                                                    \
        KNOWN | TAIL_##a | TAIL_##b | TAIL_##c | ((extra) & ~ACTS) | ((extra)&ACTS ? OP_##op : 0)
#define ONE(opcode, op, a, b, c, extra) RUN(opcode, 1, op, a, b, c, extra)
#define OPCODE(opcode, entry, ...)      [(opcode)&0xff] = entry
#define PREFIXES(opcode, entry)         [opcode] = entry

const uint32_t opcodes[256] = {
#include "common/x86/map_base.def"
#include "common/x86/map_x87.def"
};
const uint32_t opcodes_0f[256] = {
#include "common/x86/map_0f.def"
#include "common/x86/map_sse.def"
};

_Static_assert(OP_LEAVE <= OP_MASK, "what decode.c says fits into an entry");
