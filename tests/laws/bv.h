/* The operators of SMT-LIB's theory of bit-vectors, for the C that smt.py writes. A value of n bits
 * is below 2^n; a Boolean is 0 or 1 and counts as one bit. */
#ifndef BV_H
#define BV_H

#include <stdbool.h>
#include <stdint.h>

typedef unsigned __int128 bv;

static inline bv bv_mask(unsigned n)
{
    return n == 128 ? ~(bv)0 : ((bv)1 << n) - 1;
}

static inline __int128 bv_signed(bv a, unsigned n)
{
    return (__int128)(a << (128 - n)) >> (128 - n);
}

#define BV_BINARY(name, value)                                  \
    static inline bv bv_##name(bv a, bv b, unsigned n)          \
    {                                                           \
        return (bv)(value) & bv_mask(n);                        \
    }
BV_BINARY(and, a & b)
BV_BINARY(or, a | b)
BV_BINARY(xor, a ^ b)
BV_BINARY(add, a + b)
BV_BINARY(sub, a - b)
BV_BINARY(mul, a * b)
BV_BINARY(udiv, b == 0 ? ~(bv)0 : a / b)
BV_BINARY(urem, b == 0 ? a : a % b)
BV_BINARY(shl, b < n ? a << b : 0)
BV_BINARY(lshr, b < n ? a >> b : 0)
BV_BINARY(ashr, bv_signed(a, n) >> (b < n ? b : n - 1))
BV_BINARY(implies, (a ^ 1) | b)

#define BV_COMPARE(name, value)                                 \
    static inline bv bv_##name(bv a, bv b, unsigned n)          \
    {                                                           \
        (void)n;                                                \
        return value;                                           \
    }
BV_COMPARE(eq, a == b)
BV_COMPARE(distinct, a != b)
BV_COMPARE(ult, a < b)
BV_COMPARE(ule, a <= b)
BV_COMPARE(ugt, a > b)
BV_COMPARE(uge, a >= b)
BV_COMPARE(slt, bv_signed(a, n) < bv_signed(b, n))
BV_COMPARE(sle, bv_signed(a, n) <= bv_signed(b, n))
BV_COMPARE(sgt, bv_signed(a, n) > bv_signed(b, n))
BV_COMPARE(sge, bv_signed(a, n) >= bv_signed(b, n))

static inline bv bv_not(bv a, unsigned n)
{
    return ~a & bv_mask(n);
}

static inline bv bv_neg(bv a, unsigned n)
{
    return -a & bv_mask(n);
}

static inline bv bv_ite(bv condition, bv a, bv b, unsigned n)
{
    (void)n;
    return condition ? a : b;
}

static inline bv bv_extract(bv a, unsigned high, unsigned low)
{
    return a >> low & bv_mask(high - low + 1);
}

static inline bv bv_zero_extend(bv a, unsigned n)
{
    (void)n;
    return a;
}

static inline bv bv_sign_extend(bv a, unsigned from, unsigned to)
{
    return (bv)bv_signed(a, from) & bv_mask(to);
}

static inline bv bv_concat(bv a, bv b, unsigned bits_of_b)
{
    return a << bits_of_b | b;
}

#endif
