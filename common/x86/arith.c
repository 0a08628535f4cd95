/* Multiplication, division and the search for bits: results and flags. For interpreters; no part of
 * the hypervisor. Plain C: no 128-bit division, which would need a library. */
#include "common/x86/arith.h"

static int64_t sign_extend(unsigned bytes, uint64_t value)
{
    return (int64_t)(value << (64 - 8 * bytes)) >> (64 - 8 * bytes);
}

void multiply(bool is_signed, unsigned bytes, uint64_t a, uint64_t b, uint64_t *low, uint64_t *high,
              uint64_t *flags)
{
    unsigned bits = 8 * bytes;
    bool wide;

    if (is_signed) {
        __int128 product = (__int128)sign_extend(bytes, a) * sign_extend(bytes, b);

        *low = (uint64_t)product;
        *high = (uint64_t)(product >> bits);
        wide = product != sign_extend(bytes, *low);
    } else {
        unsigned __int128 product =
            (unsigned __int128)(a & size_mask(bytes)) * (b & size_mask(bytes));

        *low = (uint64_t)product;
        *high = (uint64_t)(product >> bits);
        wide = product >> bits != 0;
    }
    *flags = (*flags & ~(FLAG_CF | FLAG_OF)) | (wide ? FLAG_CF | FLAG_OF : 0);
}

/* high < divisor, so the quotient has 64 bits: one bit a step. */
static uint64_t divide_128(uint64_t high, uint64_t low, uint64_t divisor, uint64_t *remainder)
{
    for (unsigned i = 0; i < 64; i++) {
        bool carry = high >> 63;

        high = high << 1 | low >> 63;
        low <<= 1;
        if (carry || high >= divisor) {
            high -= divisor;
            low |= 1;
        }
    }
    *remainder = high;
    return low;
}

static bool divide_unsigned(unsigned bytes, uint64_t high, uint64_t low, uint64_t divisor,
                            uint64_t *quotient, uint64_t *remainder)
{
    if (high >= divisor) /* also of a divisor of 0 */
        return false;
    if (bytes == 8 && high != 0) {
        *quotient = divide_128(high, low, divisor, remainder);
        return true;
    }
    if (bytes < 8)
        low |= high << (8 * bytes);
    *quotient = low / divisor;
    *remainder = low % divisor;
    return true;
}

static bool is_negative(unsigned bytes, uint64_t value)
{
    return value >> (8 * bytes - 1) & 1;
}

bool divide(bool is_signed, unsigned bytes, uint64_t high, uint64_t low, uint64_t divisor,
            uint64_t *quotient, uint64_t *remainder)
{
    uint64_t mask = size_mask(bytes), limit;
    bool dividend_negative, negative;

    high &= mask;
    low &= mask;
    divisor &= mask;
    if (!is_signed)
        return divide_unsigned(bytes, high, low, divisor, quotient, remainder);
    dividend_negative = is_negative(bytes, high);
    negative = dividend_negative != is_negative(bytes, divisor);
    if (dividend_negative) {
        low = -low & mask;
        high = (~high + (low == 0)) & mask;
    }
    if (is_negative(bytes, divisor))
        divisor = -divisor & mask;
    limit = (mask >> 1) + negative;
    if (!divide_unsigned(bytes, high, low, divisor, quotient, remainder) || *quotient > limit)
        return false;
    if (negative)
        *quotient = -*quotient;
    if (dividend_negative)
        *remainder = -*remainder;
    return true;
}

uint64_t count_bits(enum insn_op op, unsigned bytes, uint64_t old, uint64_t source, uint64_t *flags)
{
    unsigned bits = 8 * bytes;
    uint64_t r;

    source &= size_mask(bytes);
    switch (op) {
    case OP_BSF:
    case OP_BSR:
        *flags = (*flags & ~FLAG_ZF) | (source == 0 ? FLAG_ZF : 0);
        if (source == 0)
            return old;
        return (uint64_t)(op == OP_BSF ? __builtin_ctzll(source) : 63 - __builtin_clzll(source));
    case OP_POPCNT:
        *flags = (*flags & ~FLAGS_ARITHMETIC) | (source == 0 ? FLAG_ZF : 0);
        for (r = 0; source != 0; source &= source - 1)
            r++;
        return r;
    default: /* TZCNT, LZCNT */
        r = bits;
        if (source != 0)
            r = (uint64_t)(op == OP_TZCNT ? __builtin_ctzll(source)
                                          : __builtin_clzll(source) - (64 - (int)bits));
        *flags =
            (*flags & ~(FLAG_CF | FLAG_ZF)) | (source == 0 ? FLAG_CF : 0) | (r == 0 ? FLAG_ZF : 0);
        return r;
    }
}
