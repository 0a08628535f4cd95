/* Products, quotients, and the search for bits. Flags that the SDM calls undefined are those of
 * some result, or stay. #DE is the core's to raise. */
#include "guest-pv/vmm/emulate/ops.h"

/* IMUL with two and three operands: the lower half. */
#define DEFINE_IMUL(T, S, WIDE)                                                                    \
    static inline void imul_##T(struct cpu *c, const struct op *op, T a, T b)                      \
    {                                                                                              \
        WIDE r = (WIDE)(S)a * (S)b;                                                                \
                                                                                                   \
        lazy_cf_of(c, r != (S)r, r != (S)r);                                                       \
        lazy_result(c, (S)r);                                                                      \
        SET_GPR(T, op->dst, (T)r);                                                                 \
    }                                                                                              \
    static void imul_rr_##T(struct cpu *c, const struct op *op)                                    \
    {                                                                                              \
        imul_##T(c, op, GPR(T, op->dst), GPR(T, op->src));                                         \
        NEXT;                                                                                      \
    }                                                                                              \
    static void imul_rm_##T(struct cpu *c, const struct op *op)                                    \
    {                                                                                              \
        TO_READ(T, m, address_full(c, op));                                                        \
        imul_##T(c, op, GPR(T, op->dst), *m);                                                      \
        NEXT;                                                                                      \
    }                                                                                              \
    static void imul_rri_##T(struct cpu *c, const struct op *op)                                   \
    {                                                                                              \
        imul_##T(c, op, GPR(T, op->src), (T)(S)op->imm);                                           \
        NEXT;                                                                                      \
    }                                                                                              \
    static void imul_rmi_##T(struct cpu *c, const struct op *op)                                   \
    {                                                                                              \
        TO_READ(T, m, address_full(c, op));                                                        \
        imul_##T(c, op, *m, (T)(S)op->imm);                                                        \
        NEXT;                                                                                      \
    }
DEFINE_IMUL(u32, int32_t, int64_t)
DEFINE_IMUL(u64, int64_t, __int128)

/* MUL and IMUL with one operand, DIV: into rDX:rAX, from a register or memory. A quotient that does
 * not fit is found before it is computed: the dividend's upper half is not less than the divisor.
 * IDIV is the core's. */
