/* Integer arithmetic: what alu.c and arith.c of common/x86 compute, on operands. E1 of emulate.h is
 * kept by the order in each handler: read, compute, write memory, then registers and flags. Moves
 * without arithmetic are move.c. */
#include "common/x86/arith.h"
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/operand.h"

/* ADD to XOR with a source, INC to NEG with none, shifts by a count, SHLD and SHRD with a source
 * and a count, BTS to BTC with the number of a bit. */
bool op_change(struct exec *x)
{
    struct operand to, second, third;
    uint64_t a, b, count, flags = x->c->regs[REG_RFLAGS];

    find_operand(x, 0, &to);
    find_operand(x, 1, &second);
    if (!load(x, &second, &b) || !load_to_change(x, &to, &a))
        return false;
    count = b;
    if (x->k->forms[2] != FORM__) {
        find_operand(x, 2, &third);
        load(x, &third, &count); /* an immediate or CL */
    }
    a = alu(x->k->op, to.bytes, a, b, (unsigned)count & 0xff, &flags);
    if (!store(x, &to, a))
        return false;
    x->c->regs[REG_RFLAGS] = flags;
    return finish(x);
}

/* CMP, TEST, BT */
bool op_compare(struct exec *x)
{
    struct operand first;
    uint64_t a, b;

    find_operand(x, 0, &first);
    if (!read_operand(x, 1, &b) || !load(x, &first, &a))
        return false;
    alu(x->k->op, first.bytes, a, b, 0, &x->c->regs[REG_RFLAGS]);
    return finish(x);
}

/* XCHG, XADD. The source is written first: if both are one register, the destination's value
 * stays. */
bool op_xchg(struct exec *x)
{
    struct operand to, source;
    uint64_t a, b, value, flags = x->c->regs[REG_RFLAGS];

    find_operand(x, 0, &to);
    find_operand(x, 1, &source);
    if (!load(x, &source, &b) || !load_to_change(x, &to, &a))
        return false;
    value = x->k->op == OP_XADD ? alu(OP_XADD, to.bytes, a, b, 0, &flags) : b;
    store(x, &source, a);
    if (!store(x, &to, value))
        return false;
    x->c->regs[REG_RFLAGS] = flags;
    return finish(x);
}

/* Memory is asked for the rights to write even if the comparison fails, and then written what it
 * has. A register that is not written keeps its upper half, of 4 bytes too. */
bool op_cmpxchg(struct exec *x)
{
    struct operand to;
    struct operand accumulator = { .type = OPERAND_GENERAL, .reg = RAX };
    uint64_t old, source, flags = x->c->regs[REG_RFLAGS];

    find_operand(x, 0, &to);
    accumulator.bytes = to.bytes;
    if (!read_operand(x, 1, &source) || !load_to_change(x, &to, &old))
        return false;
    compare(to.bytes, x->c->regs[RAX], old, &flags);
    if (!store(x, flags & FLAG_ZF ? &to : &accumulator, flags & FLAG_ZF ? source : old))
        return false;
    x->c->regs[REG_RFLAGS] = flags;
    return finish(x);
}

/* CMPXCHG8B and CMPXCHG16B, by halves: rDX:rAX is compared, rCX:rBX written. */
bool op_cmpxchg_pair(struct exec *x)
{
    unsigned half = x->k->op == OP_CMPXCHG16B ? 8 : 4;
    uint64_t *regs = x->c->regs, low = 0, high = 0;
    bool equal;

    if (half == 8 && x->linear % 16 != 0)
        return raise_gp(x->c, 0);
    if (!check_write(x, x->linear, 2 * half))
        return operand_fault(x);
    if (!read_memory(x, 0, &low, half) || !read_memory(x, half, &high, half))
        return false;
    equal = ((low ^ regs[RAX]) & size_mask(half)) == 0 &&
            ((high ^ regs[RDX]) & size_mask(half)) == 0;
    if (!equal) {
        write_reg(&regs[RAX], half, low);
        write_reg(&regs[RDX], half, high);
    } else if (!write_memory(x, 0, &regs[RBX], half) || !write_memory(x, half, &regs[RCX], half)) {
        return false;
    }
    regs[REG_RFLAGS] = (regs[REG_RFLAGS] & ~(uint64_t)FLAG_ZF) | (equal ? FLAG_ZF : 0);
    return finish(x);
}

/* BSF, BSR; TZCNT and LZCNT are they, too. The destination stays if there is no bit. */
bool op_scan(struct exec *x)
{
    enum insn_op op = x->k->op == OP_BSF || x->k->op == OP_TZCNT ? OP_BSF : OP_BSR;
    struct operand to;
    uint64_t source, value, flags = x->c->regs[REG_RFLAGS];

    find_operand(x, 0, &to);
    if (!read_operand(x, 1, &source))
        return false;
    value = count_bits(op, to.bytes, 0, source, &flags);
    if (!(flags & FLAG_ZF))
        store(x, &to, value);
    x->c->regs[REG_RFLAGS] = flags;
    return finish(x);
}

/* rDX:rAX, or AX for bytes */
static void write_pair(struct exec *x, unsigned bytes, uint64_t low, uint64_t high)
{
    uint64_t *regs = x->c->regs;

    if (bytes == 1) {
        write_reg(&regs[RAX], 2, (low & 0xff) | (high & 0xff) << 8);
        return;
    }
    write_reg(&regs[RAX], bytes, low);
    write_reg(&regs[RDX], bytes, high);
}

bool op_mul(struct exec *x)
{
    struct operand o;
    uint64_t value, low, high;

    find_operand(x, 0, &o);
    if (!load(x, &o, &value))
        return false;
    multiply(x->k->op == OP_IMUL, o.bytes, x->c->regs[RAX], value, &low, &high,
             &x->c->regs[REG_RFLAGS]);
    write_pair(x, o.bytes, low, high);
    return finish(x);
}

/* One operand: as MUL. Two: a product of both. Three: the product of the second and third. */
bool op_imul(struct exec *x)
{
    struct operand to;
    uint64_t a, b, low, high;

    if (x->k->forms[1] == FORM__)
        return op_mul(x);
    find_operand(x, 0, &to);
    if (!read_operand(x, 1, &a) || !read_operand(x, x->k->forms[2] == FORM__ ? 0 : 2, &b))
        return false;
    multiply(true, to.bytes, a, b, &low, &high, &x->c->regs[REG_RFLAGS]);
    store(x, &to, low);
    return finish(x);
}

bool op_div(struct exec *x)
{
    const uint64_t *regs = x->c->regs;
    struct operand o;
    uint64_t divisor, high, quotient, remainder;

    find_operand(x, 0, &o);
    if (!load(x, &o, &divisor))
        return false;
    high = o.bytes == 1 ? regs[RAX] >> 8 : regs[RDX];
    if (!divide(x->k->op == OP_IDIV, o.bytes, high, regs[RAX], divisor, &quotient, &remainder))
        return raise_fault(x->c, VECTOR_DE);
    write_pair(x, o.bytes, quotient, remainder);
    return finish(x);
}
