/* Operands of instructions as text, for format.c: registers, memory, immediates. */
#include "common/x86/format_parts.h"

void put_char(struct line *l, char c)
{
    if (l->len + 1 < l->size)
        l->buf[l->len] = c;
    l->len++;
}

void put(struct line *l, const char *s)
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

void put_general(struct line *l, unsigned reg, unsigned bytes)
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

void put_override(struct line *l, const struct insn *in)
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

void put_operand(struct line *l, const struct insn *in, const struct operand operands[3],
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
