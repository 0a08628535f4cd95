/* Branches and conditions: Jcc, SETcc, CMOVcc, JMP, CALL, RET. A direct branch is two operations,
 * or one: what is chained for the taken branch, and for the other one. */
#include "guest-pv/vmm/emulate/ops.h"

#define FOR_CONDITIONS(X) X(0x0) X(0x2) X(0x4) X(0x6) X(0x8) X(0xa) X(0xc) X(0xe)

/* op[1] is the branch not taken. */
#define DEFINE_CONDITION(when)                                                                     \
    static void jump_if_##when(struct cpu *c, const struct op *op)                                 \
    {                                                                                              \
        return follow(c, lazy_condition(c, when) ? op : op + 1);                                   \
    }                                                                                              \
    static void jump_unless_##when(struct cpu *c, const struct op *op)                             \
    {                                                                                              \
        return follow(c, lazy_condition(c, when) ? op + 1 : op);                                   \
    }                                                                                              \
    static void set_if_##when(struct cpu *c, const struct op *op)                                  \
    {                                                                                              \
        GPR(u8, op->dst) = lazy_condition(c, when) ^ op->odd;                                      \
        NEXT;                                                                                      \
    }                                                                                              \
    static void set_memory_if_##when(struct cpu *c, const struct op *op)                           \
    {                                                                                              \
        TO_WRITE(u8, m, address_full(c, op));                                                      \
        *m = lazy_condition(c, when) ^ op->odd;                                                    \
        NEXT;                                                                                      \
    }                                                                                              \
    static void load4_if_##when(struct cpu *c, const struct op *op)                                \
    {                                                                                              \
        TO_READ(u32, m, address_full(c, op));                                                      \
        GPR(u64, op->dst) = lazy_condition(c, when) != op->odd ? *m : GPR(u32, op->dst);           \
        NEXT;                                                                                      \
    }                                                                                              \
    static void load8_if_##when(struct cpu *c, const struct op *op)                                \
    {                                                                                              \
        TO_READ(u64, m, address_full(c, op));                                                      \
        if (lazy_condition(c, when) != op->odd)                                                    \
            GPR(u64, op->dst) = *m;                                                                \
        NEXT;                                                                                      \
    }                                                                                              \
    static void move4_if_##when(struct cpu *c, const struct op *op)                                \
    {                                                                                              \
        bool taken = lazy_condition(c, when) != op->odd;                                           \
        GPR(u64, op->dst) = taken ? GPR(u32, op->src) : GPR(u32, op->dst);                         \
        NEXT;                                                                                      \
    }                                                                                              \
    static void move8_if_##when(struct cpu *c, const struct op *op)                                \
    {                                                                                              \
        if (lazy_condition(c, when) != op->odd)                                                    \
            GPR(u64, op->dst) = GPR(u64, op->src);                                                 \
        NEXT;                                                                                      \
    }
FOR_CONDITIONS(DEFINE_CONDITION)

op_fn *condition_function(enum insn_op op, enum shape shape, unsigned size, unsigned cc)
{
#define ROW(cc)                                                                                    \
    { { set_if_##cc, set_memory_if_##cc }, { move4_if_##cc, load4_if_##cc },                       \
      { move8_if_##cc, load8_if_##cc } },
    static op_fn *const rows[8][3][2] = { FOR_CONDITIONS(ROW) };
#undef ROW

    if (op == OP_SETCC)
        return rows[cc >> 1][0][shape == SHAPE_M];
    return op == OP_CMOVCC && size >= 2 ? rows[cc >> 1][size - 1][shape == SHAPE_RM] : NULL;
}

void fall_through(struct cpu *c, const struct op *op)
{
    return follow(c, op);
}
void do_nothing(struct cpu *c, const struct op *op)
{
    NEXT;
}

static void call_direct(struct cpu *c, const struct op *op)
{
    TO_WRITE(u64, m, c->regs[RSP] - 8);
    *m = block_end(c);
    c->regs[RSP] -= 8;
    return follow(c, op + 1);
}

/* A target that is not canonical is #GP at the branch: the core's business. */
#define CHECK_TARGET(rip)                \
    if (unlikely(!is_canonical(rip)))    \
        return generic(c, op)

static void ret_near(struct cpu *c, const struct op *op)
{
    TO_READ(u64, m, c->regs[RSP]);
    uint64_t rip = *m;

    CHECK_TARGET(rip);
    c->regs[RSP] += 8 + (uint64_t)op->imm;
    return jump_to(c, rip);
}
static void jump_r(struct cpu *c, const struct op *op)
{
    uint64_t rip = GPR(u64, op->dst);

    CHECK_TARGET(rip);
    return jump_to(c, rip);
}
static void jump_m(struct cpu *c, const struct op *op)
{
    TO_READ(u64, m, address_full(c, op));
    uint64_t rip = *m;

    CHECK_TARGET(rip);
    return jump_to(c, rip);
}
static void call_r(struct cpu *c, const struct op *op)
{
    TO_WRITE(u64, stack, c->regs[RSP] - 8);
    uint64_t rip = GPR(u64, op->dst);

    CHECK_TARGET(rip);
    *stack = block_end(c);
    c->regs[RSP] -= 8;
    return jump_to(c, rip);
}
static void call_m(struct cpu *c, const struct op *op)
{
    TO_READ(u64, m, address_full(c, op));
    uint64_t rip = *m;
    TO_WRITE(u64, stack, c->regs[RSP] - 8);

    CHECK_TARGET(rip);
    *stack = block_end(c);
    c->regs[RSP] -= 8;
    return jump_to(c, rip);
}

op_fn *jump_function(unsigned cc)
{
#define ROW(cc) { jump_if_##cc, jump_unless_##cc },
    static op_fn *const rows[8][2] = { FOR_CONDITIONS(ROW) };
#undef ROW

    return rows[cc >> 1][cc & 1];
}

op_fn *branch_function(enum insn_op op, enum shape shape)
{
    if (op == OP_RET)
        return ret_near;
    if (op == OP_JMP)
        return shape == SHAPE_R ? jump_r : shape == SHAPE_M ? jump_m : NULL;
    if (op == OP_CALL)
        return shape == SHAPE_R ? call_r : shape == SHAPE_M ? call_m : call_direct;
    return NULL;
}
