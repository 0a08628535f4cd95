/* Makes the operations of a block: decodes instructions, and for each one chooses the function that
 * executes it by operation, shape of operands and size; generic() when there is none. Called by
 * block.c. */
#include <stddef.h>
#include "common/x86/operands.h"
#include "guest-pv/vmm/emulate/ops_sse.h"

/* What ends a block: what follows is not executed next, or an interrupt, an exception or another
 * mapping may have to be looked at first. */
static bool ends_block(enum insn_op op)
{
    static const uint16_t enders[] = {
        OP_JMP,  OP_JCC,  OP_CALL,    OP_RET,    OP_IRET, OP_JMP_FAR, OP_CALL_FAR, OP_RET_FAR,
        OP_LOOP, OP_LOOPE, OP_LOOPNE, OP_JCXZ,   OP_INT,  OP_INT3,    OP_INT1,     OP_UD2,
        OP_HLT,  OP_SYSCALL, OP_SYSRET, OP_SYSENTER, OP_SYSEXIT, OP_INS,  OP_OUTS,     OP_WRMSR,
        OP_INVLPG, OP_LSS, OP_CLTS,
    };

    for (unsigned i = 0; i < ARRAY_SIZE(enders); i++)
        if (enders[i] == op)
            return true;
    return false;
}

static bool is_register(const struct operand *o)
{
    return o->type == OPERAND_GENERAL || o->type == OPERAND_HIGH_BYTE;
}
static uint8_t register_offset(const struct operand *o)
{
    return (uint8_t)(8 * o->reg + (o->type == OPERAND_HIGH_BYTE));
}

static enum shape three_operands(const struct operand o[3])
{
    if (!is_register(&o[0]))
        return NR_SHAPES;
    if (is_register(&o[1]))
        return o[2].type == OPERAND_IMMEDIATE ? SHAPE_RRI : SHAPE_RRC;
    return o[1].type == OPERAND_MEMORY && o[2].type == OPERAND_IMMEDIATE ? SHAPE_RMI : NR_SHAPES;
}

static enum shape shape_of(const struct operand o[3])
{
    if (o[2].type != OPERAND_NONE)
        return three_operands(o);
    if (o[1].type == OPERAND_NONE)
        return is_register(&o[0])               ? SHAPE_R
               : o[0].type == OPERAND_MEMORY    ? SHAPE_M
               : o[0].type == OPERAND_IMMEDIATE ? SHAPE_RI
                                                : NR_SHAPES;
    if (is_register(&o[0]))
        return is_register(&o[1])               ? SHAPE_RR
               : o[1].type == OPERAND_MEMORY    ? SHAPE_RM
               : o[1].type == OPERAND_IMMEDIATE ? SHAPE_RI
                                                : NR_SHAPES;
    if (o[0].type == OPERAND_MEMORY)
        return is_register(&o[1])               ? SHAPE_MR
               : o[1].type == OPERAND_IMMEDIATE ? SHAPE_MI
                                                : NR_SHAPES;
    return NR_SHAPES;
}

/* False: an address that operations do not have. */
static bool set_memory(struct op *op, const struct insn *in, uint64_t rip)
{
    unsigned segment = operand_segment(in);
    int64_t disp = in->disp;

    if (in->ad_bytes != 8)
        return false;
    op->base = in->base == NO_REG || in->base == REG_RIP ? ZERO_REG : (uint8_t)(8 * in->base);
    op->index = in->index == NO_REG ? ZERO_REG : (uint8_t)(8 * in->index);
    op->scale = in->scale;
    op->segment = segment >= SEG_FS ? (uint16_t)offsetof(struct cpu, seg[segment].base) : ZERO_REG;
    if (in->base == REG_RIP)
        disp = (int64_t)(next_rip(in, rip) + (uint64_t)disp);
    op->disp = (int32_t)disp;
    return op->disp == disp;
}

static unsigned log2_bytes(unsigned bytes)
{
    return bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : 3;
}

/* The count of a shift as the CPU masks it; 0 and those as large as the operand are generic. */
static bool shift_fits(const struct op *op, unsigned bytes)
{
    unsigned count = (unsigned)op->imm & (bytes == 8 ? 63u : 31u);

    return count != 0 && count < 8 * bytes && (unsigned)op->imm == count;
}

static op_fn *binary_function(const struct insn *in, const struct insn_case *k, enum shape shape,
                              const struct operand o[3], const struct op *op)
{
    unsigned size = log2_bytes(o[0].bytes), cc = in->opcode & 0xe;
    bool full = needs_full(op);
    op_fn *f;

    if (k->op == OP_CMOVCC || k->op == OP_SETCC)
        return condition_function(k->op, shape, size, cc);
    if (k->op == OP_MOVZX || k->op == OP_MOVSX || k->op == OP_MOVSXD)
        return extend_function(k->op, shape, log2_bytes(o[1].bytes), size);
    if (k->op == OP_PUSH || k->op == OP_POP)
        return in->op_bytes == 8 ? stack_function(k->op, shape) : NULL;
    f = bit_function(k->op, shape, size);
    if (f == NULL)
        f = multiply_function(k->op, shape, size);
    if (f == NULL)
        f = exchange_function(k->op, shape, size);
    if (f != NULL)
        return f;
    if ((k->op == OP_SHL || k->op == OP_SHR || k->op == OP_SAR) &&
        ((shape != SHAPE_RI && shape != SHAPE_MI) || !shift_fits(op, o[0].bytes)))
        return NULL;
    f = alu_function(k->op, shape, size, full);
    return f != NULL ? f : move_function(k->op, shape, size, full);
}

