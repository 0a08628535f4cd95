/* Where memory operands lie, named or implied, from a decoded instruction and a register state. */
#include "common/x86/address.h"
#include "common/x86/canonical.h"

/* The register counts bits from the operand on, both ways. */
static uint64_t bit_offset(const struct insn *in, struct x86_regs regs)
{
    uint64_t value = reg_value(regs, in->source);
    int64_t bit = in->op_bytes == 8   ? (int64_t)value
                  : in->op_bytes == 4 ? (int32_t)value
                                      : (int16_t)value;

    return (uint64_t)(bit >> (in->op_bytes == 8 ? 6 : in->op_bytes == 4 ? 5 : 4)) * in->op_bytes;
}

uint64_t operand_offset(const struct insn *in, struct x86_regs regs)
{
    uint64_t offset = (uint64_t)in->disp;

    if (in->base == REG_RIP)
        offset += next_rip(in, reg_value(regs, REG_RIP));
    else if (in->base != NO_REG)
        offset += reg_value(regs, in->base);
    if (in->index != NO_REG)
        offset += reg_value(regs, in->index) << in->scale;
    if (unlikely(in->op >= OP_POP_MEMORY && in->op <= OP_BT)) {
        if (in->op == OP_POP_MEMORY && in->base == RSP)
            offset += in->op_bytes; /* the register after the pop */
        if (in->op != OP_POP_MEMORY && in->source != NO_REG)
            offset += bit_offset(in, regs);
    }
    return offset & size_mask(in->ad_bytes);
}

static bool range_is_canonical(uint64_t va, uint64_t bytes)
{
    return is_canonical(va) && is_canonical(va + bytes - 1);
}

/* At least the operand's size; SSE and the x87 have their own. */
static unsigned access_bytes(const struct insn *in)
{
    if (in->opcode >= 0x800)
        return 32;
    if (in->opcode >= 0xd8 && in->opcode <= 0xdf)
        return 8;
    if (in->op == OP_CALL_FAR)
        return in->op_bytes + 2u;
    return in->op == OP_OTHER && in->opcode >= 0x110 && (in->opcode < 0x190 || in->opcode >= 0x1c2)
               ? 16
               : in->op_bytes;
}

/* What PUSH and the like access without naming it: where, and how many bytes; none: 0. */
static unsigned implied_access(const struct insn *in, struct x86_regs regs, uint64_t *va)
{
    unsigned n = in->op_bytes;

    *va = reg_value(regs, RSP);
    switch (in->op) {
    case OP_POP:
    case OP_POP_MEMORY:
    case OP_RET:
        return n;
    case OP_RET_FAR:
        return 2 * n;
    case OP_IRET:
        return 5 * n;
    case OP_LEAVE:
        *va = reg_value(regs, RBP);
        return n;
    case OP_CALL_FAR:
        *va -= 2 * n;
        return 2 * n;
    case OP_PUSH:
    case OP_CALL:
    case OP_ENTER:
        *va -= n;
        return n;
    }
    return 0;
}

/* LEA and hints do not access their operand. LGDT, LIDT, LMSW, INVLPG, LLDT, LTR, XRSTORS and
 * XSAVES raise #GP in ring 3 before they access it. Gathers have a vector for an index. */
static bool accesses_operand(const struct insn *in)
{
    unsigned reg = in->modrm >> 3 & 7;

    switch (in->opcode) {
    case 0x8d:
    case 0x10d:
    case 0x118 ... 0x11f:
    case 0xa90 ... 0xa93:
        return false;
    case 0x100:
        return reg != 2 && reg != 3;
    case 0x101:
        return reg != 2 && reg != 3 && reg < 6;
    case 0x1c7:
        return reg != 3 && reg != 5;
    }
    return in->memory;
}

bool stack_access_not_canonical(const struct insn *in, struct x86_regs regs)
{
    uint64_t va;
    unsigned n = implied_access(in, regs, &va);
    bool implied = n != 0 && !range_is_canonical(va, n);

    if (in->mode != MODE_64)
        return false;
    /* The one that is accessed first has the fault: what is pushed or called is read before, what
     * is popped written after. */
    if (in->op != OP_POP_MEMORY && accesses_operand(in) &&
        !range_is_canonical(operand_offset(in, regs), access_bytes(in)))
        return operand_segment(in) == SEG_SS;
    return implied || (in->op == OP_POP_MEMORY && operand_segment(in) == SEG_SS &&
                       !range_is_canonical(operand_offset(in, regs), in->op_bytes));
}
