/* SSE and SSE2 operations that compute: by the host's own instruction, in sse_code. With exceptions
 * that are not masked, with CR0.TS and so on, and where memory is not aligned, they are generic. */
#include "guest-pv/vmm/core/sse_code.h"
#include "guest-pv/vmm/emulate/ops_sse.h"
#include "guest-pv/vmm/emulate/xmm.h"

#define MXCSR_MASKS 0x1f80u

/* Jumps to the operation's code, and comes back. */
#define RUN_CODE                     \
    "lea 1f(%%rip), %%rdx\n\t"       \
    "jmp *%[code]\n"                 \
    "1:\n\t"
#define CODE [code] "r"((uintptr_t)sse_code + (uint64_t)(int64_t)op->imm)
/* The same with the guest's MXCSR, which collects its flags; all exceptions are masked. Behind it
 * the vmm's own, as programs start with it. */
static const uint32_t own_mxcsr = MXCSR_MASKS;
#define RUN_FLOAT                    \
    "ldmxcsr %[mxcsr]\n\t" RUN_CODE  \
    "stmxcsr %[mxcsr]\n\t"           \
    "ldmxcsr %[own]"
#define MXCSR_OPERAND [mxcsr] "+m"(c->fx.mxcsr)
#define OWN_MXCSR [own] "m"(own_mxcsr)
#define CHECK_MXCSR                                         \
    if (unlikely(~c->fx.mxcsr & MXCSR_MASKS))               \
        return generic(c, op)

/* The operands' registers in sse_code */
#define DESTINATION register xmm_t a __asm__("xmm0")
#define SOURCE register xmm_t b __asm__("xmm1")

/* Declare b, by the shape. */
#define SOURCE_RR SOURCE = XMM(op->src)
#define SOURCE_RM16                                         \
    uint64_t at = address_full(c, op);                      \
    CHECK_ALIGNED(at);                                      \
    TO_READ(xmm_unaligned, m, at);                          \
    SOURCE = *m
#define SOURCE_RM8                                          \
    TO_READ(u64, m, address_full(c, op));                   \
    SOURCE = { (int64_t)*m, 0 }
#define SOURCE_RM4                                          \
    TO_READ(u32, m, address_full(c, op));                   \
    SOURCE = { *m, 0 }

#define DEFINE_PLAIN(shape)                                                                        \
    static void plain_##shape(struct cpu *c, const struct op *op)                                  \
    {                                                                                              \
        CHECK_SSE;                                                                                 \
        SOURCE_##shape;                                                                            \
        DESTINATION = XMM(op->dst);                                                                \
        __asm__ volatile(RUN_CODE : "+x"(a) : "x"(b), CODE : "rdx");                               \
        XMM(op->dst) = a;                                                                          \
        NEXT;                                                                                      \
    }
DEFINE_PLAIN(RR)
DEFINE_PLAIN(RM4) /* RSQRTSS, RCPSS */
DEFINE_PLAIN(RM16)

static void shift_by_immediate(struct cpu *c, const struct op *op)
{
    CHECK_SSE;
    SOURCE = { op->disp, 0 };
    DESTINATION = XMM(op->dst);
    __asm__ volatile(RUN_CODE : "+x"(a) : "x"(b), CODE : "rdx");
    XMM(op->dst) = a;
    NEXT;
}

static void signs(struct cpu *c, const struct op *op)
{
    uint64_t bits;

    CHECK_SSE;
    SOURCE = XMM(op->src);
    __asm__ volatile(RUN_CODE : "=a"(bits) : "x"(b), CODE : "rdx");
    GPR(u64, op->dst) = bits;
    NEXT;
}

#define DEFINE_FLOAT(shape)                                                                        \
    static void float_##shape(struct cpu *c, const struct op *op)                                  \
    {                                                                                              \
        CHECK_SSE;                                                                                 \
        CHECK_MXCSR;                                                                               \
        SOURCE_##shape;                                                                            \
        DESTINATION = XMM(op->dst);                                                                \
        __asm__ volatile(RUN_FLOAT : "+x"(a), MXCSR_OPERAND : "x"(b), CODE, OWN_MXCSR : "rdx");    \
        XMM(op->dst) = a;                                                                          \
        NEXT;                                                                                      \
    }
