/* Operands of decoded instructions: what their forms (operands.def) mean under the instruction's
 * prefixes and ModRM. */
#include "common/x86/opcodes.h"
#include "common/x86/operands.h"

enum kind {
    NONE,
    RM, RM_B, RM_W,             /* register or memory; where it is memory, a byte or a word */
    RM_MMX, RM_XMM, RM_ST,
    GENERAL, SEGMENT, CONTROL, DEBUGREG, MMX, XMM,
    LOW,                        /* by the opcode's low bits */
    FIXED, FIXED_C, FIXED_D, FIXED_ES, FIXED_CS, FIXED_SS, FIXED_DS, FIXED_FS, FIXED_GS, FIXED_ST,
    IMM, IMM_U, IMM2, REL, FAR,
};
enum size {
    SIZE_0, SIZE_B, SIZE_W, SIZE_D, SIZE_Q, SIZE_T, SIZE_X, SIZE_M64, SIZE_FX,
    SIZE_V, SIZE_V2, SIZE_Y, SIZE_Z, SIZE_N, SIZE_A, SIZE_P, SIZE_S, SIZE_ENV, SIZE_SAVE,
};

static const struct {
    uint8_t kind, size;
} forms[] = {
#define OPERAND(name, kind, size, tail) [FORM_##name] = { kind, SIZE_##size },
#include "common/x86/operands.def"
};

/* The operand size by prefixes and mode */
static inline unsigned operand_size(const struct insn *in, uint32_t entry)
{
    if (in->mode == MODE_64 && ((in->rex & 8) || (entry & F64) || ((entry & D64) && !in->opsize)))
        return 8;
    return (in->mode == MODE_16) != in->opsize ? 2 : 4;
}

/* By prefixes and mode */
static unsigned variable_size(const struct insn *in, uint32_t entry, enum size size)
{
    bool is_64 = in->mode == MODE_64;
    unsigned v;

    if (size == SIZE_Y)
        return in->rex & 8 ? 8 : 4;
    if (size == SIZE_N)
        return is_64 ? 8 : 4;
    if (size == SIZE_A)
        return in->ad_bytes;
    if (size == SIZE_S)
        return is_64 ? 10 : 6;
    v = operand_size(in, entry);
    switch (size) {
    case SIZE_V2:
        return 2 * v;
    case SIZE_Z:
        return v == 2 ? 2 : 4;
    case SIZE_P:
        return v + 2;
    case SIZE_ENV:
        return v == 2 ? 14 : 28;
    case SIZE_SAVE:
        return v == 2 ? 94 : 108;
    default:
        return v;
    }
}

static inline unsigned size_in_bytes(const struct insn *in, uint32_t entry, enum size size)
{
    static const uint16_t fixed[] = {
        [SIZE_B] = 1,  [SIZE_W] = 2,  [SIZE_D] = 4,    [SIZE_Q] = 8,
        [SIZE_T] = 10, [SIZE_X] = 16, [SIZE_M64] = 64, [SIZE_FX] = 512,
    };

    if (size == SIZE_V)
        return operand_size(in, entry);
    return size < ARRAY_SIZE(fixed) ? fixed[size] : variable_size(in, entry, size);
}

static inline void set_register(struct operand *o, enum operand_type type, unsigned reg)
{
    o->type = (uint8_t)type;
    o->reg = (uint8_t)reg;
}

static inline void set_general(const struct insn *in, struct operand *o, unsigned reg)
{
    if (o->bytes == 1 && in->rex == 0 && reg >= 4)
        set_register(o, OPERAND_HIGH_BYTE, reg - 4);
    else
        set_register(o, OPERAND_GENERAL, reg);
}

static void set_by_rm(const struct insn *in, struct operand *o, enum kind kind)
{
    if (in->memory) {
        o->type = OPERAND_MEMORY;
        if (unlikely(kind == RM_B || kind == RM_W))
            o->bytes = kind == RM_B ? 1 : 2;
    } else if (kind == RM_MMX || kind == RM_ST) {
        set_register(o, kind == RM_MMX ? OPERAND_MMX : OPERAND_X87, in->modrm & 7);
    } else if (kind == RM_XMM) {
        set_register(o, OPERAND_XMM, modrm_rm(in));
    } else {
        set_general(in, o, modrm_rm(in));
    }
}

static void set_by_reg(const struct insn *in, struct operand *o, enum kind kind)
{
    static const uint8_t types[] = {
        [SEGMENT] = OPERAND_SEGMENT, [CONTROL] = OPERAND_CONTROL, [DEBUGREG] = OPERAND_DEBUG,
        [MMX] = OPERAND_MMX,         [XMM] = OPERAND_XMM,
    };

    if (kind == GENERAL)
        set_general(in, o, modrm_reg(in));
    else if (kind == SEGMENT || kind == MMX)
        set_register(o, types[kind], in->modrm >> 3 & 7);
    else
        set_register(o, types[kind], modrm_reg(in));
}

static void set_fixed(struct operand *o, enum kind kind)
{
    if (kind >= FIXED_ES && kind <= FIXED_GS)
        set_register(o, OPERAND_SEGMENT, (unsigned)(kind - FIXED_ES));
    else if (kind == FIXED_ST)
        set_register(o, OPERAND_X87, 0);
    else
        set_register(o, OPERAND_GENERAL, kind == FIXED_C ? RCX : kind == FIXED_D ? RDX : RAX);
}

static void set_immediate(const struct insn *in, struct operand *o, enum kind kind)
{
    o->type = kind == REL ? OPERAND_RELATIVE : kind == FAR ? OPERAND_FAR : OPERAND_IMMEDIATE;
    o->value = kind == IMM2    ? in->imm >> 16 & 0xff
               : kind == IMM_U ? in->imm & size_mask(o->bytes)
                               : in->imm;
}

void get_operand(const struct insn *in, const struct insn_case *c, unsigned nr, struct operand *o)
{
    enum kind kind = forms[c->forms[nr]].kind;

    *o = (struct operand){ .bytes = (uint16_t)size_in_bytes(in, c->entry,
                                                            forms[c->forms[nr]].size) };
    if (kind == GENERAL)
        set_general(in, o, modrm_reg(in));
    else if (kind == RM && !in->memory)
        set_general(in, o, modrm_rm(in));
    else if (kind >= IMM)
        set_immediate(in, o, kind);
    else if (kind >= FIXED)
        set_fixed(o, kind);
    else if (kind == LOW)
        set_general(in, o, (in->opcode & 7) | (in->rex << 3 & 8u));
    else if (kind >= GENERAL)
        set_by_reg(in, o, kind);
    else if (kind != NONE)
        set_by_rm(in, o, kind);
}

unsigned get_operands(const struct insn *in, const struct insn_case *c, struct operand operands[3])
{
    unsigned n = 0;

    for (unsigned i = 0; i < 3; i++) {
        get_operand(in, c, i, &operands[i]);
        n += operands[i].type != OPERAND_NONE;
    }
    return n;
}
