/* Way 1's arithmetic flags. Operations store a result and carries (inline, here); RFLAGS is made of
 * them only when somebody reads it (lazy.c). */
#ifndef VMM_EMULATE_LAZY_H
#define VMM_EMULATE_LAZY_H

#include "guest-pv/vmm/core/cpu.h"

void lazy_to_rflags(struct cpu *c);     /* before emulate() and deliver_*(), which read RFLAGS */
void rflags_to_lazy(struct cpu *c);     /* after it */

#define LAZY_DIFFERENCE 0x10u

static inline uint64_t carries_of_sum(uint64_t a, uint64_t b, uint64_t sum)
{
    return (a & b) | ((a | b) & ~sum);
}
static inline uint64_t borrows(uint64_t a, uint64_t b, uint64_t difference)
{
    return (~a & b) | ((~a | b) & difference);
}

static inline void lazy_result(struct cpu *c, int64_t result)
{
    c->lazy.zero = c->lazy.result = result;
}
/* Carries out of each of the bits; an operand has `bytes`. */
static inline void lazy_carries(struct cpu *c, uint64_t carries, unsigned bytes)
{
    c->lazy.kind = 0;
    c->lazy.low = (uint32_t)carries;
    c->lazy.high = bytes == 8 ? (uint32_t)(carries >> 32) : (uint32_t)carries << (32 - 8 * bytes);
}
/* CF and OF by themselves; AF is 0. */
static inline void lazy_cf_of(struct cpu *c, unsigned cf, unsigned of)
{
    c->lazy.kind = 0;
    c->lazy.low = 0;
    c->lazy.high = cf << 31 | (cf ^ of) << 30;
}
static inline void lazy_logic(struct cpu *c)
{
    c->lazy.kind = 0;
    c->lazy.low = c->lazy.high = 0;
}
/* The carries of a sum or difference are found when they are asked for: two times in three they are
 * not. */
static inline void lazy_sum(struct cpu *c, uint64_t first, int64_t result, unsigned kind)
{
    c->lazy.first = first;
    c->lazy.kind = kind;
    lazy_result(c, result);
}
static inline void lazy_settle(struct cpu *c)
{
    uint64_t a = c->lazy.first, r = (uint64_t)c->lazy.result;
    unsigned bytes = c->lazy.kind & 15u;
    uint64_t carries;

    if (bytes == 0)
        return;
    carries = c->lazy.kind & LAZY_DIFFERENCE ? borrows(a, a - r, r) : carries_of_sum(a, r - a, r);
    c->lazy.kind = 0;
    c->lazy.low = (uint32_t)carries;
    c->lazy.high = (uint32_t)(carries << (64 - 8 * bytes) >> 32);
}
/* These three after lazy_settle(). */
static inline unsigned lazy_cf(const struct cpu *c)
{
    return c->lazy.high >> 31;
}
static inline unsigned lazy_of(const struct cpu *c)
{
    return (c->lazy.high ^ c->lazy.high << 1) >> 31;
}
static inline unsigned lazy_pf(const struct cpu *c)
{
    return !__builtin_parity((uint8_t)c->lazy.result);
}

/* Condition codes by number (SDM vol. 2, B.1), an even one; the odd ones are their opposites. */
static inline bool lazy_condition(struct cpu *c, unsigned even)
{
    bool less;

    if (even != 0x4 && even != 0x8 && even != 0xa)
        lazy_settle(c);
    less = ((uint32_t)(c->lazy.result >> 32) ^ c->lazy.high ^ c->lazy.high << 1) >> 31;
    switch (even) {
    case 0x0:
        return lazy_of(c);
    case 0x2:
        return lazy_cf(c);
    case 0x4:
        return c->lazy.zero == 0;
    case 0x6:
        return lazy_cf(c) | (c->lazy.zero == 0);
    case 0x8:
        return c->lazy.result < 0;
    case 0xa:
        return lazy_pf(c);
    case 0xc:
        return less;
    default:
        return less | (c->lazy.zero == 0);
    }
}

#endif