#define DEFINE_PAIR(T, S, UWIDE, SWIDE, divides, bits)                                             \
    static inline void mul_##T(struct cpu *c, T a, T b)                                            \
    {                                                                                              \
        UWIDE r = (UWIDE)a * b;                                                                    \
                                                                                                   \
        lazy_cf_of(c, r >> bits != 0, r >> bits != 0);                                             \
        SET_GPR(T, 8 * RAX, (T)r);                                                                 \
        SET_GPR(T, 8 * RDX, (T)(r >> bits));                                                       \
    }                                                                                              \
    static inline void imul_pair_##T(struct cpu *c, T a, T b)                                      \
    {                                                                                              \
        SWIDE r = (SWIDE)(S)a * (S)b;                                                              \
                                                                                                   \
        lazy_cf_of(c, r != (S)r, r != (S)r);                                                       \
        SET_GPR(T, 8 * RAX, (T)r);                                                                 \
        SET_GPR(T, 8 * RDX, (T)(r >> bits));                                                       \
    }                                                                                              \
    static void mul_r_##T(struct cpu *c, const struct op *op)                                      \
    {                                                                                              \
        mul_##T(c, GPR(T, 8 * RAX), GPR(T, op->dst));                                              \
        NEXT;                                                                                      \
    }                                                                                              \
    static void mul_m_##T(struct cpu *c, const struct op *op)                                      \
    {                                                                                              \
        TO_READ(T, m, address_full(c, op));                                                        \
        mul_##T(c, GPR(T, 8 * RAX), *m);                                                           \
        NEXT;                                                                                      \
    }                                                                                              \
    static void imul_r_##T(struct cpu *c, const struct op *op)                                     \
    {                                                                                              \
        imul_pair_##T(c, GPR(T, 8 * RAX), GPR(T, op->dst));                                        \
        NEXT;                                                                                      \
    }                                                                                              \
    static void imul_m_##T(struct cpu *c, const struct op *op)                                     \
    {                                                                                              \
        TO_READ(T, m, address_full(c, op));                                                        \
        imul_pair_##T(c, GPR(T, 8 * RAX), *m);                                                     \
        NEXT;                                                                                      \
    }                                                                                              \
    static inline bool div_##T(struct cpu *c, T by)                                                \
    {                                                                                              \
        T low = GPR(T, 8 * RAX), high = GPR(T, 8 * RDX);                                           \
                                                                                                   \
        if (unlikely(high >= by))                                                                  \
            return false;                                                                          \
        __asm__(divides " %2" : "+a"(low), "+d"(high) : "r"(by) : "cc");                           \
        SET_GPR(T, 8 * RAX, low);                                                                  \
        SET_GPR(T, 8 * RDX, high);                                                                 \
        return true;                                                                               \
    }                                                                                              \
    static void div_r_##T(struct cpu *c, const struct op *op)                                      \
    {                                                                                              \
        if (!div_##T(c, GPR(T, op->dst)))                                                          \
            return generic(c, op);                                                                 \
        NEXT;                                                                                      \
    }                                                                                              \
    static void div_m_##T(struct cpu *c, const struct op *op)                                      \
    {                                                                                              \
        TO_READ(T, m, address_full(c, op));                                                        \
        if (!div_##T(c, *m))                                                                       \
            return generic(c, op);                                                                 \
        NEXT;                                                                                      \
    }
DEFINE_PAIR(u32, int32_t, uint64_t, int64_t, "divl", 32)
DEFINE_PAIR(u64, int64_t, unsigned __int128, __int128, "divq", 64)

/* TZCNT and LZCNT are BSF and BSR to this CPU. ZF says that there was no bit, and then the
 * destination stays, of 4 bytes all 8. */
#define DEFINE_SCAN(name, T, found)                                                                \
    static inline void name##_##T(struct cpu *c, const struct op *op, T a)                         \
    {                                                                                              \
        c->lazy.zero = a != 0;                                                                     \
        if (a != 0)                                                                                \
            GPR(u64, op->dst) = (uint64_t)(found);                                                 \
    }                                                                                              \
    static void name##_rr_##T(struct cpu *c, const struct op *op)                                  \
    {                                                                                              \
        name##_##T(c, op, GPR(T, op->src));                                                        \
        NEXT;                                                                                      \
    }                                                                                              \
    static void name##_rm_##T(struct cpu *c, const struct op *op)                                  \
    {                                                                                              \
        TO_READ(T, m, address_full(c, op));                                                        \
        name##_##T(c, op, *m);                                                                     \
        NEXT;                                                                                      \
    }
DEFINE_SCAN(bsf, u32, __builtin_ctzll(a))
DEFINE_SCAN(bsf, u64, __builtin_ctzll(a))
DEFINE_SCAN(bsr, u32, 63 - __builtin_clzll(a))
DEFINE_SCAN(bsr, u64, 63 - __builtin_clzll(a))

op_fn *multiply_function(enum insn_op op, enum shape shape, unsigned size)
{
#define BOTH(name) { name##_u32, name##_u64 }
    static const struct {
        uint16_t op;
        uint8_t shape;
        op_fn *functions[2];
    } rows[] = {
        { OP_IMUL, SHAPE_RR, BOTH(imul_rr) },   { OP_IMUL, SHAPE_RM, BOTH(imul_rm) },
        { OP_IMUL, SHAPE_RRI, BOTH(imul_rri) }, { OP_IMUL, SHAPE_RMI, BOTH(imul_rmi) },
        { OP_IMUL, SHAPE_R, BOTH(imul_r) },     { OP_IMUL, SHAPE_M, BOTH(imul_m) },
        { OP_MUL, SHAPE_R, BOTH(mul_r) },       { OP_MUL, SHAPE_M, BOTH(mul_m) },
        { OP_DIV, SHAPE_R, BOTH(div_r) },       { OP_DIV, SHAPE_M, BOTH(div_m) },
        { OP_BSF, SHAPE_RR, BOTH(bsf_rr) },     { OP_BSF, SHAPE_RM, BOTH(bsf_rm) },
        { OP_TZCNT, SHAPE_RR, BOTH(bsf_rr) },   { OP_TZCNT, SHAPE_RM, BOTH(bsf_rm) },
        { OP_BSR, SHAPE_RR, BOTH(bsr_rr) },     { OP_BSR, SHAPE_RM, BOTH(bsr_rm) },
        { OP_LZCNT, SHAPE_RR, BOTH(bsr_rr) },   { OP_LZCNT, SHAPE_RM, BOTH(bsr_rm) },
    };
#undef BOTH

    for (unsigned i = 0; i < ARRAY_SIZE(rows) && size >= 2; i++)
        if (rows[i].op == op && rows[i].shape == shape)
            return rows[i].functions[size - 2];
    return NULL;
}
