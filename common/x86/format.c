/* Instructions as text, in the syntax of AT&T as objdump writes it: the source first, % before
 * registers, $ before immediates, the size as the name's last letter where no register tells it.
 * Names are the manuals', of ops.def, also for FSUBR and FDIVR, which AT&T confuses with FSUB and
 * FDIV. Called by tools; no part of the hypervisor. */
#include "common/x86/format.h"

struct line {
    char *buf;
    unsigned size, len;
};

static void put_char(struct line *l, char c)
{
    if (l->len + 1 < l->size)
        l->buf[l->len] = c;
    l->len++;
}

static void put(struct line *l, const char *s)
{
    while (*s)
        put_char(l, *s++);
}

static void put_hex(struct line *l, uint64_t value)
{
    unsigned digits = 1;

    while (digits < 16 && value >> (4 * digits))
        digits++;
    put(l, "0x");
    while (digits-- > 0)
        put_char(l, "0123456789abcdef"[value >> (4 * digits) & 15]);
}

static void put_decimal(struct line *l, unsigned value)
{
    if (value >= 10)
        put_decimal(l, value / 10);
    put_char(l, (char)('0' + value % 10));
}

/* --- Registers -------------------------------------------------------------------------------- */

static void put_general(struct line *l, unsigned reg, unsigned bytes)
{
    static const char names[8][3] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };

    put_char(l, '%');
    if (reg >= 8) {
        put_char(l, 'r');
        put_decimal(l, reg);
        put(l, bytes == 8 ? "" : bytes == 4 ? "d" : bytes == 2 ? "w" : "b");
    } else if (bytes == 1) {
        put_char(l, names[reg][0]);
        put(l, reg < 4 ? "l" : reg == RSP || reg == RBP ? "pl" : "il");
    } else {
        put(l, bytes == 8 ? "r" : bytes == 4 ? "e" : "");
        put(l, names[reg]);
    }
}

static void put_segment(struct line *l, unsigned segment)
{
    static const char names[6][3] = { "es", "cs", "ss", "ds", "fs", "gs" };

    put_char(l, '%');
    put(l, names[segment]);
}

static void put_numbered(struct line *l, const char *name, unsigned nr, const char *after)
{
    put(l, name);
    put_decimal(l, nr);
    put(l, after);
}

static void put_register(struct line *l, const struct operand *o)
{
    switch (o->type) {
    case OPERAND_GENERAL:
        put_general(l, o->reg, o->bytes);
        break;
    case OPERAND_HIGH_BYTE:
        put_char(l, '%');
        put_char(l, "acdb"[o->reg]);
        put_char(l, 'h');
        break;
    case OPERAND_SEGMENT:
        put_segment(l, o->reg);
        break;
    case OPERAND_CONTROL:
        put_numbered(l, "%cr", o->reg, "");
        break;
    case OPERAND_DEBUG:
        put_numbered(l, "%db", o->reg, "");
        break;
    case OPERAND_MMX:
        put_numbered(l, "%mm", o->reg, "");
        break;
    case OPERAND_XMM:
        put_numbered(l, "%xmm", o->reg, "");
        break;
    case OPERAND_X87:
        put_numbered(l, "%st(", o->reg, ")");
        break;
    }
}

/* --- Operands --------------------------------------------------------------------------------- */

static void put_override(struct line *l, const struct insn *in)
{
    if (in->override) {
        put_segment(l, in->override - 1u);
        put_char(l, ':');
    }
}

static void put_memory(struct line *l, const struct insn *in)
{
    bool nowhere = in->base == NO_REG && in->index == NO_REG;
    uint64_t disp = (uint64_t)in->disp;

    put_override(l, in);
    if (!nowhere && in->disp < 0) {
        put_char(l, '-');
        disp = -disp;
    }
    if (nowhere)
        disp &= size_mask(in->ad_bytes);
    if (in->base == NO_REG || disp != 0)
        put_hex(l, disp);
    if (nowhere)
        return;
    put_char(l, '(');
    if (in->base == REG_RIP)
        put(l, in->ad_bytes == 8 ? "%rip" : "%eip");
    else if (in->base != NO_REG)
        put_general(l, in->base, in->ad_bytes);
    if (in->index != NO_REG) {
        put_char(l, ',');
        put_general(l, in->index, in->ad_bytes);
        if (in->ad_bytes != 2)
            put_numbered(l, ",", 1u << in->scale, "");
    }
    put_char(l, ')');
}

/* Sign-extended to the size of what it meets, or of what is pushed. */
static void put_immediate(struct line *l, const struct insn *in, const struct operand *first,
                          uint64_t value)
{
    unsigned bytes = first->type == OPERAND_IMMEDIATE ? in->op_bytes : first->bytes;

    put_char(l, '$');
    put_hex(l, bytes == 1 || bytes == 2 || bytes == 4 ? value & size_mask(bytes) : value);
}

