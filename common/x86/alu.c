/* The integer ALU: results and flags of arithmetic, logic, shifts and changes of bits.
 * Multiplication, division and the search for bits are arith.c's, which the hypervisor does
 * without. */
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

/* RCL and RCR turn bits + 1 bits, the highest of them the carry; a has no garbage. */
static uint64_t rotate_through_carry(bool left, unsigned bits, uint64_t a, unsigned n,
                                     uint64_t *carry)
{
    uint64_t in = *carry, r;

    n %= bits + 1;
    if (n == 0)
        return a;
    *carry = a >> (left ? bits - n : n - 1) & 1;
    if (n == bits)
        r = left ? a >> 1 | in << (bits - 1) : a << 1 | in;
    else
        r = left ? a << n | in << (n - 1) : a >> n | in << (bits - n);
    if (n > 1 && n < bits)
        r |= left ? a >> (bits + 1 - n) : a << (bits + 1 - n);
    return r;
}

static uint64_t rotate(enum insn_op op, unsigned bytes, uint64_t a, unsigned count, uint64_t *flags)
{
    bool left = op == OP_ROL || op == OP_RCL;
    unsigned bits = 8 * bytes, n;
    uint64_t carry = *flags & FLAG_CF;

    count &= bytes == 8 ? 63 : 31;
    if (count == 0)
        return a;
    a &= size_mask(bytes);
    if (op == OP_RCL || op == OP_RCR) {
        a = rotate_through_carry(left, bits, a, count, &carry);
    } else {
        n = (left ? count : bits - count % bits) % bits;
        a = n ? a << n | a >> (bits - n) : a;
        carry = left ? a & 1 : top_bit(bytes, a);
    }
    set_flags(flags, FLAG_CF, carry);
    if (count == 1) {
        uint64_t next = left ? carry : a >> (bits - 2) & 1;

        set_flags(flags, FLAG_OF, top_bit(bytes, a) != next ? FLAG_OF : 0);
    }
    return a;
}

/* of: what OF becomes if the count is 1. */
static uint64_t shifted(unsigned bytes, uint64_t r, uint64_t out, bool of, unsigned count,
                        uint64_t *flags)
{
    set_flags(flags, FLAG_CF | FLAG_PF | FLAG_ZF | FLAG_SF, result_flags(bytes, r) | (out & 1));
    if (count == 1)
        set_flags(flags, FLAG_OF, of ? FLAG_OF : 0);
    return r;
}

static uint64_t shift(enum insn_op op, unsigned bytes, uint64_t a, unsigned count, uint64_t *flags)
{
    unsigned bits = 8 * bytes;
    int64_t extended;
    uint64_t out;

    count &= bytes == 8 ? 63 : 31;
    if (count == 0)
        return a;
    a &= size_mask(bytes);
    if (op == OP_SHL) {
        out = bytes == 8 ? a >> (64 - count) : a << count >> bits;
        a <<= count;
        return shifted(bytes, a, out, top_bit(bytes, a) != (out & 1), count, flags);
    }
    if (op == OP_SHR)
        return shifted(bytes, a >> count, a >> (count - 1), top_bit(bytes, a), count, flags);
    extended = (int64_t)(a << (64 - bits)) >> (64 - bits);
    return shifted(bytes, (uint64_t)(extended >> count), (uint64_t)(extended >> (count - 1)), false,
                   count, flags);
}

/* SHLD and SHRD: what is shifted in comes from b. Of 16 bits, counts beyond 16 are undefined; here
 * b comes in twice. */
static uint64_t double_shift(bool left, unsigned bytes, uint64_t a, uint64_t b, unsigned count,
                             uint64_t *flags)
{
    unsigned bits = 8 * bytes;
    uint64_t r, out;

    count &= bytes == 8 ? 63 : 31;
    if (count == 0)
        return a;
    a &= size_mask(bytes);
    b &= size_mask(bytes);
    if (bytes == 2) {
        uint64_t all = left ? a << 32 | b << 16 | b : b << 32 | b << 16 | a;

        r = left ? all << count >> 32 : all >> count;
        out = left ? all << count >> 48 : all >> (count - 1);
    } else {
        r = left ? a << count | b >> (bits - count) : a >> count | b << (bits - count);
        out = a >> (left ? bits - count : count - 1);
    }
    return shifted(bytes, r, out, top_bit(bytes, a) != top_bit(bytes, r), count, flags);
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
    bool less = !(flags & FLAG_SF) != !(flags & FLAG_OF);
    bool holds[8] = {
        flags & FLAG_OF,
        flags & FLAG_CF,
        flags & FLAG_ZF,
        flags & (FLAG_CF | FLAG_ZF),
        flags & FLAG_SF,
        flags & FLAG_PF,
        less,
        less || (flags & FLAG_ZF),
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
    case OP_CMP:
        compare(bytes, a, b, flags);
        return a;
    case OP_TEST:
        logic(bytes, a & b, flags);
        return a;
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
