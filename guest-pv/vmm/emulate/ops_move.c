/* MOV and those that extend, LEA, XCHG of registers, conditions into registers, and the stack. */
#include "guest-pv/vmm/emulate/ops.h"

#define DEFINE_MOVE(T, S)                                                                          \
    static void mov_rr_##T(struct cpu *c, const struct op *op)                                     \
    {                                                                                              \
        SET_GPR(T, op->dst, GPR(T, op->src));                                                      \
        NEXT;                                                                                      \
    }                                                                                              \
    static void mov_ri_##T(struct cpu *c, const struct op *op)                                     \
    {                                                                                              \
        SET_GPR(T, op->dst, op->wide);                                                             \
        NEXT;                                                                                      \
    }                                                                                              \
    static void xchg_rr_##T(struct cpu *c, const struct op *op)                                    \
    {                                                                                              \
        T a = GPR(T, op->dst), b = GPR(T, op->src);                                                \
        SET_GPR(T, op->src, a);                                                                    \
        SET_GPR(T, op->dst, b);                                                                    \
        NEXT;                                                                                      \
    }                                                                                              \
    DEFINE_MOVE_MEMORY(T, S, simple) DEFINE_MOVE_MEMORY(T, S, full)
#define DEFINE_MOVE_MEMORY(T, S, address)                                                          \
    static void mov_rm_##T##_##address(struct cpu *c, const struct op *op)                         \
    {                                                                                              \
        TO_READ(T, m, address_##address(c, op));                                                   \
        SET_GPR(T, op->dst, *m);                                                                   \
        NEXT;                                                                                      \
    }                                                                                              \
    static void mov_mr_##T##_##address(struct cpu *c, const struct op *op)                         \
    {                                                                                              \
        TO_WRITE(T, m, address_##address(c, op));                                                  \
        *m = GPR(T, op->src);                                                                      \
        NEXT;                                                                                      \
    }                                                                                              \
    static void mov_mi_##T##_##address(struct cpu *c, const struct op *op)                         \
    {                                                                                              \
        TO_WRITE(T, m, address_##address(c, op));                                                  \
        *m = (T)(S)op->imm;                                                                        \
        NEXT;                                                                                      \
    }
DEFINE_MOVE(u8, int8_t)
DEFINE_MOVE(u16, int16_t)
DEFINE_MOVE(u32, int32_t)
DEFINE_MOVE(u64, int64_t)

static void lea_u32(struct cpu *c, const struct op *op)
{
    SET_GPR(u32, op->dst, address_full(c, op));
    NEXT;
}
static void lea_u64(struct cpu *c, const struct op *op)
{
    SET_GPR(u64, op->dst, address_full(c, op));
    NEXT;
}

#define MOVE_ROW(T, address)                                                                       \
    { mov_rr_##T, mov_ri_##T, mov_rm_##T##_##address, mov_mr_##T##_##address,                      \
      mov_mi_##T##_##address, NULL, NULL }
static op_fn *const moves[4][2][NR_SHAPES] = {
    { MOVE_ROW(u8, simple), MOVE_ROW(u8, full) }, { MOVE_ROW(u16, simple), MOVE_ROW(u16, full) },
    { MOVE_ROW(u32, simple), MOVE_ROW(u32, full) }, { MOVE_ROW(u64, simple), MOVE_ROW(u64, full) },
};
static op_fn *const xchgs[4] = { xchg_rr_u8, xchg_rr_u16, xchg_rr_u32, xchg_rr_u64 };

op_fn *move_function(enum insn_op op, enum shape shape, unsigned size, bool full)
{
    if (op == OP_MOV || op == OP_MOVNTI)
        return moves[size][full][shape];
    if (op == OP_XCHG && shape == SHAPE_RR)
        return xchgs[size];
    if (op == OP_LEA && size >= 2)
        return size == 2 ? lea_u32 : lea_u64;
    return NULL;
}

/* MOVZX, MOVSX, MOVSXD: from registers and memory. */
#define DEFINE_EXTEND(name, FROM, S, T)                                                            \
    static void name##_rr_##FROM##_##T(struct cpu *c, const struct op *op)                         \
    {                                                                                              \
        SET_GPR(T, op->dst, (T)(S)GPR(FROM, op->src));                                             \
        NEXT;                                                                                      \
    }                                                                                              \
    static void name##_rm_##FROM##_##T(struct cpu *c, const struct op *op)                         \
    {                                                                                              \
        TO_READ(FROM, m, address_full(c, op));                                                     \
        SET_GPR(T, op->dst, (T)(S)*m);                                                             \
        NEXT;                                                                                      \
    }
DEFINE_EXTEND(zx, u8, u8, u32)
DEFINE_EXTEND(zx, u16, u16, u32)
DEFINE_EXTEND(sx, u8, int8_t, u32)
DEFINE_EXTEND(sx, u16, int16_t, u32)
DEFINE_EXTEND(sx, u8, int8_t, u64)
DEFINE_EXTEND(sx, u16, int16_t, u64)
DEFINE_EXTEND(sx, u32, int32_t, u64)

/* Zero-extending to 8 bytes is what it is to 4. */
op_fn *extend_function(enum insn_op op, enum shape shape, unsigned from, unsigned to)
{
    static op_fn *const zero[2][2] = {
        { zx_rr_u8_u32, zx_rm_u8_u32 }, { zx_rr_u16_u32, zx_rm_u16_u32 },
    };
    static op_fn *const sign[3][2][2] = {
        { { sx_rr_u8_u32, sx_rm_u8_u32 }, { sx_rr_u8_u64, sx_rm_u8_u64 } },
        { { sx_rr_u16_u32, sx_rm_u16_u32 }, { sx_rr_u16_u64, sx_rm_u16_u64 } },
        { { NULL, NULL }, { sx_rr_u32_u64, sx_rm_u32_u64 } },
    };
    bool memory = shape == SHAPE_RM;

    if (to < 2 || from > 2 || (shape != SHAPE_RR && !memory))
        return NULL;
    if (op == OP_MOVZX)
        return from < 2 ? zero[from][memory] : NULL;
    return op == OP_MOVSX || op == OP_MOVSXD ? sign[from][to - 2][memory] : NULL;
}

static void push_r(struct cpu *c, const struct op *op)
{
    TO_WRITE(u64, m, c->regs[RSP] - 8);
    *m = GPR(u64, op->dst);
    c->regs[RSP] -= 8;
    NEXT;
}
static void push_i(struct cpu *c, const struct op *op)
{
    TO_WRITE(u64, m, c->regs[RSP] - 8);
    *m = (uint64_t)(int64_t)op->imm;
    c->regs[RSP] -= 8;
    NEXT;
}
static void push_m(struct cpu *c, const struct op *op)
{
    TO_READ(u64, from, address_full(c, op));
    TO_WRITE(u64, to, c->regs[RSP] - 8);
    *to = *from;
    c->regs[RSP] -= 8;
    NEXT;
}
static void pop_r(struct cpu *c, const struct op *op)
{
    TO_READ(u64, m, c->regs[RSP]);
    c->regs[RSP] += 8;
    GPR(u64, op->dst) = *m;
    NEXT;
}

op_fn *stack_function(enum insn_op op, enum shape shape)
{
    static op_fn *const pushes[NR_SHAPES] = { [SHAPE_R] = push_r, [SHAPE_M] = push_m };

    if (op == OP_POP)
        return shape == SHAPE_R ? pop_r : NULL;
    return op != OP_PUSH ? NULL : shape == SHAPE_RI ? push_i : pushes[shape];
}