static void put_operand(struct line *l, const struct insn *in, const struct operand *operands,
                        unsigned i, uint64_t rip)
{
    const struct operand *o = &operands[i];

    switch (o->type) {
    case OPERAND_MEMORY:
        put_memory(l, in);
        break;
    case OPERAND_IMMEDIATE:
        put_immediate(l, in, &operands[0], o->value);
        break;
    case OPERAND_RELATIVE:
        put_hex(l, (next_rip(in, rip) + o->value) & (in->mode == MODE_64 ? ~0ull
                                                     : in->op_bytes == 2 ? 0xffff
                                                                         : 0xffffffff));
        break;
    case OPERAND_FAR:
        put_char(l, '$');
        put_hex(l, o->value >> 32);
        put(l, ",$");
        put_hex(l, (uint32_t)o->value);
        break;
    default:
        put_register(l, o);
    }
}

/* --- Names ------------------------------------------------------------------------------------ */

static char size_letter(unsigned bytes)
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

static void put_base_name(struct line *l, const struct insn *in, unsigned op)
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
static void put_suffix(struct line *l, const struct insn *in, const struct insn_case *c,
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

/* --- String instructions ---------------------------------------------------------------------- */

enum { FROM_SI = 1, TO_DI = 2, FROM_DI = 4, TO_A = 8, FROM_A = 16, FROM_PORT = 32, TO_PORT = 64 };

static unsigned string_parts(unsigned op)
{
    switch (op) {
    case OP_MOVS:
        return FROM_SI | TO_DI;
    case OP_CMPS:
        return FROM_SI | FROM_DI;
    case OP_STOS:
        return FROM_A | TO_DI;
    case OP_LODS:
        return FROM_SI | TO_A;
    case OP_SCAS:
        return FROM_DI | TO_A;
    case OP_INS:
        return FROM_PORT | TO_DI;
    case OP_OUTS:
        return FROM_SI | TO_PORT;
    }
    return 0;
}

static void put_at(struct line *l, const struct insn *in, unsigned reg, const char *after)
{
    if (reg == RDI)
        put(l, "%es:");
    else
        put_override(l, in);
    put_char(l, '(');
    put_general(l, reg, in->ad_bytes);
    put_char(l, ')');
    put(l, after);
}

static void put_string_insn(struct line *l, const struct insn *in, unsigned op, unsigned parts)
{
    unsigned bytes = in->op_bytes == 8 && (parts & (FROM_PORT | TO_PORT)) ? 4 : in->op_bytes;

    if (in->rep)
        put(l, !(parts & FROM_DI) ? "rep " : in->rep == 0xf3 ? "repz " : "repnz ");
    put_base_name(l, in, op);
    if (!(parts & (FROM_A | TO_A)))
        put_char(l, size_letter(bytes));
    put_char(l, ' ');
    if (parts & FROM_A) {
        put_general(l, RAX, bytes);
        put_char(l, ',');
    }
    if (parts & FROM_PORT)
        put(l, "(%dx),");
    if (parts & FROM_DI)
        put_at(l, in, RDI, ",");
    if (parts & FROM_SI)
        put_at(l, in, RSI, parts & FROM_DI ? "" : ",");
    if (parts & TO_DI)
        put_at(l, in, RDI, "");
    if (parts & TO_A)
        put_general(l, RAX, bytes);
    if (parts & TO_PORT)
        put(l, "(%dx)");
}

/* --- The whole -------------------------------------------------------------------------------- */

/* The port of IN and OUT */
static bool is_port(const struct insn_case *c, unsigned i)
{
    return (c->op == OP_IN || c->op == OP_OUT) && c->forms[i] == FORM_DX;
}

static bool is_indirect(const struct insn_case *c, const struct operand *o)
{
    return (c->op == OP_CALL || c->op == OP_JMP || c->op == OP_CALL_FAR || c->op == OP_JMP_FAR) &&
           o->type != OPERAND_RELATIVE && o->type != OPERAND_FAR;
}

/* The last first, but for those two where AT&T has the order of Intel. */
static void put_operands(struct line *l, const struct insn *in, const struct insn_case *c,
                         const struct operand o[3], unsigned nr, uint64_t rip)
{
    bool forwards = c->op == OP_ENTER || c->op == OP_BOUND;

    for (unsigned n = 0; n < nr; n++) {
        unsigned i = forwards ? n : nr - 1 - n;

        if (c->forms[i] == FORM_One)
            continue;
        put_char(l, n == 0 || (n == 1 && c->forms[nr - 1] == FORM_One) ? ' ' : ',');
        if (is_port(c, i)) {
            put(l, "(%dx)");
            continue;
        }
        if (is_indirect(c, &o[i]))
            put_char(l, '*');
        if (c->forms[i] == FORM_ST0)
            put(l, "%st");
        else
            put_operand(l, in, o, i, rip);
    }
}

unsigned format_insn(const struct insn *in, const struct insn_case *c, uint64_t rip, char *buf,
                     unsigned size)
{
    struct line l = { .buf = buf, .size = size };
    unsigned parts = string_parts(c->op);

    if (in->lock)
        put(&l, "lock ");
    if (parts) {
        put_string_insn(&l, in, c->op, parts);
    } else {
        struct operand operands[3];
        unsigned nr = get_operands(in, c, operands);

        put_base_name(&l, in, c->op);
        put_suffix(&l, in, c, operands);
        put_operands(&l, in, c, operands, nr, rip);
    }
    if (size > 0)
        buf[MIN(l.len, size - 1)] = 0;
    return l.len;
}
