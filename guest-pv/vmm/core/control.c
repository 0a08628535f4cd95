/* Near jumps, calls and returns (SDM vol. 2). In 64-bit code targets have 64 bits with any prefix.
 * One that is not canonical is #GP(0) at the branch, before anything has changed. Far transfers are
 * transfer.c's. */
#include "common/x86/alu.h"
#include "common/x86/canonical.h"
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/operand.h"

static bool jump(struct exec *x, uint64_t target)
{
    if (!is_canonical(target))
        return raise_gp(x->c, 0);
    x->c->regs[REG_RIP] = target;
    return true;
}

/* Operand 0: relative to the next instruction, or a register or memory that has the address */
static bool find_target(struct exec *x, uint64_t *target)
{
    struct operand o;

    find_operand(x, 0, &o);
    if (!load(x, &o, target))
        return false;
    if (o.type == OPERAND_RELATIVE)
        *target += x->next_rip;
    return true;
}

bool op_jmp(struct exec *x)
{
    uint64_t target;

    return find_target(x, &target) && jump(x, target);
}

bool op_jcc(struct exec *x)
{
    if (condition_holds(x->in->opcode & 15u, x->c->regs[REG_RFLAGS]))
        return op_jmp(x);
    return finish(x);
}

/* Of a stack that cannot be written and a target that is not canonical the stack counts. */
bool op_call(struct exec *x)
{
    uint64_t target;

    if (!find_target(x, &target) || !check_stack_write(x, x->c->regs[RSP] - 8, 8))
        return false;
    if (!is_canonical(target))
        return raise_gp(x->c, 0);
    return push(x, 8, x->next_rip) && jump(x, target);
}

/* With a number: so many bytes more are dropped. */
bool op_ret(struct exec *x)
{
    uint64_t target;

    if (!read_stack(x, 0, 8, &target) || !jump(x, target))
        return false;
    x->c->regs[RSP] += 8 + (x->k->forms[0] == FORM__ ? 0 : x->in->imm & 0xffff);
    return true;
}

/* The count is RCX or, with the address-size prefix, ECX. */
bool op_loop(struct exec *x)
{
    unsigned bytes = x->in->ad_bytes;
    uint64_t *regs = x->c->regs, count = (regs[RCX] - 1) & size_mask(bytes);
    bool zf = regs[REG_RFLAGS] & FLAG_ZF;
    bool taken = count != 0 && (x->k->op == OP_LOOP || zf == (x->k->op == OP_LOOPE));

    if (!(taken ? op_jmp(x) : finish(x)))
        return false;
    write_reg(&regs[RCX], bytes, count);
    return true;
}

bool op_jcxz(struct exec *x)
{
    if ((x->c->regs[RCX] & size_mask(x->in->ad_bytes)) == 0)
        return op_jmp(x);
    return finish(x);
}
