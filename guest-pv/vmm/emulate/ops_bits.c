/* Shifts by CL, rotates, double shifts, BSWAP, CBW and CWD in all sizes, LEAVE. */
#include "guest-pv/vmm/emulate/ops.h"

/* CF and OF change, the others stay. */
static inline void set_cf_of(struct cpu *c, unsigned cf, unsigned of)
{
    lazy_settle(c);
    c->lazy.high = (c->lazy.high & ~(3u << 30)) | cf << 31 | (cf ^ of) << 30;
}
/* A count of 0 changes nothing, not even flags; but four bytes clear the upper half. */
#define DEFINE_SHIFTS(T, S, bits)                                                                  \
    static void shl_cl_##T(struct cpu *c, const struct op *op)                                     \
    {                                                                                              \
        unsigned count = GPR(u8, op->src) & (bits - 1);                                            \
        T a = GPR(T, op->dst), r = (T)(a << count);                                                \
        if (count != 0) {                                                                          \
            unsigned cf = a >> (bits - count) & 1;                                                 \
            lazy_cf_of(c, cf, (r >> (bits - 1)) ^ cf);                                             \
            lazy_result(c, SIGN_EXTEND(S, r));                                                  \
        }                                                                                          \
        SET_GPR(T, op->dst, r);                                                                    \
        NEXT;                                                                                      \
    }                                                                                              \
    static void shr_cl_##T(struct cpu *c, const struct op *op)                                     \
    {                                                                                              \
        unsigned count = GPR(u8, op->src) & (bits - 1);                                            \
        T a = GPR(T, op->dst), r = a >> count;                                                     \
        if (count != 0) {                                                                          \
            lazy_cf_of(c, a >> (count - 1) & 1, a >> (bits - 1));                                  \
            lazy_result(c, SIGN_EXTEND(S, r));                                                  \
        }                                                                                          \
        SET_GPR(T, op->dst, r);                                                                    \
        NEXT;                                                                                      \
    }                                                                                              \
    static void sar_cl_##T(struct cpu *c, const struct op *op)                                     \
    {                                                                                              \
        unsigned count = GPR(u8, op->src) & (bits - 1);                                            \
        T a = GPR(T, op->dst), r = (T)((S)a >> count);                                             \
        if (count != 0) {                                                                          \
            lazy_cf_of(c, a >> (count - 1) & 1, 0);                                                \
            lazy_result(c, SIGN_EXTEND(S, r));                                                  \
        }                                                                                          \
        SET_GPR(T, op->dst, r);                                                                    \
        NEXT;                                                                                      \
    }                                                                                              \
    DEFINE_ROTATES(T, bits, cl, GPR(u8, op->src) & (bits - 1))                                     \
    DEFINE_ROTATES(T, bits, imm, (unsigned)op->imm & (bits - 1))
#define DEFINE_ROTATES(T, bits, by, amount)                                                        \
    static void rol_##by##_##T(struct cpu *c, const struct op *op)                                 \
    {                                                                                              \
        unsigned count = amount;                                                                   \
        T a = GPR(T, op->dst), r = (T)(a << count | a >> ((bits - count) & (bits - 1)));           \
        if (count != 0)                                                                            \
            set_cf_of(c, r & 1, (r & 1) ^ (r >> (bits - 1)));                                      \
        SET_GPR(T, op->dst, r);                                                                    \
        NEXT;                                                                                      \
    }                                                                                              \
    static void ror_##by##_##T(struct cpu *c, const struct op *op)                                 \
    {                                                                                              \
        unsigned count = amount;                                                                   \
        T a = GPR(T, op->dst), r = (T)(a >> count | a << ((bits - count) & (bits - 1)));           \
        if (count != 0)                                                                            \
            set_cf_of(c, r >> (bits - 1), (r >> (bits - 1)) ^ (r >> (bits - 2) & 1));              \
        SET_GPR(T, op->dst, r);                                                                    \
        NEXT;                                                                                      \
    }