/* OF, SF and AF become 0 (SDM vol. 2). */
#define DEFINE_COMPARE(shape)                                                                      \
    static void compare_##shape(struct cpu *c, const struct op *op)                                \
    {                                                                                              \
        bool zf, pf, cf;                                                                           \
                                                                                                   \
        CHECK_SSE;                                                                                 \
        CHECK_MXCSR;                                                                               \
        SOURCE_##shape;                                                                            \
        DESTINATION = XMM(op->dst);                                                                \
        __asm__ volatile(RUN_FLOAT                                                                 \
                         : "=@ccz"(zf), "=@ccp"(pf), "=@ccc"(cf), MXCSR_OPERAND                    \
                         : "x"(a), "x"(b), CODE, OWN_MXCSR : "rdx");                               \
        lazy_cf_of(c, cf, 0);                                                                      \
        c->lazy.zero = !zf;                                                                        \
        c->lazy.result = !pf;                                                                      \
        NEXT;                                                                                      \
    }
#define DEFINE_TO_INTEGER(shape)                                                                   \
    static void to_integer_##shape(struct cpu *c, const struct op *op)                             \
    {                                                                                              \
        uint64_t result;                                                                           \
                                                                                                   \
        CHECK_SSE;                                                                                 \
        CHECK_MXCSR;                                                                               \
        SOURCE_##shape;                                                                            \
        __asm__ volatile(RUN_FLOAT : "=a"(result), MXCSR_OPERAND : "x"(b), CODE, OWN_MXCSR         \
                         : "rdx");                                                                 \
        GPR(u64, op->dst) = result;                                                                \
        NEXT;                                                                                      \
    }
DEFINE_FLOAT(RR)
DEFINE_FLOAT(RM4)
DEFINE_FLOAT(RM8)
DEFINE_FLOAT(RM16)
DEFINE_COMPARE(RR)
DEFINE_COMPARE(RM4)
DEFINE_COMPARE(RM8)
DEFINE_TO_INTEGER(RR)
DEFINE_TO_INTEGER(RM4)
DEFINE_TO_INTEGER(RM8)

/* Of 4 or 8 bytes, always as 8. */
#define VALUE_RG4 uint64_t value = (uint64_t)(int64_t)(int32_t)GPR(u32, op->src)
#define VALUE_RG8 uint64_t value = GPR(u64, op->src)
#define VALUE_RM4                                           \
    TO_READ(u32, m, address_full(c, op));                   \
    uint64_t value = (uint64_t)(int64_t)(int32_t)*m
#define VALUE_RM8                                           \
    TO_READ(u64, m, address_full(c, op));                   \
    uint64_t value = *m
#define DEFINE_FROM_INTEGER(shape)                                                                 \
    static void from_integer_##shape(struct cpu *c, const struct op *op)                           \
    {                                                                                              \
        CHECK_SSE;                                                                                 \
        CHECK_MXCSR;                                                                               \
        VALUE_##shape;                                                                             \
        DESTINATION = XMM(op->dst);                                                                \
        __asm__ volatile(RUN_FLOAT : "+x"(a), MXCSR_OPERAND : "c"(value), CODE, OWN_MXCSR          \
                         : "rdx");                                                                 \
        XMM(op->dst) = a;                                                                          \
        NEXT;                                                                                      \
    }
DEFINE_FROM_INTEGER(RG4)
DEFINE_FROM_INTEGER(RG8)
DEFINE_FROM_INTEGER(RM4)
DEFINE_FROM_INTEGER(RM8)

op_fn *sse_compute_function(enum sse_class class, enum sse_shape shape)
{
    static op_fn *const functions[NR_SSE_CLASSES][NR_SSE_SHAPES] = {
        [SSE_PLAIN] = { [SSE_RR] = plain_RR, [SSE_RM4] = plain_RM4, [SSE_RM16] = plain_RM16 },
        [SSE_SHIFT] = { [SSE_RR] = shift_by_immediate },
        [SSE_SIGNS] = { [SSE_GR] = signs },
        [SSE_FLOAT] = { [SSE_RR] = float_RR, [SSE_RM4] = float_RM4, [SSE_RM8] = float_RM8,
                        [SSE_RM16] = float_RM16 },
        [SSE_COMPARE] = { [SSE_RR] = compare_RR, [SSE_RM4] = compare_RM4,
                          [SSE_RM8] = compare_RM8 },
        [SSE_FROM_INTEGER] = { [SSE_RG4] = from_integer_RG4, [SSE_RG8] = from_integer_RG8,
                               [SSE_RM4] = from_integer_RM4, [SSE_RM8] = from_integer_RM8 },
        [SSE_TO_INTEGER] = { [SSE_GR] = to_integer_RR, [SSE_RM4] = to_integer_RM4,
                             [SSE_RM8] = to_integer_RM8 },
    };

    return functions[class][shape];
}
