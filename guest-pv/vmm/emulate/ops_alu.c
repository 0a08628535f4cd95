/* Arithmetic and logic: two operands, one operand, shifts by an immediate. The tables at the
 * end are by operation, shape and size; what is not there is executed by generic(). */
#include "guest-pv/vmm/emulate/ops.h"

#define FOR_SIZES(X, op) \
    X(op, u8, int8_t) X(op, u16, int16_t) X(op, u32, int32_t) X(op, u64, int64_t)
#define FOR_ALU(X) \
    FOR_SIZES(X, ADD) FOR_SIZES(X, OR) FOR_SIZES(X, ADC) FOR_SIZES(X, SBB) FOR_SIZES(X, AND) \
    FOR_SIZES(X, SUB) FOR_SIZES(X, XOR) FOR_SIZES(X, CMP) FOR_SIZES(X, TEST)
#define FOR_UNARY(X) FOR_SIZES(X, INC) FOR_SIZES(X, DEC) FOR_SIZES(X, NEG) FOR_SIZES(X, NOT)
#define FOR_SHIFTS(X) FOR_SIZES(X, SHL) FOR_SIZES(X, SHR) FOR_SIZES(X, SAR)
#define INLINE static inline __attribute__((always_inline))

INLINE int64_t sign_extend(uint64_t value, unsigned bytes)
{
    unsigned shift = 64 - 8 * bytes;

    return (int64_t)(value << shift) >> shift;
}
INLINE bool writes(enum insn_op op)
{
    return op != OP_CMP && op != OP_TEST;
}

/* The result, and the flags. op is a constant wherever this is used. */
INLINE uint64_t binary(struct cpu *c, enum insn_op op, unsigned bytes, uint64_t a, uint64_t b)
{
    uint64_t r;

    switch (op) {
    case OP_ADD:
        r = a + b;
        lazy_sum(c, a, sign_extend(r, bytes), bytes);
        return r;
    case OP_SUB:
    case OP_CMP:
        r = a - b;
        lazy_sum(c, a, sign_extend(r, bytes), bytes | LAZY_DIFFERENCE);
        return r;
    case OP_ADC:
        lazy_settle(c);
        r = a + b + lazy_cf(c);
        lazy_carries(c, carries_of_sum(a, b, r), bytes);
        break;
    case OP_SBB:
        lazy_settle(c);
        r = a - b - lazy_cf(c);
        lazy_carries(c, borrows(a, b, r), bytes);
        break;
    default:
        r = op == OP_OR ? a | b : op == OP_XOR ? a ^ b : a & b;
        lazy_logic(c);
    }
    lazy_result(c, sign_extend(r, bytes));
    return r;
}

INLINE uint64_t unary(struct cpu *c, enum insn_op op, unsigned bytes, uint64_t a)
{
    uint64_t r = op == OP_INC ? a + 1 : a - 1;
    unsigned cf;

    if (op == OP_NOT)
        return ~a;
    if (op == OP_NEG)
        return binary(c, OP_SUB, bytes, 0, a);
    lazy_settle(c);
    cf = lazy_cf(c);
    lazy_carries(c, op == OP_INC ? carries_of_sum(a, 1, r) : borrows(a, 1, r), bytes);
    /* CF stays, and bit 30 follows it so that OF is right. */
    if (c->lazy.high >> 31 != cf)
        c->lazy.high ^= 3u << 30;
    lazy_result(c, sign_extend(r, bytes));
    return r;
}

/* count: 1 to the operand's bits less 1 */
INLINE uint64_t shift(struct cpu *c, enum insn_op op, unsigned bytes, uint64_t a, unsigned count)
{
    unsigned top = 8 * bytes - 1, cf, of;
    uint64_t r;

    if (op == OP_SHL) {
        r = a << count;
        cf = a >> (top + 1 - count) & 1;
        of = (r >> top & 1) ^ cf;
    } else {
        r = op == OP_SHR ? a >> count : (uint64_t)(sign_extend(a, bytes) >> count);
        cf = a >> (count - 1) & 1;
        of = op == OP_SHR ? a >> top & 1 : 0;
    }
    lazy_cf_of(c, cf, of);
    lazy_result(c, sign_extend(r, bytes));
    return r;
}

