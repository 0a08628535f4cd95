/* Chooses the operation of an SSE or SSE2 instruction: by the kind of the core's handler, and how
 * the operands lie. Called by build.c. */
#include "guest-pv/vmm/core/sse_code.h"
#include "guest-pv/vmm/emulate/ops_sse.h"

/* The core's handlers, as handlers_sse.def names them. */
enum kind {
    NO_KIND,
    KIND_op_sse_plain, KIND_op_sse_movmsk, KIND_op_sse_shift, KIND_op_sse_float, KIND_op_sse_cmp,
    KIND_op_sse_comi, KIND_op_sse_from_integer, KIND_op_sse_to_integer, KIND_op_sse_mov_unaligned,
    KIND_op_sse_mov_aligned, KIND_op_sse_mov, KIND_op_sse_mov_scalar, KIND_op_sse_mov_half,
    KIND_op_sse_pshuf, KIND_op_sse_shuf, KIND_op_sse_shift_bytes,
    /* generic ones */
    KIND_op_sse_pinsrw = NO_KIND, KIND_op_sse_pextrw = NO_KIND, KIND_op_sse_maskmov = NO_KIND,
    KIND_op_fxsave = NO_KIND, KIND_op_fxrstor = NO_KIND, KIND_op_ldmxcsr = NO_KIND,
    KIND_op_stmxcsr = NO_KIND, KIND_op_emms = NO_KIND, KIND_op_fwait = NO_KIND,
    KIND_op_fninit = NO_KIND, KIND_op_fnclex = NO_KIND, KIND_op_fnstcw = NO_KIND,
    KIND_op_fldcw = NO_KIND, KIND_op_fnstsw = NO_KIND, KIND_op_fnstenv = NO_KIND,
    KIND_op_fldenv = NO_KIND, KIND_op_fnsave = NO_KIND, KIND_op_frstor = NO_KIND,
    KIND_op_x87_nop = NO_KIND, KIND_op_x87 = NO_KIND,
};

static const uint8_t kinds[NR_OPS] = {
#define HANDLER(op, function) [OP_##op] = KIND_##function,
#include "guest-pv/vmm/core/handlers_sse.def"
#undef HANDLER
};

bool is_sse(enum insn_op op)
{
    return kinds[op] != NO_KIND;
}

static enum sse_shape shape_by_size(unsigned bytes, enum sse_shape four)
{
    return bytes == 4 ? four : bytes == 8 ? four + 1 : bytes == 16 ? four + 2 : NR_SSE_SHAPES;
}

/* Sets the registers. */
static enum sse_shape shape_of(const struct operand o[3], struct op *op)
{
    if (o[0].type == OPERAND_MEMORY) {
        op->src = (uint8_t)(16 * o[1].reg);
        return o[1].type == OPERAND_XMM ? shape_by_size(o[0].bytes, SSE_MR4) : NR_SSE_SHAPES;
    }
    if (o[0].type == OPERAND_GENERAL) {
        op->dst = (uint8_t)(8 * o[0].reg);
        op->src = (uint8_t)(16 * o[1].reg);
        return o[1].type == OPERAND_XMM      ? SSE_GR
               : o[1].type == OPERAND_MEMORY ? shape_by_size(o[1].bytes, SSE_RM4)
                                             : NR_SSE_SHAPES;
    }
    if (o[0].type != OPERAND_XMM)
        return NR_SSE_SHAPES;
    op->dst = (uint8_t)(16 * o[0].reg);
    if (o[1].type == OPERAND_MEMORY)
        return shape_by_size(o[1].bytes, SSE_RM4);
    if (o[1].type == OPERAND_GENERAL) {
        op->src = (uint8_t)(8 * o[1].reg);
        return o[1].bytes == 8 ? SSE_RG8 : SSE_RG4;
    }
    op->src = (uint8_t)(16 * o[1].reg);
    return o[1].type == OPERAND_XMM || o[1].type == OPERAND_IMMEDIATE ? SSE_RR : NR_SSE_SHAPES;
}

static const uint8_t *shuffle_code(enum insn_op op, unsigned imm)
{
    unsigned table = op == OP_PSHUFD    ? SHUFFLE_PSHUFD
                     : op == OP_PSHUFHW ? SHUFFLE_PSHUFHW
                     : op == OP_PSHUFLW ? SHUFFLE_PSHUFLW
                     : op == OP_SHUFPS  ? SHUFFLE_SHUFPS
                                        : SHUFFLE_SHUFPD;

    return sse_code_shuffle[table][imm];
}

/* Where its code is, and how it is run; NR_SSE_CLASSES: it does not compute. */
static enum sse_class class_of(const struct insn *in, const struct insn_case *k,
                               const struct operand o[3], const uint8_t **code)
{
    unsigned imm = (unsigned)in->imm & 0xff;

    *code = sse_code[sse_prefix(in)][in->opcode & 0xff];
    switch (kinds[k->op]) {
    case KIND_op_sse_plain:
        return SSE_PLAIN;
    case KIND_op_sse_movmsk:
        return SSE_SIGNS;
    case KIND_op_sse_shift:
        if (o[1].type != OPERAND_IMMEDIATE)
            return SSE_PLAIN;
        *code = sse_shift_code(in);
        return SSE_SHIFT;
    case KIND_op_sse_shift_bytes:
        *code = sse_code_shift_bytes[k->op == OP_PSRLDQ][imm];
        return SSE_PLAIN;
    case KIND_op_sse_pshuf:
    case KIND_op_sse_shuf:
        *code = shuffle_code(k->op, imm);
        return SSE_PLAIN;
    case KIND_op_sse_float:
        return SSE_FLOAT;
    case KIND_op_sse_cmp:
        *code = sse_code_compare[sse_prefix(in)][imm & 7];
        return SSE_FLOAT;
    case KIND_op_sse_comi:
        return SSE_COMPARE;
    case KIND_op_sse_from_integer:
        *code = sse_code_rex_w[in->rep == 0xf2][in->opcode & 0xf];
        return SSE_FROM_INTEGER;
    case KIND_op_sse_to_integer:
        if (o[0].bytes == 8)
            *code = sse_code_rex_w[in->rep == 0xf2][in->opcode & 0xf];
        return SSE_TO_INTEGER;
    default:
        return NR_SSE_CLASSES;
    }
}

op_fn *sse_function(const struct insn *in, const struct insn_case *k, struct op *op)
{
    struct operand o[3];
    const uint8_t *code;
    enum sse_shape shape;
    enum sse_class class;

    if (kinds[k->op] == NO_KIND || in->lock || k->forms[1] == FORM_Qq || k->forms[1] == FORM_Qd)
        return NULL;
    get_operands(in, k, o);
    shape = shape_of(o, op);
    if (shape == NR_SSE_SHAPES)
        return NULL;
    class = class_of(in, k, o, &code);
    if (class == NR_SSE_CLASSES)
        return sse_move_function(k->op, shape, needs_full(op));
    op->imm = (int32_t)(code - sse_code[0][0]);
    if (class == SSE_SHIFT)
        op->disp = (int32_t)(in->imm & 0xff);
    return sse_compute_function(class, shape);
}
