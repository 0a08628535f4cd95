/* The integer ALU: results and flags of the instructions that write to memory. */
#include "common/x86/alu.h"

static unsigned top_bit(unsigned bytes, uint64_t value)
{
    return (unsigned)(value >> (8 * bytes - 1) & 1);
}

static uint64_t result_flags(unsigned bytes, uint64_t value)
{
    uint64_t flags = 0;

    if (!__builtin_parity((unsigned)(value & 0xff)))
        flags |= FLAG_PF;
    if ((value & size_mask(bytes)) == 0)
        flags |= FLAG_ZF;
    if (top_bit(bytes, value))
        flags |= FLAG_SF;
    return flags;
}

static void set_flags(uint64_t *flags, uint64_t which, uint64_t value)
{
    *flags = (*flags & ~which) | (value & which);
}

static uint64_t add(unsigned bytes, uint64_t a, uint64_t b, uint64_t carry, uint64_t which,
                    uint64_t *flags)
{
    uint64_t r = a + b + carry, out = result_flags(bytes, r);

    if (top_bit(bytes, (a & b) | ((a | b) & ~r)))
        out |= FLAG_CF;
    if ((a ^ b ^ r) & 0x10)
        out |= FLAG_AF;
    if (top_bit(bytes, ~(a ^ b) & (a ^ r)))
        out |= FLAG_OF;
    set_flags(flags, which, out);
    return r;
}

static uint64_t subtract(unsigned bytes, uint64_t a, uint64_t b, uint64_t borrow, uint64_t which,
                         uint64_t *flags)
{
    uint64_t r = a - b - borrow, out = result_flags(bytes, r);

    if (top_bit(bytes, (~a & b) | ((~a | b) & r)))
        out |= FLAG_CF;
    if ((a ^ b ^ r) & 0x10)
        out |= FLAG_AF;
    if (top_bit(bytes, (a ^ b) & (a ^ r)))
        out |= FLAG_OF;
    set_flags(flags, which, out);
    return r;
}

void compare(unsigned bytes, uint64_t a, uint64_t b, uint64_t *flags)
{
    subtract(bytes, a, b, 0, FLAGS_ARITHMETIC, flags);
}

static uint64_t logic(unsigned bytes, uint64_t r, uint64_t *flags)
{
    set_flags(flags, FLAGS_ARITHMETIC & ~FLAG_AF, result_flags(bytes, r));
    return r;
}

/* RCL and RCR turn bits + 1 bits, the highest of them the carry; ROL and ROR just the operand. One
 * step at a time. */
static uint64_t rotate(enum insn_op op, unsigned bytes, uint64_t a, unsigned count, uint64_t *flags)
{
    unsigned bits = 8 * bytes, carry = *flags & FLAG_CF, out;
    bool left = op == OP_ROL || op == OP_RCL, through = op == OP_RCL || op == OP_RCR;

    count &= bytes == 8 ? 63 : 31;
    if (count == 0)
        return a;
    for (unsigned i = 0; i < count; i++) {
        out = left ? top_bit(bytes, a) : (unsigned)(a & 1);
        if (left)
            a = a << 1 | (through ? carry : out);
        else
            a = (a & size_mask(bytes)) >> 1 | (uint64_t)(through ? carry : out) << (bits - 1);
        carry = out;
    }
    set_flags(flags, FLAG_CF, carry);
    if (count == 1) {
        unsigned next = left ? carry : (unsigned)(a >> (bits - 2) & 1);

        set_flags(flags, FLAG_OF, top_bit(bytes, a) != next ? FLAG_OF : 0);
    }
    return a;
}

static uint64_t shift(enum insn_op op, unsigned bytes, uint64_t a, unsigned count, uint64_t *flags)
{
    unsigned bits = 8 * bytes, out = 0, first;
    uint64_t fill = 0;

    count &= bytes == 8 ? 63 : 31;
    if (count == 0)
        return a;
    a &= size_mask(bytes);
    first = top_bit(bytes, a);
    if (op == OP_SAR && first)
        fill = 1ull << (bits - 1);
    for (unsigned i = 0; i < count; i++) {
        out = op == OP_SHL ? top_bit(bytes, a) : (unsigned)(a & 1);
        a = op == OP_SHL ? a << 1 : a >> 1 | fill;
    }
    set_flags(flags, FLAG_CF | FLAG_PF | FLAG_ZF | FLAG_SF, result_flags(bytes, a) | out);
    if (count == 1)
        set_flags(flags, FLAG_OF,
                  op == OP_SAR               ? 0
                  : op == OP_SHR             ? (first ? FLAG_OF : 0)
                  : top_bit(bytes, a) != out ? FLAG_OF
                                             : 0);
    return a;
}

