/* MMX, SSE and SSE2 instructions that move bytes and compute nothing: loads, stores, moves between
 * registers, shuffles by an immediate, masked stores. What computes is sse.c. */
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/sse.h"

/* XMM registers: MOVUPS, MOVDQU and so on; MOVAPS, MOVDQA, MOVNTPS and so on, which insist on
 * alignment. */
bool op_sse_mov_unaligned(struct exec *x)
{
    bool to_reg = x->k->forms[0] == FORM_Vx;
    union sse_value *reg = xmm_register(x, modrm_reg(x->in)), *rm;

    if (!xmm_usable(x))
        return false;
    if (x->in->memory)
        return (to_reg ? read_part(x, reg, 16) : write_part(x, reg, 16)) && finish(x);
    rm = xmm_register(x, modrm_rm(x->in));
    if (to_reg)
        *reg = *rm;
    else
        *rm = *reg;
    return finish(x);
}

bool op_sse_mov_aligned(struct exec *x)
{
    if (x->in->memory && (!xmm_usable(x) || !is_sse_aligned(x, 16)))
        return false;
    return op_sse_mov_unaligned(x);
}

/* 4 or 8 bytes, zero-extended, between registers of any kind and memory: MOVD, MOVQ. */
bool op_sse_mov(struct exec *x)
{
    union sse_value value = { .quads = { 0 } };

    if (!sse_usable(x) || !read_sse_operand(x, 1, &value))
        return false;
    if (x->k->forms[1] == FORM_Wq || x->k->forms[0] == FORM_Wq)
        value.quads[1] = 0;
    return write_sse_operand(x, 0, &value);
}

/* MOVSS, MOVSD: from memory they clear the rest of the register, from a register they leave it. */
bool op_sse_mov_scalar(struct exec *x)
{
    bool to_reg = x->k->forms[0] == FORM_Vx, is_single = x->k->op == OP_MOVSS;
    union sse_value *reg = xmm_register(x, modrm_reg(x->in)), *rm, value = { .quads = { 0 } };

    if (!xmm_usable(x))
        return false;
    if (x->in->memory && !to_reg)
        return (is_single ? write_part(x, reg, 4) : write_part(x, reg, 8)) && finish(x);
    if (x->in->memory) {
        if (!(is_single ? read_part(x, &value, 4) : read_part(x, &value, 8)))
            return false;
        *reg = value;
        return finish(x);
    }
    rm = xmm_register(x, modrm_rm(x->in));
    if (is_single)
        (to_reg ? reg : rm)->doubles[0] = (to_reg ? rm : reg)->doubles[0];
    else
        (to_reg ? reg : rm)->quads[0] = (to_reg ? rm : reg)->quads[0];
    return finish(x);
}

/* Halves of a register: MOVLPS, MOVHPS, MOVLPD, MOVHPD, MOVHLPS, MOVLHPS. */
bool op_sse_mov_half(struct exec *x)
{
    enum insn_op op = x->k->op;
    unsigned high_to = op == OP_MOVHPS || op == OP_MOVHPD || op == OP_MOVLHPS, high_from = 0;
    union sse_value from, to = { .quads = { 0 } };

    if (!sse_usable(x) || !read_sse_operand(x, 1, &from))
        return false;
    if (op == OP_MOVHLPS)
        high_from = 1;
    if (x->k->forms[0] == FORM_Mq) {
        high_from = high_to;
        high_to = 0;
    } else if (!read_sse_operand(x, 0, &to)) {
        return false;
    }
    to.quads[high_to] = from.quads[high_from];
    return write_sse_operand(x, 0, &to);
}

/* PSHUFD; PSHUFW, PSHUFLW, PSHUFHW: the four words from first on. */
bool op_sse_pshuf(struct exec *x)
{
    unsigned imm = (unsigned)x->in->imm, first = x->k->op == OP_PSHUFHW ? 4 : 0;
    union sse_value from, to;

    if (!sse_usable(x) || !read_sse_operand(x, 1, &from))
        return false;
    to = from;
    for (unsigned i = 0; i < 4; i++, imm >>= 2) {
        if (x->k->op == OP_PSHUFD)
            to.doubles[i] = from.doubles[imm & 3];
        else
            to.words[first + i] = from.words[first + (imm & 3)];
    }
    return write_sse_operand(x, 0, &to);
}

/* The lower half of the result is from the destination, the upper one from the source. */
bool op_sse_shuf(struct exec *x)
{
    unsigned imm = (unsigned)x->in->imm;
    union sse_value from, old, to;

    if (!sse_usable(x) || !read_sse_operand(x, 1, &from) || !read_sse_operand(x, 0, &old))
        return false;
    if (x->k->op == OP_SHUFPD) {
        to.quads[0] = old.quads[imm & 1];
        to.quads[1] = from.quads[imm >> 1 & 1];
    } else {
        for (unsigned i = 0; i < 4; i++, imm >>= 2)
            to.doubles[i] = (i < 2 ? &old : &from)->doubles[imm & 3];
    }
    return write_sse_operand(x, 0, &to);
}

/* PSLLDQ, PSRLDQ: by bytes. */
bool op_sse_shift_bytes(struct exec *x)
{
    unsigned n = (unsigned)x->in->imm & 0xff;
    union sse_value *reg = xmm_register(x, modrm_rm(x->in));

    if (!xmm_usable(x))
        return false;
    if (n > 15)
        reg->all = 0;
    else if (x->k->op == OP_PSLLDQ)
        reg->all <<= 8 * n;
    else
        reg->all >>= 8 * n;
    return finish(x);
}

bool op_sse_pinsrw(struct exec *x)
{
    union sse_value word, to;

    if (!sse_usable(x) || !read_sse_operand(x, 1, &word) || !read_sse_operand(x, 0, &to))
        return false;
    to.words[x->in->imm & (is_mmx_operand(x, 0) ? 3 : 7)] = word.words[0];
    return write_sse_operand(x, 0, &to);
}

/* SSE4.1 has another one, to memory. */
bool op_sse_pextrw(struct exec *x)
{
    union sse_value from;

    if (x->in->opcode != 0x1c5)
        return raise_ud(x->c);
    if (!sse_usable(x) || !read_sse_operand(x, 1, &from))
        return false;
    from.quads[0] = from.words[x->in->imm & (is_mmx_operand(x, 1) ? 3 : 7)];
    return write_sse_operand(x, 0, &from);
}

/* MASKMOVQ, MASKMOVDQU: bytes of the first operand whose bit 7 in the second is set, to DS:RDI.
 * Only pages that get a byte have to be writable, and all of them before the first byte is
 * written. */
static bool write_masked(struct exec *x, uint64_t linear, const union sse_value *value,
                         const union sse_value *mask, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        if ((mask->bytes[i] & 0x80) && !check_write(x, linear + i, 1))
            return false;
    for (unsigned i = 0; i < bytes; i++)
        if ((mask->bytes[i] & 0x80) &&
            !write_linear(x->c, linear + i, &value->bytes[i], 1, ACCESS_WRITE))
            return false;
    return true;
}

bool op_sse_maskmov(struct exec *x)
{
    uint64_t rdi = x->c->regs[RDI] & size_mask(x->in->ad_bytes);
    union sse_value value, mask;

    if (!sse_usable(x) || !read_sse_operand(x, 0, &value) || !read_sse_operand(x, 1, &mask))
        return false;
    return write_masked(x, segment_base(x->c, x->in) + rdi, &value, &mask,
                        is_mmx_operand(x, 0) ? 8 : 16) &&
           finish_sse(x);
}
