/* Operations that change memory and a register, or one bit of either: BT, BTS, BTR, BTC, XCHG,
 * XADD, CMPXCHG and CMPXCHG16B. One CPU: LOCK adds nothing. */
#include "guest-pv/vmm/emulate/ops.h"

/* CF changes, and OF stays. */
static inline void set_cf(struct cpu *c, unsigned cf)
{
    lazy_settle(c);
    if (c->lazy.high >> 31 != cf)
        c->lazy.high ^= 3u << 30;
}

#define BIT_BT(a, bit) (a)
#define BIT_BTS(a, bit) ((a) | (bit))
#define BIT_BTR(a, bit) ((a) & ~(bit))
#define BIT_BTC(a, bit) ((a) ^ (bit))

/* The number of the bit: a register's or an immediate. In memory a register's may be any, also a
 * negative one: it chooses the word, too. */
#define NUMBER_reg(T, S) (S) GPR(T, op->src)
#define NUMBER_imm(T, S) (S)(op->imm & (int)(8 * sizeof(T) - 1))
#define DEFINE_BIT(name, by, T, S, log2_bits, ACCESS)                                              \
    static void name##_r_##by##_##T(struct cpu *c, const struct op *op)                            \
    {                                                                                              \
        unsigned nr = (unsigned)(NUMBER_##by(T, S) & (int)(8 * sizeof(T) - 1));                    \
        T a = GPR(T, op->dst);                                                                     \
                                                                                                   \
        set_cf(c, a >> nr & 1);                                                                    \
        if (OP_##name != OP_BT)                                                                    \
            SET_GPR(T, op->dst, BIT_##name(a, (uint64_t)1 << nr));                                 \
        NEXT;                                                                                      \
    }                                                                                              \
    static void name##_m_##by##_##T(struct cpu *c, const struct op *op)                            \
    {                                                                                              \
        int64_t number = NUMBER_##by(T, S);                                                        \
        unsigned nr = (unsigned)number & (unsigned)(8 * sizeof(T) - 1);                            \
        ACCESS(T, m, address_full(c, op) + (uint64_t)(number >> log2_bits) * sizeof(T));           \
        T a = *m;                                                                                  \
                                                                                                   \
        set_cf(c, a >> nr & 1);                                                                    \
        if (OP_##name != OP_BT)                                                                    \
            *m = (T)BIT_##name(a, (uint64_t)1 << nr);                                              \
        NEXT;                                                                                      \
    }
#define DEFINE_BITS(name, ACCESS)                                                                  \
    DEFINE_BIT(name, reg, u32, int32_t, 5, ACCESS) DEFINE_BIT(name, imm, u32, int32_t, 5, ACCESS)  \
    DEFINE_BIT(name, reg, u64, int64_t, 6, ACCESS) DEFINE_BIT(name, imm, u64, int64_t, 6, ACCESS)
DEFINE_BITS(BT, TO_READ)
DEFINE_BITS(BTS, TO_WRITE)
DEFINE_BITS(BTR, TO_WRITE)
DEFINE_BITS(BTC, TO_WRITE)

/* A register that CMPXCHG does not write keeps its upper half, of 4 bytes too. */
#define DEFINE_EXCHANGES(T, S)                                                                     \
    static void xchg_m_##T(struct cpu *c, const struct op *op)                                     \
    {                                                                                              \
        TO_WRITE(T, m, address_full(c, op));                                                       \
        T old = *m;                                                                                \
                                                                                                   \
        *m = GPR(T, op->src);                                                                      \
        SET_GPR(T, op->src, old);                                                                  \
        NEXT;                                                                                      \
    }                                                                                              \
    static void xadd_m_##T(struct cpu *c, const struct op *op)                                     \
    {                                                                                              \
        TO_WRITE(T, m, address_full(c, op));                                                       \
        uint64_t old = *m, sum = old + GPR(T, op->src);                                            \
                                                                                                   \
        lazy_sum(c, old, SIGN_EXTEND(S, sum), sizeof(T));                                          \
        *m = (T)sum;                                                                               \
        SET_GPR(T, op->src, old);                                                                  \
        NEXT;                                                                                      \
    }                                                                                              \
    static void cmpxchg_m_##T(struct cpu *c, const struct op *op)                                  \
    {                                                                                              \
        TO_WRITE(T, m, address_full(c, op));                                                       \
        T a = GPR(T, 8 * RAX), old = *m;                                                           \
                                                                                                   \
        lazy_sum(c, a, SIGN_EXTEND(S, a - old), sizeof(T) | LAZY_DIFFERENCE);                      \
        if (a == old)                                                                              \
            *m = GPR(T, op->src);                                                                  \
        else                                                                                       \
            SET_GPR(T, 8 * RAX, old);                                                              \
        NEXT;                                                                                      \
    }
DEFINE_EXCHANGES(u8, int8_t)
DEFINE_EXCHANGES(u16, int16_t)
DEFINE_EXCHANGES(u32, int32_t)
DEFINE_EXCHANGES(u64, int64_t)

typedef struct {
    uint64_t low, high;
} __attribute__((may_alias, packed)) pair;

static void cmpxchg16b(struct cpu *c, const struct op *op)
{
    uint64_t at = address_full(c, op);

    if (unlikely(at % 16 != 0))
        return generic(c, op);
    TO_WRITE(pair, m, at);
    c->lazy.zero = (int64_t)((m->low ^ c->regs[RAX]) | (m->high ^ c->regs[RDX]));
    if (c->lazy.zero == 0) {
        m->low = c->regs[RBX];
        m->high = c->regs[RCX];
    } else {
        c->regs[RAX] = m->low;
        c->regs[RDX] = m->high;
    }
    NEXT;
}

op_fn *exchange_function(enum insn_op op, enum shape shape, unsigned size)
{
#define FROM_4(name) { NULL, NULL, name##_u32, name##_u64 }
#define ALL(name) { name##_u8, name##_u16, name##_u32, name##_u64 }
#define BITS(name)                                                                                 \
    { OP_##name, SHAPE_RR, FROM_4(name##_r_reg) }, { OP_##name, SHAPE_RI, FROM_4(name##_r_imm) },  \
    { OP_##name, SHAPE_MR, FROM_4(name##_m_reg) }, { OP_##name, SHAPE_MI, FROM_4(name##_m_imm) }
    static const struct {
        uint16_t op;
        uint8_t shape;
        op_fn *functions[4];
    } rows[] = {
        BITS(BT), BITS(BTS), BITS(BTR), BITS(BTC),
        { OP_XCHG, SHAPE_MR, ALL(xchg_m) },
        { OP_XADD, SHAPE_MR, ALL(xadd_m) },
        { OP_CMPXCHG, SHAPE_MR, ALL(cmpxchg_m) },
        { OP_CMPXCHG16B, SHAPE_M, { cmpxchg16b, cmpxchg16b, cmpxchg16b, cmpxchg16b } },
    };
#undef FROM_4
#undef ALL
#undef BITS

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].op == op && rows[i].shape == shape)
            return rows[i].functions[size];
    return NULL;
}
