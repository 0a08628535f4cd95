/* Operands of instructions, and the stack: see operand.h. What they mean is common/x86/operands.c,
 * which addresses may be accessed access.c. */
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/operand.h"

bool operand_fault(struct exec *x)
{
    if (x->c->fault.vector == VECTOR_GP && operand_segment(x->in) == SEG_SS)
        return raise_error(x->c, VECTOR_SS, 0);
    return false;
}

static bool stack_fault(struct exec *x)
{
    if (x->c->fault.vector == VECTOR_GP)
        return raise_error(x->c, VECTOR_SS, 0);
    return false;
}

bool read_memory(struct exec *x, unsigned offset, void *to, unsigned bytes)
{
    return read_linear(x->c, x->linear + offset, to, bytes, ACCESS_READ) || operand_fault(x);
}

bool write_memory(struct exec *x, unsigned offset, const void *from, unsigned bytes)
{
    return write_linear(x->c, x->linear + offset, from, bytes, ACCESS_WRITE) || operand_fault(x);
}

bool check_write(struct exec *x, uint64_t linear, unsigned bytes)
{
    unsigned here = GUEST_PAGE - (unsigned)(linear & (GUEST_PAGE - 1));

    if (bytes <= here)
        return map_linear(x->c, linear, bytes, ACCESS_WRITE) != NULL;
    return map_linear(x->c, linear, here, ACCESS_WRITE) != NULL &&
           map_linear(x->c, linear + here, bytes - here, ACCESS_WRITE) != NULL;
}

bool load(struct exec *x, const struct operand *o, uint64_t *value)
{
    const uint64_t *regs = x->c->regs;

    switch (o->type) {
    case OPERAND_GENERAL:
        *value = regs[o->reg];
        return true;
    case OPERAND_HIGH_BYTE:
        *value = regs[o->reg] >> 8;
        return true;
    case OPERAND_SEGMENT:
        *value = x->c->seg[o->reg].selector;
        return true;
    case OPERAND_MEMORY:
        return read_number(x->c, x->linear, o->bytes, value) || operand_fault(x);
    default:
        *value = o->value;
        return true;
    }
}

bool store(struct exec *x, const struct operand *o, uint64_t value)
{
    uint64_t *regs = x->c->regs;

    switch (o->type) {
    case OPERAND_GENERAL:
        write_reg(&regs[o->reg], o->bytes, value);
        return true;
    case OPERAND_HIGH_BYTE:
        regs[o->reg] = (regs[o->reg] & ~0xff00ull) | (value & 0xff) << 8;
        return true;
    case OPERAND_MEMORY:
        return write_number(x->c, x->linear, o->bytes, value) || operand_fault(x);
    default:
        return raise_ud(x->c); /* no row writes to anything else */
    }
}

bool load_to_change(struct exec *x, const struct operand *o, uint64_t *value)
{
    if (o->type == OPERAND_MEMORY && !check_write(x, x->linear, o->bytes))
        return operand_fault(x);
    return load(x, o, value);
}

bool read_operand(struct exec *x, unsigned nr, uint64_t *value)
{
    struct operand o;

    find_operand(x, nr, &o);
    return load(x, &o, value);
}

bool write_operand(struct exec *x, unsigned nr, uint64_t value)
{
    struct operand o;

    find_operand(x, nr, &o);
    return store(x, &o, value);
}

unsigned operand_size(const struct exec *x, unsigned nr)
{
    struct operand o;

    find_operand(x, nr, &o);
    return o.bytes;
}

bool read_stack(struct exec *x, uint64_t offset, unsigned bytes, uint64_t *value)
{
    return read_number(x->c, x->c->regs[RSP] + offset, bytes, value) || stack_fault(x);
}

bool read_stack_bytes(struct exec *x, void *to, unsigned bytes)
{
    return read_linear(x->c, x->c->regs[RSP], to, bytes, ACCESS_READ) || stack_fault(x);
}

bool check_stack_write(struct exec *x, uint64_t rsp, unsigned bytes)
{
    return check_write(x, rsp, bytes) || stack_fault(x);
}

bool push(struct exec *x, unsigned bytes, uint64_t value)
{
    uint64_t rsp = x->c->regs[RSP] - bytes;

    if (!write_number(x->c, rsp, bytes, value))
        return stack_fault(x);
    x->c->regs[RSP] = rsp;
    return true;
}

bool pop(struct exec *x, unsigned bytes, uint64_t *value)
{
    if (!read_stack(x, 0, bytes, value))
        return false;
    x->c->regs[RSP] += bytes;
    return true;
}
