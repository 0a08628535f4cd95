/* What integer instructions leave undefined: see vmm_undefined.h. */
#include "common/x86/alu.h"
#include "tests/unit/vmm_undefined.h"

static unsigned shift_count(const struct test_case *t)
{
    uint64_t count = t->in.by_cl ? t->regs[RCX] : t->in.imm;

    return (unsigned)count & (t->in.op_bytes == 8 ? 63 : 31);
}

static uint64_t undefined_by_shift(const struct test_case *t)
{
    unsigned count = shift_count(t), op = t->k->op;
    uint64_t undefined = count == 0 || (op >= OP_ROL && op <= OP_RCR) ? 0 : FLAG_AF;

    if (count > 1)
        undefined |= FLAG_OF;
    if ((op == OP_SHL || op == OP_SHR) && count >= 8u * t->in.op_bytes)
        undefined |= FLAG_CF;
    return undefined;
}

/* The flags that the SDM calls undefined after this instruction. */
uint64_t undefined_flags(const struct test_case *t)
{
    switch (t->k->op) {
    case OP_AND: case OP_OR: case OP_XOR: case OP_TEST:
        return FLAG_AF;
    case OP_ROL: case OP_ROR: case OP_RCL: case OP_RCR: case OP_SHL: case OP_SHR: case OP_SAR:
    case OP_SHLD: case OP_SHRD:
        return undefined_by_shift(t);
    case OP_BT: case OP_BTS: case OP_BTR: case OP_BTC:
        return FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF;
    case OP_BSF: case OP_BSR:
        return FLAGS_ARITHMETIC & ~FLAG_ZF;
    case OP_MUL: case OP_IMUL:
        return FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF;
    case OP_DIV: case OP_IDIV:
        return FLAGS_ARITHMETIC;
    default:
        return 0;
    }
}

/* The result is undefined: BSF and BSR of 0; 16 bits shifted by more. */
bool is_undefined(const struct test_case *t, const struct native_run *host)
{
    unsigned op = t->k != NULL ? t->k->op : OP_OTHER;

    if (op == OP_BSF || op == OP_BSR)
        return host->regs[17] & FLAG_ZF;
    return (op == OP_SHLD || op == OP_SHRD) && t->in.op_bytes == 2 && shift_count(t) > 16;
}

static bool is_string(unsigned opcode)
{
    return (opcode & ~1u) == 0xa4 || (opcode & ~1u) == 0xa6 || (opcode >= 0xaa && opcode <= 0xaf);
}

/* With a count in ECX this CPU clears the upper halves of what the instruction would change, even
 * when the count is 0 or the first step has a fault. */
uint64_t undefined_bits(const struct test_case *t, unsigned reg, bool faulted)
{
    return (faulted || (uint32_t)t->regs[RCX] == 0) && is_string(t->in.opcode) && t->in.rep &&
           t->in.ad_bytes == 4 && (reg == RCX || reg == RSI || reg == RDI) ? ~0ull << 32 : 0;
}
