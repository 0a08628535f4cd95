/* The maps as a table of cases, and which of them an instruction is: see map.h. Also whether it may
 * be executed in this form: a LOCK that it cannot have, registers that do not exist. */
#include "common/x86/map.h"
#include "common/x86/opcodes.h"

#define CASE(select, op, a, b, c, extra) \
    { \
        (select), KNOWN | (uint32_t)(TAIL_##a | TAIL_##b | TAIL_##c) | (uint32_t)(extra), OP_##op, \
        { \
            FORM_##a, FORM_##b, FORM_##c \
        } \
    }
#define CASES (const struct insn_case[])
#define RUN(first, n, op, a, b, c, extra) \
    [(first)...(first) + (n)-1] = CASES \
    { \
        CASE(0, op, a, b, c, extra) \
    }
#define ONE(opcode, op, a, b, c, extra) RUN(opcode, 1, op, a, b, c, extra)
#define OPCODE(opcode, entry, ...) \
    [opcode] = CASES \
    { \
        __VA_ARGS__, \
        { \
            .op = OP_OTHER \
        } \
    }
#define NOTHING \
    { \
        .op = OP_OTHER \
    }
#define PREFIXES(opcode, entry) [opcode] = NULL

static const struct insn_case *const cases[0x400] = {
#include "common/x86/map_base.def"
#include "common/x86/map_x87.def"
#include "common/x86/map_0f.def"
#include "common/x86/map_sse.def"
#include "common/x86/map_38.def"
};

static bool prefix_fits(const struct insn *in, uint32_t select)
{
    if (select & REP_F3)
        return in->rep == 0xf3;
    if (select & REP_F2)
        return in->rep == 0xf2;
    if (select & ONLY_66)
        return in->rep == 0 && in->opsize;
    if ((select & NO_REP) && in->rep)
        return false;
    return !(select & NO_PREFIX) || (in->rep == 0 && !in->opsize);
}

static bool fits(const struct insn *in, uint32_t select)
{
    unsigned reg = select >> 2 & 15, rm = select >> 6 & 15;

    return prefix_fits(in, select) && !(reg && (reg & 7) != (in->modrm >> 3 & 7)) &&
           !(rm && (rm & 7) != (in->modrm & 7)) && !((select & MEM) && in->modrm >= 0xc0) &&
           !((select & REGISTER) && in->modrm < 0xc0) && !((select & REX_W) && !(in->rex & 8)) &&
           !((select & NO_REX_B) && (in->rex & 1)) && !((select & CODE_64) && in->mode != MODE_64);
}

/* SDM vol. 2, LOCK: only for what reads memory, changes it and writes it. */
static bool may_be_locked(const struct insn *in, const struct insn_case *c)
{
    static const uint8_t lockable[] = {
        OP_ADD, OP_OR,  OP_ADC,  OP_SBB,     OP_AND,  OP_SUB, OP_XOR, OP_NOT, OP_NEG,
        OP_INC, OP_DEC, OP_XCHG, OP_CMPXCHG, OP_XADD, OP_BTS, OP_BTR, OP_BTC, OP_CMPXCHG8B,
    };
    bool to_memory = in->memory && (c->forms[0] == FORM_Eb || c->forms[0] == FORM_Ev);

    if (c->op == OP_CMPXCHG8B || c->op == OP_CMPXCHG16B)
        return true;
    for (unsigned i = 0; i < ARRAY_SIZE(lockable); i++)
        if (lockable[i] == c->op)
            return to_memory;
    return false;
}

/* Segment registers are 0 to 5, and CS cannot be loaded; control registers 0, 2, 3, 4 and 8. */
static bool registers_exist(const struct insn *in)
{
    unsigned reg = modrm_reg(in), segment = in->modrm >> 3 & 7;

    switch (in->opcode) {
    case 0x8c:
        return segment <= SEG_GS;
    case 0x8e:
        return segment <= SEG_GS && segment != SEG_CS;
    case 0x120:
    case 0x122:
        return reg == 0 || reg == 2 || reg == 3 || reg == 4 || reg == 8;
    case 0x121:
    case 0x123:
        return reg <= 7;
    }
    return true;
}

const struct insn_case *find_case(const struct insn *in)
{
    const struct insn_case *c = in->opcode < ARRAY_SIZE(cases) ? cases[in->opcode] : NULL;

    if (c == NULL)
        return NULL;
    while (c->op != OP_OTHER && c->select != 0 && !fits(in, c->select))
        c++;
    if (c->op == OP_OTHER || (in->lock && !may_be_locked(in, c)) || !registers_exist(in))
        return NULL;
    return c;
}