/* SHLD and SHRD: what is shifted in comes from b. Counts beyond a 16-bit operand are undefined;
 * here it turns. */
static uint64_t double_shift(bool left, unsigned bytes, uint64_t a, uint64_t b, unsigned count,
                             uint64_t *flags)
{
    unsigned bits = 8 * bytes, out = 0, first;

    count &= bytes == 8 ? 63 : 31;
    if (count == 0)
        return a;
    a &= size_mask(bytes);
    first = top_bit(bytes, a);
    for (unsigned i = 0; i < count; i++) {
        unsigned in;

        if (left) {
            in = (unsigned)(b >> (bits - 1 - i % bits) & 1);
            out = top_bit(bytes, a);
            a = a << 1 | in;
        } else {
            in = (unsigned)(b >> i % bits & 1);
            out = (unsigned)(a & 1);
            a = (a & size_mask(bytes)) >> 1 | (uint64_t)in << (bits - 1);
        }
    }
    set_flags(flags, FLAG_CF | FLAG_PF | FLAG_ZF | FLAG_SF, result_flags(bytes, a) | out);
    if (count == 1)
        set_flags(flags, FLAG_OF, top_bit(bytes, a) != first ? FLAG_OF : 0);
    return a;
}

static uint64_t change_bit(enum insn_op op, unsigned bytes, uint64_t a, unsigned bit,
                           uint64_t *flags)
{
    bit &= 8 * bytes - 1;
    set_flags(flags, FLAG_CF, a >> bit & 1);
    return op == OP_BTS   ? a | 1ull << bit
           : op == OP_BTR ? a & ~(1ull << bit)
           : op == OP_BTC ? a ^ 1ull << bit
                          : a;
}

/* SDM vol. 2, appendix B, "tttn". */
bool condition_holds(unsigned condition, uint64_t flags)
{
    bool sign_is_not_overflow = !(flags & FLAG_SF) != !(flags & FLAG_OF), holds[8] = {
        flags & FLAG_OF,      flags & FLAG_CF,
        flags & FLAG_ZF,      flags & (FLAG_CF | FLAG_ZF),
        flags & FLAG_SF,      flags & FLAG_PF,
        sign_is_not_overflow, sign_is_not_overflow || (flags & FLAG_ZF),
    };

    return holds[condition >> 1 & 7] != (condition & 1);
}

uint64_t alu(enum insn_op op, unsigned bytes, uint64_t a, uint64_t b, unsigned count,
             uint64_t *flags)
{
    uint64_t carry = *flags & FLAG_CF;

    switch (op) {
    case OP_XADD:
    case OP_ADD:
        return add(bytes, a, b, 0, FLAGS_ARITHMETIC, flags);
    case OP_ADC:
        return add(bytes, a, b, carry, FLAGS_ARITHMETIC, flags);
    case OP_INC:
        return add(bytes, a, 1, 0, FLAGS_ARITHMETIC & ~FLAG_CF, flags);
    case OP_SUB:
        return subtract(bytes, a, b, 0, FLAGS_ARITHMETIC, flags);
    case OP_SBB:
        return subtract(bytes, a, b, carry, FLAGS_ARITHMETIC, flags);
    case OP_DEC:
        return subtract(bytes, a, 1, 0, FLAGS_ARITHMETIC & ~FLAG_CF, flags);
    case OP_NEG:
        return subtract(bytes, 0, a, 0, FLAGS_ARITHMETIC, flags);
    case OP_NOT:
        return ~a;
    case OP_OR:
        return logic(bytes, a | b, flags);
    case OP_AND:
        return logic(bytes, a & b, flags);
    case OP_XOR:
        return logic(bytes, a ^ b, flags);
    case OP_ROL:
    case OP_ROR:
    case OP_RCL:
    case OP_RCR:
        return rotate(op, bytes, a, count, flags);
    case OP_SHL:
    case OP_SHR:
    case OP_SAR:
        return shift(op, bytes, a, count, flags);
    case OP_SHLD:
    case OP_SHRD:
        return double_shift(op == OP_SHLD, bytes, a, b, count, flags);
    case OP_BT:
    case OP_BTS:
    case OP_BTR:
    case OP_BTC:
        return change_bit(op, bytes, a, (unsigned)b, flags);
    case OP_SETCC:
        return condition_holds((unsigned)b, *flags);
    case OP_MOVBE:
        return __builtin_bswap64(b) >> (64 - 8 * bytes);
    default:
        return b; /* moves and exchanges */
    }
}