#define DEFINE_BINARY(name, T, S)                                                                  \
    static void name##_rr_##T(struct cpu *c, const struct op *op)                                  \
    {                                                                                              \
        uint64_t r = binary(c, OP_##name, sizeof(T), GPR(T, op->dst), GPR(T, op->src));            \
        if (writes(OP_##name))                                                                     \
            SET_GPR(T, op->dst, r);                                                                \
        NEXT;                                                                                      \
    }                                                                                              \
    static void name##_ri_##T(struct cpu *c, const struct op *op)                                  \
    {                                                                                              \
        uint64_t r = binary(c, OP_##name, sizeof(T), GPR(T, op->dst), (T)(S)op->imm);              \
        if (writes(OP_##name))                                                                     \
            SET_GPR(T, op->dst, r);                                                                \
        NEXT;                                                                                      \
    }                                                                                              \
    DEFINE_BINARY_MEMORY(name, T, S, simple)                                                       \
    DEFINE_BINARY_MEMORY(name, T, S, full)
#define DEFINE_BINARY_MEMORY(name, T, S, address)                                                  \
    static void name##_rm_##T##_##address(struct cpu *c, const struct op *op)                      \
    {                                                                                              \
        TO_READ(T, m, address_##address(c, op));                                                   \
        uint64_t r = binary(c, OP_##name, sizeof(T), GPR(T, op->dst), *m);                         \
        if (writes(OP_##name))                                                                     \
            SET_GPR(T, op->dst, r);                                                                \
        NEXT;                                                                                      \
    }                                                                                              \
    static void name##_mr_##T##_##address(struct cpu *c, const struct op *op)                      \
    {                                                                                              \
        if (writes(OP_##name)) {                                                                   \
            TO_WRITE(T, m, address_##address(c, op));                                              \
            *m = (T)binary(c, OP_##name, sizeof(T), *m, GPR(T, op->src));                          \
        } else {                                                                                   \
            TO_READ(T, m, address_##address(c, op));                                               \
            binary(c, OP_##name, sizeof(T), *m, GPR(T, op->src));                                  \
        }                                                                                          \
        NEXT;                                                                                      \
    }                                                                                              \
    static void name##_mi_##T##_##address(struct cpu *c, const struct op *op)                      \
    {                                                                                              \
        if (writes(OP_##name)) {                                                                   \
            TO_WRITE(T, m, address_##address(c, op));                                              \
            *m = (T)binary(c, OP_##name, sizeof(T), *m, (T)(S)op->imm);                            \
        } else {                                                                                   \
            TO_READ(T, m, address_##address(c, op));                                               \
            binary(c, OP_##name, sizeof(T), *m, (T)(S)op->imm);                                    \
        }                                                                                          \
        NEXT;                                                                                      \
    }
FOR_ALU(DEFINE_BINARY)

#define DEFINE_UNARY(name, T, S)                                                                   \
    static void name##_r_##T(struct cpu *c, const struct op *op)                                   \
    {                                                                                              \
        uint64_t r = unary(c, OP_##name, sizeof(T), GPR(T, op->dst));                              \
        SET_GPR(T, op->dst, r);                                                                    \
        NEXT;                                                                                      \
    }                                                                                              \
    static void name##_m_##T(struct cpu *c, const struct op *op)                                   \
    {                                                                                              \
        TO_WRITE(T, m, address_full(c, op));                                                       \
        *m = (T)unary(c, OP_##name, sizeof(T), *m);                                                \
        NEXT;                                                                                      \
    }
FOR_UNARY(DEFINE_UNARY)

#define DEFINE_SHIFT(name, T, S)                                                                   \
    static void name##_ri_##T(struct cpu *c, const struct op *op)                                  \
    {                                                                                              \
        uint64_t r = shift(c, OP_##name, sizeof(T), GPR(T, op->dst), (uint8_t)op->imm);            \
        SET_GPR(T, op->dst, r);                                                                    \
        NEXT;                                                                                      \
    }                                                                                              \
    static void name##_mi_##T(struct cpu *c, const struct op *op)                                  \
    {                                                                                              \
        TO_WRITE(T, m, address_full(c, op));                                                       \
        *m = (T)shift(c, OP_##name, sizeof(T), *m, (uint8_t)op->imm);                              \
        NEXT;                                                                                      \
    }
FOR_SHIFTS(DEFINE_SHIFT)

struct functions {
    op_fn *by_shape[2][NR_SHAPES];      /* with a full address, or not */
};
#define SIZE_INDEX(T) (sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3)
#define ROW_BINARY(name, T, S)                                                                     \
    [OP_##name][SIZE_INDEX(T)] = { {                                                               \
        { name##_rr_##T, name##_ri_##T, name##_rm_##T##_simple, name##_mr_##T##_simple,            \
          name##_mi_##T##_simple, NULL, NULL },                                                    \
        { name##_rr_##T, name##_ri_##T, name##_rm_##T##_full, name##_mr_##T##_full,                \
          name##_mi_##T##_full, NULL, NULL },                                                      \
    } },
#define ROW_UNARY(name, T, S)                                                                      \
    [OP_##name][SIZE_INDEX(T)] = { {                                                               \
        [0][SHAPE_R] = name##_r_##T, [0][SHAPE_M] = name##_m_##T,                                  \
        [1][SHAPE_R] = name##_r_##T, [1][SHAPE_M] = name##_m_##T,                                  \
    } },
#define ROW_SHIFT(name, T, S)                                                                      \
    [OP_##name][SIZE_INDEX(T)] = { {                                                               \
        [0][SHAPE_RI] = name##_ri_##T, [0][SHAPE_MI] = name##_mi_##T,                              \
        [1][SHAPE_MI] = name##_mi_##T,                                                             \
    } },
static const struct functions functions[][4] = {
    FOR_ALU(ROW_BINARY) FOR_UNARY(ROW_UNARY) FOR_SHIFTS(ROW_SHIFT)
};

op_fn *alu_function(enum insn_op op, enum shape shape, unsigned size, bool full)
{
    if (op >= ARRAY_SIZE(functions))
        return NULL;
    return functions[op][size].by_shape[full][shape];
}