/* A prefetch accesses nothing that could fault. */
static bool does_nothing(enum insn_op op)
{
    return op == OP_NOP || op == OP_ENDBR64 || op == OP_PAUSE || op == OP_PREFETCHT0 ||
           op == OP_PREFETCHT1 || op == OP_PREFETCHT2 || op == OP_PREFETCHNTA ||
           op == OP_PREFETCHW || op == OP_PREFETCH;
}

/* The function of an instruction that is no relative branch, or NULL. */
static op_fn *choose(const struct insn *in, const struct insn_case *k, uint64_t rip, struct op *op)
{
    struct operand o[3];
    enum shape shape;
    op_fn *f;

    if (does_nothing(k->op))
        return do_nothing;
    if (k->op == OP_CBW || k->op == OP_CWD || k->op == OP_LEAVE)
        return bit_function(k->op, NR_SHAPES, log2_bytes(in->op_bytes));
    get_operands(in, k, o);
    shape = shape_of(o);
    if (in->memory && !set_memory(op, in, rip))
        return NULL;
    if (k->op == OP_RET) {
        op->imm = (int32_t)(in->imm & 0xffff);
        return in->op_bytes == 8 ? branch_function(k->op, SHAPE_R) : NULL;
    }
    f = in->lock ? NULL : system_function(in, k, op);
    if (f == NULL)
        f = sse_function(in, k, op);
    if (f != NULL)
        return f;
    if (shape == NR_SHAPES || (in->lock && !in->memory))
        return NULL;
    op->dst = is_register(&o[0]) ? register_offset(&o[0]) : 0;
    op->src = is_register(&o[1]) ? register_offset(&o[1]) : 0;
    op->odd = in->opcode & 1;
    op->imm = (int32_t)in->imm;
    if (k->op == OP_JMP || k->op == OP_CALL) /* F2 before them is of a later extension: ignored */
        return o[0].bytes == 8 ? branch_function(k->op, shape) : NULL;
    if (in->rep && k->op != OP_TZCNT && k->op != OP_LZCNT)
        return NULL;
    if (k->op == OP_MOV && shape == SHAPE_RI)
        op->wide = in->imm;
    if (k->op == OP_LEA)
        op->segment = ZERO_REG;
    return binary_function(in, k, shape, o, op);
}

static struct op *add_op(struct build *b)
{
    struct op *op = &b->ops[b->nr_ops++];

    *op = (struct op){ .base = ZERO_REG, .index = ZERO_REG, .segment = ZERO_REG, .run = generic };
    return op;
}

static void add_chain(struct build *b, op_fn *run, int32_t disp)
{
    struct op *op = add_op(b);

    op->run = run;
    op->imm = disp;
    op->next = &no_block;
}

/* Jcc, JMP and CALL with a relative target, of 8 or 32 bits. */
static bool add_relative(struct build *b, const struct insn *in, const struct insn_case *k)
{
    int32_t disp = (int32_t)in->imm;

    if (k->op == OP_JCC) {
        add_chain(b, jump_function(in->opcode & 15), disp);
        add_chain(b, fall_through, 0);
    } else if (k->op == OP_JMP) {
        add_chain(b, fall_through, disp);
    } else {
        struct op *op = add_op(b);

        op->run = branch_function(OP_CALL, NR_SHAPES);
        op->insn = b->keep(b->c, in, k);
        add_chain(b, fall_through, disp);
    }
    return true;
}

static bool is_relative(const struct insn *in, const struct insn_case *k)
{
    return k->forms[0] == FORM_Jb || k->forms[0] == FORM_Jz
               ? (k->op == OP_JCC || k->op == OP_JMP || k->op == OP_CALL) && in->op_bytes == 8
               : false;
}

/* Of those without a memory operand: may the function leave it to the core? */
static bool may_be_generic(const struct insn *in, enum insn_op op)
{
    static const uint16_t ops[] = {
        OP_PUSH, OP_POP, OP_LEAVE, OP_CLI, OP_STI, OP_PUSHF, OP_POPF, OP_SWAPGS, OP_RDTSC, OP_DIV,
    };

    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
        if (ops[i] == op)
            return true;
    return ends_block(op) || is_sse(op) || (op == OP_MOV && in->opcode >= 0x120);
}

static void add_insn(struct build *b, const struct insn *in, const struct insn_case *k,
                     uint64_t rip)
{
    struct op *op = add_op(b);
    op_fn *f = choose(in, k, rip, op);

    op->run = f != NULL ? f : generic;
    if (f == NULL || in->memory || may_be_generic(in, k->op))
        op->insn = b->keep(b->c, in, k);
}

bool build_ops(struct build *b)
{
    unsigned at = 0;
    bool ended = false;

    while (b->nr_insns < BLOCK_INSNS && !ended) {
        struct insn in;
        const struct insn_case *k;

        if (!decode_insn(b->bytes + at, MIN(b->len - at, MAX_INSN), MODE_64, &in))
            break;
        k = find_case(&in);
        if (k == NULL)
            break;
        b->offsets[b->nr_insns++] = (uint16_t)at;
        ended = ends_block(k->op) || in.opcode == 0x8e; /* a load of SS has a shadow */
        if (is_relative(&in, k))
            add_relative(b, &in, k);
        else
            add_insn(b, &in, k, b->rip + at);
        at += in.length;
        ended = ended || (k->op == OP_MOV && (in.opcode == 0x122 || in.opcode == 0x123) &&
                          modrm_reg(&in) != 8);
    }
    b->offsets[b->nr_insns] = (uint16_t)at;
    if (!ended)
        add_chain(b, fall_through, 0);
    return b->nr_insns != 0;
}
