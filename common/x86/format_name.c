/* Names of instructions as text, for format.c: those of ops.def, which are the manuals', but where
 * AT&T has others (not of FSUBR and FDIVR, which it confuses with FSUB and FDIV), and the letters
 * for sizes. */
#include "common/x86/format_parts.h"

char size_letter(unsigned bytes)
{
    return bytes == 1 ? 'b' : bytes == 2 ? 'w' : bytes == 4 ? 'l' : 'q';
}

static void put_condition(struct line *l, unsigned condition)
{
    static const char names[16][3] = {
        "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g",
    };

    put(l, names[condition & 15]);
}

/* What AT&T calls differently: by the operand size 2, 4, 8, or by the address size */
static const struct {
    uint16_t op;
    bool by_address;
    char names[3][7];
} other_names[] = {
    { OP_CBW, false, { "cbtw", "cwtl", "cltq" } },
    { OP_CWD, false, { "cwtd", "cltd", "cqto" } },
    { OP_JCXZ, true, { "jcxz", "jecxz", "jrcxz" } },
    { OP_CALL_FAR, false, { "lcall", "lcall", "lcall" } },
    { OP_JMP_FAR, false, { "ljmp", "ljmp", "ljmp" } },
    { OP_RET_FAR, false, { "lretw", "lret", "lretq" } },
    { OP_IRET, false, { "iretw", "iret", "iretq" } },
    { OP_MOVSXD, false, { "movslw", "movsll", "movslq" } },
    { OP_MOVZX, false, { "movz", "movz", "movz" } },
    { OP_MOVSX, false, { "movs", "movs", "movs" } },
};

static unsigned full_size(const struct insn *in)
{
    return in->rex & 8 ? 8 : (in->mode == MODE_16) != in->opsize ? 2 : 4;
}

void put_base_name(struct line *l, const struct insn *in, unsigned op)
{
    static const char *const names[] = {
        "",
#define OP(name) #name,
#include "common/x86/ops.def"
#undef OP
    };
    const char *name = names[op];

    for (unsigned i = 0; i < ARRAY_SIZE(other_names); i++) {
        if (other_names[i].op == op) {
            unsigned bytes = other_names[i].by_address ? in->ad_bytes : full_size(in);

            put(l, other_names[i].names[bytes / 4]);
            return;
        }
    }
    for (; *name && *name != '_' && !(name[0] == 'C' && name[1] == 'C' && name[2] == 0); name++)
        put_char(l, (char)(*name >= 'A' ? *name | 0x20 : *name));
    if (*name == 'C')
        put_condition(l, in->opcode);
}

/* Of the x87: single, double, extended; of its integers: word, long, long long. */
static const char *x87_suffix(unsigned op, unsigned bytes)
{
    switch (op) {
    case OP_FILD:
    case OP_FIST:
    case OP_FISTP:
    case OP_FISTTP:
    case OP_FIADD:
    case OP_FIMUL:
    case OP_FICOM:
    case OP_FICOMP:
    case OP_FISUB:
    case OP_FISUBR:
    case OP_FIDIV:
    case OP_FIDIVR:
        return bytes == 2 ? "s" : bytes == 4 ? "l" : "ll";
    case OP_FBLD:
    case OP_FBSTP:
        return "";
    default:
        return bytes == 4 ? "s" : bytes == 8 ? "l" : bytes == 10 ? "t" : "";
    }
}

static bool register_tells_size(const struct operand *o)
{
    return o->type != OPERAND_MEMORY && o->type != OPERAND_IMMEDIATE && o->type != OPERAND_NONE;
}

/* With the size that it has without a prefix */
static bool is_usual_push(const struct insn *in, const struct insn_case *c)
{
    return (c->op == OP_PUSH || c->op == OP_POP_MEMORY) && !in->opsize;
}

/* With 8 bytes of immediate or of address */
static bool is_movabs(const struct insn *in, const struct insn_case *c)
{
    return (c->forms[1] == FORM_Iv && (in->rex & 8)) ||
           ((c->forms[0] == FORM_Ob || c->forms[0] == FORM_Ov || c->forms[1] == FORM_Ob ||
             c->forms[1] == FORM_Ov) &&
            in->ad_bytes == 8);
}

/* What no register says: the size of the memory operand. */
void put_suffix(struct line *l, const struct insn *in, const struct insn_case *c,
                const struct operand o[3])
{
    bool sized = c->forms[0] == FORM_Eb || c->forms[0] == FORM_Ev;
    bool told = register_tells_size(&o[1]) && c->forms[1] != FORM_CL;

    if (is_movabs(in, c)) {
        put(l, "abs");
    } else if (c->op == OP_MOVZX || c->op == OP_MOVSX) {
        put_char(l, size_letter(o[1].bytes));
        put_char(l, size_letter(o[0].bytes));
    } else if (c->op == OP_CRC32) {
        put_char(l, size_letter(o[1].bytes));
    } else if ((c->op == OP_CVTSI2SS || c->op == OP_CVTSI2SD) && in->memory) {
        put_char(l, size_letter(o[1].bytes));
    } else if (in->opcode >= 0xd8 && in->opcode <= 0xdf && in->memory) {
        put(l, x87_suffix(c->op, o[0].bytes));
    } else if (in->memory && sized && !told && c->op != OP_CALL && c->op != OP_JMP &&
               c->op != OP_SETCC && !is_usual_push(in, c)) {
        put_char(l, size_letter(o[0].bytes));
    } else if ((c->op == OP_PUSHF || c->op == OP_POPF) && in->opsize && in->mode != MODE_16) {
        put_char(l, 'w');
    } else if (c->op == OP_SYSRET && in->rex & 8) {
        put_char(l, 'q');
    }
}