/* SHLD, SHRD. count: less than bits */
#define DEFINE_DOUBLE(T, S, bits, by, amount)                                                      \
    static void shld_##by##_##T(struct cpu *c, const struct op *op)                                \
    {                                                                                              \
        unsigned count = amount;                                                                   \
        T a = GPR(T, op->dst), r = a;                                                              \
        if (count != 0) {                                                                          \
            r = (T)(a << count | GPR(T, op->src) >> (bits - count));                               \
            lazy_cf_of(c, a >> (bits - count) & 1, (a ^ r) >> (bits - 1));                         \
            lazy_result(c, SIGN_EXTEND(S, r));                                                  \
        }                                                                                          \
        SET_GPR(T, op->dst, r);                                                                    \
        NEXT;                                                                                      \
    }                                                                                              \
    static void shrd_##by##_##T(struct cpu *c, const struct op *op)                                \
    {                                                                                              \
        unsigned count = amount;                                                                   \
        T a = GPR(T, op->dst), r = a;                                                              \
        if (count != 0) {                                                                          \
            r = (T)(a >> count | GPR(T, op->src) << (bits - count));                               \
            lazy_cf_of(c, a >> (count - 1) & 1, (a ^ r) >> (bits - 1));                            \
            lazy_result(c, SIGN_EXTEND(S, r));                                                  \
        }                                                                                          \
        SET_GPR(T, op->dst, r);                                                                    \
        NEXT;                                                                                      \
    }
DEFINE_DOUBLE(u32, int32_t, 32, imm, (unsigned)op->imm & 31)
DEFINE_DOUBLE(u64, int64_t, 64, imm, (unsigned)op->imm & 63)
DEFINE_DOUBLE(u32, int32_t, 32, cl, GPR(u8, 8 * RCX) & 31)
DEFINE_DOUBLE(u64, int64_t, 64, cl, GPR(u8, 8 * RCX) & 63)
DEFINE_SHIFTS(u32, int32_t, 32)
DEFINE_SHIFTS(u64, int64_t, 64)

#define DEFINE_REST(T, S, bits)                                                                    \
    static void bswap_##T(struct cpu *c, const struct op *op)                                      \
    {                                                                                              \
        SET_GPR(T, op->dst, __builtin_bswap##bits(GPR(T, op->dst)));                               \
        NEXT;                                                                                      \
    }                                                                                              \
    static void cwd_##T(struct cpu *c, const struct op *op)                                        \
    {                                                                                              \
        SET_GPR(T, 8 * RDX, (S)GPR(T, 0) >> (bits - 1));                                           \
        NEXT;                                                                                      \
    }
DEFINE_REST(u32, int32_t, 32)
DEFINE_REST(u64, int64_t, 64)

static void cwde(struct cpu *c, const struct op *op)
{
    SET_GPR(u32, 0, (int16_t)GPR(u16, 0));
    NEXT;
}
static void cdqe(struct cpu *c, const struct op *op)
{
    GPR(u64, 0) = (uint64_t)(int64_t)(int32_t)GPR(u32, 0);
    NEXT;
}

static void leave(struct cpu *c, const struct op *op)
{
    TO_READ(u64, m, c->regs[RBP]);
    c->regs[RSP] = c->regs[RBP] + 8;
    c->regs[RBP] = *m;
    NEXT;
}

static op_fn *implied_function(enum insn_op op, unsigned size)
{
    if (op == OP_CBW)
        return size == 2 ? cwde : cdqe;
    if (op == OP_CWD)
        return size == 2 ? cwd_u32 : cwd_u64;
    return op == OP_LEAVE && size == 3 ? leave : NULL;
}

op_fn *bit_function(enum insn_op op, enum shape shape, unsigned size)
{
    static const struct {
        uint16_t op;
        uint8_t shape;
        op_fn *functions[2];
    } rows[] = {
        { OP_SHL, SHAPE_RR, { shl_cl_u32, shl_cl_u64 } },
        { OP_SHR, SHAPE_RR, { shr_cl_u32, shr_cl_u64 } },
        { OP_SAR, SHAPE_RR, { sar_cl_u32, sar_cl_u64 } },
        { OP_ROL, SHAPE_RR, { rol_cl_u32, rol_cl_u64 } },
        { OP_ROR, SHAPE_RR, { ror_cl_u32, ror_cl_u64 } },
        { OP_ROL, SHAPE_RI, { rol_imm_u32, rol_imm_u64 } },
        { OP_ROR, SHAPE_RI, { ror_imm_u32, ror_imm_u64 } },
        { OP_SHLD, SHAPE_RRI, { shld_imm_u32, shld_imm_u64 } },
        { OP_SHRD, SHAPE_RRI, { shrd_imm_u32, shrd_imm_u64 } },
        { OP_SHLD, SHAPE_RRC, { shld_cl_u32, shld_cl_u64 } },
        { OP_SHRD, SHAPE_RRC, { shrd_cl_u32, shrd_cl_u64 } },
        { OP_BSWAP, SHAPE_R, { bswap_u32, bswap_u64 } },
    };

    if (size < 2)
        return NULL;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].op == op && rows[i].shape == shape)
            return rows[i].functions[size - 2];
    return shape == NR_SHAPES ? implied_function(op, size) : NULL;
}
