/* Instructions as text, in the syntax of AT&T as objdump writes it: the source first, % before
 * registers, $ before immediates, the size as the name's last letter where no register tells it.
 * Called by tools; no part of the hypervisor. Operands are format_operand.c's, names
 * format_name.c's. */
#include "common/x86/format.h"
#include "common/x86/format_parts.h"

/* What string instructions imply, which is written for them */
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
