/* Moves without arithmetic: MOV and its extending forms, LEA, CMOVcc, SETcc, BSWAP, the sign
 * extensions of the accumulator, XLAT, single flags, and what does nothing. Moves to segment
 * registers, and to and from control and debug registers, are the system part's (system.h); the
 * stack is stack.c. */
#include "common/x86/address.h"
#include "common/x86/alu.h"
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/operand.h"
#include "guest-pv/vmm/core/system.h"

static bool is_system(const struct operand *o)
{
    return o->type == OPERAND_CONTROL || o->type == OPERAND_DEBUG;
}

/* MOV, MOVNTI */
bool op_mov(struct exec *x)
{
    struct operand to, from;
    uint64_t value;

    find_operand(x, 0, &to);
    find_operand(x, 1, &from);
    if (to.type == OPERAND_SEGMENT || is_system(&to) || is_system(&from))
        return op_mov_system(x);
    return load(x, &from, &value) && store(x, &to, value) && finish(x);
}

/* MOVZX, MOVSX, MOVSXD */
bool op_extend(struct exec *x)
{
    struct operand from;
    uint64_t value;

    find_operand(x, 1, &from);
    if (!load(x, &from, &value))
        return false;
    value = x->k->op == OP_MOVZX ? value & size_mask(from.bytes) : sign_extend(value, from.bytes);
    return write_operand(x, 0, value) && finish(x);
}

bool op_lea(struct exec *x)
{
    return write_operand(x, 0, operand_offset(x->in, cpu_regs(x->c))) && finish(x);
}

/* Reads its source, and of 4 bytes clears the upper half of the destination, in any case. */
bool op_cmovcc(struct exec *x)
{
    struct operand to;
    uint64_t value;

    find_operand(x, 0, &to);
    if (!read_operand(x, 1, &value))
        return false;
    if (!condition_holds(x->in->opcode & 15u, x->c->regs[REG_RFLAGS]))
        value = x->c->regs[to.reg];
    return store(x, &to, value) && finish(x);
}

bool op_setcc(struct exec *x)
{
    bool holds = condition_holds(x->in->opcode & 15u, x->c->regs[REG_RFLAGS]);

    return write_operand(x, 0, holds) && finish(x);
}

/* Of 2 bytes the result is undefined: the CPUs make it 0. */
bool op_bswap(struct exec *x)
{
    struct operand o;
    uint64_t value;

    find_operand(x, 0, &o);
    value = x->c->regs[o.reg];
    value = o.bytes == 8   ? __builtin_bswap64(value)
            : o.bytes == 4 ? __builtin_bswap32((uint32_t)value)
                           : 0;
    return store(x, &o, value) && finish(x);
}

/* CBW, CWDE, CDQE: by operand size */
bool op_cbw(struct exec *x)
{
    unsigned bytes = x->in->op_bytes;
    uint64_t *rax = &x->c->regs[RAX];

    write_reg(rax, bytes, sign_extend(*rax, bytes / 2));
    return finish(x);
}

/* CWD, CDQ, CQO */
bool op_cwd(struct exec *x)
{
    unsigned bytes = x->in->op_bytes;
    uint64_t *regs = x->c->regs;

    write_reg(&regs[RDX], bytes, (uint64_t)((int64_t)sign_extend(regs[RAX], bytes) >> 63));
    return finish(x);
}

bool op_xlat(struct exec *x)
{
    const struct insn *in = x->in;
    uint64_t *regs = x->c->regs, value;
    uint64_t offset = (regs[RBX] + (regs[RAX] & 0xff)) & size_mask(in->ad_bytes);

    if (!read_number(x->c, segment_base(x->c, in) + offset, 1, &value))
        return operand_fault(x);
    write_reg(&regs[RAX], 1, value);
    return finish(x);
}

#define FLAGS_OF_AH (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF)

bool op_lahf(struct exec *x)
{
    uint64_t *regs = x->c->regs;

    regs[RAX] = (regs[RAX] & ~0xff00ull) | (regs[REG_RFLAGS] & FLAGS_OF_AH) << 8 | FLAG_MBS << 8;
    return finish(x);
}

bool op_sahf(struct exec *x)
{
    uint64_t *regs = x->c->regs;

    regs[REG_RFLAGS] =
        (regs[REG_RFLAGS] & ~(uint64_t)FLAGS_OF_AH) | (regs[RAX] >> 8 & FLAGS_OF_AH);
    return finish(x);
}

/* CLC, STC, CMC, CLD, STD */
bool op_flag(struct exec *x)
{
    uint64_t *flags = &x->c->regs[REG_RFLAGS];
    uint64_t flag = x->k->op == OP_CLD || x->k->op == OP_STD ? FLAG_DF : FLAG_CF;

    if (x->k->op == OP_CMC)
        *flags ^= flag;
    else if (x->k->op == OP_STC || x->k->op == OP_STD)
        *flags |= flag;
    else
        *flags &= ~flag;
    return finish(x);
}

/* Hints, and what other CPUs than ours give a meaning: memory operands are not accessed. */
bool op_nop(struct exec *x)
{
    return finish(x);
}
