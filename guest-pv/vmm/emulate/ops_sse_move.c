/* SSE and SSE2 operations that move bytes between XMM registers, general ones and memory. Shuffles
 * compute: ops_sse.c. */
#include "guest-pv/vmm/emulate/ops_sse.h"
#include "guest-pv/vmm/emulate/xmm.h"

#define NO_CHECK(linear) (void)(linear)

/* 16 bytes of any alignment, and aligned ones */
#define DEFINE_MOVE_16(name, address, CHECK)                                                       \
    static void load_##name##_##address(struct cpu *c, const struct op *op)                        \
    {                                                                                              \
        uint64_t at = address_##address(c, op);                                                    \
                                                                                                   \
        CHECK_SSE;                                                                                 \
        CHECK(at);                                                                                 \
        TO_READ(xmm_unaligned, m, at);                                                             \
        XMM(op->dst) = *m;                                                                         \
        NEXT;                                                                                      \
    }                                                                                              \
    static void store_##name##_##address(struct cpu *c, const struct op *op)                       \
    {                                                                                              \
        uint64_t at = address_##address(c, op);                                                    \
                                                                                                   \
        CHECK_SSE;                                                                                 \
        CHECK(at);                                                                                 \
        TO_WRITE(xmm_unaligned, m, at);                                                            \
        *m = XMM(op->src);                                                                         \
        NEXT;                                                                                      \
    }
DEFINE_MOVE_16(unaligned, simple, NO_CHECK)
DEFINE_MOVE_16(unaligned, full, NO_CHECK)
DEFINE_MOVE_16(aligned, simple, CHECK_ALIGNED)
DEFINE_MOVE_16(aligned, full, CHECK_ALIGNED)

static void move_16(struct cpu *c, const struct op *op)
{
    CHECK_SSE;
    XMM(op->dst) = XMM(op->src);
    NEXT;
}

/* Less than 16 bytes: `set` is what becomes of the destination. */
#define DEFINE_LOAD(name, T, set)                                                                  \
    static void name(struct cpu *c, const struct op *op)                                           \
    {                                                                                              \
        CHECK_SSE;                                                                                 \
        TO_READ(T, m, address_full(c, op));                                                        \
        set;                                                                                       \
        NEXT;                                                                                      \
    }
#define DEFINE_STORE(name, T, value)                                                               \
    static void name(struct cpu *c, const struct op *op)                                           \
    {                                                                                              \
        CHECK_SSE;                                                                                 \
        TO_WRITE(T, m, address_full(c, op));                                                       \
        *m = value;                                                                                \
        NEXT;                                                                                      \
    }
#define DEFINE_REGISTERS(name, set)                                                                \
    static void name(struct cpu *c, const struct op *op)                                           \
    {                                                                                              \
        CHECK_SSE;                                                                                 \
        set;                                                                                       \
        NEXT;                                                                                      \
    }
#define ONLY(value) XMM(op->dst) = (xmm_t){ (int64_t)(value), 0 }
DEFINE_LOAD(load_4, u32, ONLY(*m))
DEFINE_LOAD(load_8, u64, ONLY(*m))
DEFINE_LOAD(load_low, u64, XMM_QUAD(op->dst, 0) = *m)
DEFINE_LOAD(load_high, u64, XMM_QUAD(op->dst, 1) = *m)
DEFINE_STORE(store_4, u32, XMM_DOUBLE(op->src))
DEFINE_STORE(store_low, u64, XMM_QUAD(op->src, 0))
DEFINE_STORE(store_high, u64, XMM_QUAD(op->src, 1))
DEFINE_REGISTERS(move_4, XMM_DOUBLE(op->dst) = XMM_DOUBLE(op->src))
DEFINE_REGISTERS(move_8, ONLY(XMM_QUAD(op->src, 0)))
DEFINE_REGISTERS(low_to_low, XMM_QUAD(op->dst, 0) = XMM_QUAD(op->src, 0))
DEFINE_REGISTERS(high_to_low, XMM_QUAD(op->dst, 0) = XMM_QUAD(op->src, 1))
DEFINE_REGISTERS(low_to_high, XMM_QUAD(op->dst, 1) = XMM_QUAD(op->src, 0))
DEFINE_REGISTERS(from_general_4, ONLY(GPR(u32, op->src)))
DEFINE_REGISTERS(from_general_8, ONLY(GPR(u64, op->src)))
DEFINE_REGISTERS(to_general_4, GPR(u64, op->dst) = XMM_DOUBLE(op->src))
DEFINE_REGISTERS(to_general_8, GPR(u64, op->dst) = XMM_QUAD(op->src, 0))

static op_fn *move_16_function(bool aligned, enum sse_shape shape, bool full)
{
    static op_fn *const loads[2][2] = {
        { load_unaligned_simple, load_unaligned_full }, { load_aligned_simple, load_aligned_full },
    };
    static op_fn *const stores[2][2] = {
        { store_unaligned_simple, store_unaligned_full },
        { store_aligned_simple, store_aligned_full },
    };

    return shape == SSE_RR     ? move_16
           : shape == SSE_RM16 ? loads[aligned][full]
           : shape == SSE_MR16 ? stores[aligned][full]
                               : NULL;
}

op_fn *sse_move_function(enum insn_op op, enum sse_shape shape, bool full)
{
    static const struct {
        uint16_t op;
        op_fn *functions[NR_SSE_SHAPES];
    } rows[] = {
        { OP_MOVSS, { [SSE_RR] = move_4, [SSE_RM4] = load_4, [SSE_MR4] = store_4 } },
        { OP_MOVSD, { [SSE_RR] = low_to_low, [SSE_RM8] = load_8, [SSE_MR8] = store_low } },
        { OP_MOVD, { [SSE_RM4] = load_4, [SSE_MR4] = store_4, [SSE_RG4] = from_general_4,
                     [SSE_GR] = to_general_4 } },
        { OP_MOVQ, { [SSE_RR] = move_8, [SSE_RM8] = load_8, [SSE_MR8] = store_low,
                     [SSE_RG8] = from_general_8, [SSE_GR] = to_general_8 } },
        { OP_MOVLPS, { [SSE_RM8] = load_low, [SSE_MR8] = store_low } },
        { OP_MOVLPD, { [SSE_RM8] = load_low, [SSE_MR8] = store_low } },
        { OP_MOVHPS, { [SSE_RM8] = load_high, [SSE_MR8] = store_high } },
        { OP_MOVHPD, { [SSE_RM8] = load_high, [SSE_MR8] = store_high } },
        { OP_MOVHLPS, { [SSE_RR] = high_to_low } },
        { OP_MOVLHPS, { [SSE_RR] = low_to_high } },
    };

    if (op == OP_MOVUPS || op == OP_MOVUPD || op == OP_MOVDQU)
        return move_16_function(false, shape, full);
    if (op == OP_MOVAPS || op == OP_MOVAPD || op == OP_MOVDQA || op == OP_MOVNTPS ||
        op == OP_MOVNTPD || op == OP_MOVNTDQ)
        return move_16_function(true, shape, full);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].op == op)
            return rows[i].functions[shape];
    return NULL;
}
