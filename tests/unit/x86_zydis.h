/* One instruction as Zydis and common/x86 see it, and whether its operands are the same. For
 * test_x86_zydis.c. */
#ifndef TEST_X86_ZYDIS_H
#define TEST_X86_ZYDIS_H

#include <Zydis/Zydis.h>
#include "common/x86/operands.h"
#include "common/x86/address.h"
#include "x86_state.h"

struct both {
    uint8_t bytes[16];
    unsigned len, mode;
    bool zydis_ok, ok;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand zo[ZYDIS_MAX_OPERAND_COUNT];
    struct insn in;
    const struct insn_case *c;
    struct operand o[3];
    unsigned nr;
};

static ZydisRegister zydis_register(const struct operand *o)
{
    static const ZydisRegister high[] = { ZYDIS_REGISTER_AH, ZYDIS_REGISTER_CH, ZYDIS_REGISTER_DH,
                                          ZYDIS_REGISTER_BH };
    static const ZydisRegisterClass by_bytes[] = {
        [1] = ZYDIS_REGCLASS_GPR8,
        [2] = ZYDIS_REGCLASS_GPR16,
        [4] = ZYDIS_REGCLASS_GPR32,
        [8] = ZYDIS_REGCLASS_GPR64,
    };
    static const ZydisRegisterClass by_type[] = {
        [OPERAND_SEGMENT] = ZYDIS_REGCLASS_SEGMENT, [OPERAND_CONTROL] = ZYDIS_REGCLASS_CONTROL,
        [OPERAND_DEBUG] = ZYDIS_REGCLASS_DEBUG,     [OPERAND_MMX] = ZYDIS_REGCLASS_MMX,
        [OPERAND_XMM] = ZYDIS_REGCLASS_XMM,         [OPERAND_X87] = ZYDIS_REGCLASS_X87,
    };

    if (o->type == OPERAND_HIGH_BYTE)
        return high[o->reg];
    if (o->type == OPERAND_GENERAL && o->bytes == 1) /* Zydis counts AH to BH among them */
        return ZydisRegisterEncode(ZYDIS_REGCLASS_GPR8, (ZyanU8)(o->reg < 4 ? o->reg : o->reg + 4));
    return ZydisRegisterEncode(o->type == OPERAND_GENERAL ? by_bytes[o->bytes] : by_type[o->type],
                               o->reg);
}

static ZydisRegister address_register(const struct insn *in, unsigned nr)
{
    ZydisRegisterClass class = in->ad_bytes == 2   ? ZYDIS_REGCLASS_GPR16
                               : in->ad_bytes == 4 ? ZYDIS_REGCLASS_GPR32
                                                   : ZYDIS_REGCLASS_GPR64;

    if (nr == NO_REG)
        return ZYDIS_REGISTER_NONE;
    if (nr == REG_RIP)
        return in->ad_bytes == 4 ? ZYDIS_REGISTER_EIP : ZYDIS_REGISTER_RIP;
    return ZydisRegisterEncode(class, (ZyanU8)nr);
}

static bool same_memory(const struct both *b, const ZydisDecodedOperand *z)
{
    const struct insn *in = &b->in;
    bool vsib = z->mem.type == ZYDIS_MEMOP_TYPE_VSIB;
    int64_t mask = in->ad_bytes == 8 ? -1 : (int64_t)size_mask(in->ad_bytes);

    if (!in->memory || z->mem.base != address_register(in, in->base) ||
        ((z->mem.disp.value ^ in->disp) & mask))
        return false;
    if (!vsib && z->mem.index != address_register(in, in->index))
        return false;
    if (!vsib && in->index != NO_REG && z->mem.scale != 1u << in->scale)
        return false;
    return z->mem.type == ZYDIS_MEMOP_TYPE_AGEN ||
           z->mem.segment ==
               ZydisRegisterEncode(ZYDIS_REGCLASS_SEGMENT, (ZyanU8)operand_segment(in));
}

/* The registers that both compute addresses from */
static struct x86_state our_regs;
static ZydisRegisterContext zydis_regs;

static void set_registers(void)
{
    for (unsigned reg = 0; reg < 16; reg++) {
        uint64_t value = 0x123456789abcdef1ull * (reg + 3);

        our_regs.words[reg] = value;
        zydis_regs.values[ZydisRegisterEncode(ZYDIS_REGCLASS_GPR64, (ZyanU8)reg)] = value;
        zydis_regs.values[ZydisRegisterEncode(ZYDIS_REGCLASS_GPR32, (ZyanU8)reg)] = (uint32_t)value;
        zydis_regs.values[ZydisRegisterEncode(ZYDIS_REGCLASS_GPR16, (ZyanU8)reg)] = (uint16_t)value;
    }
    our_regs.words[REG_RIP] = 0x7000;
}

/* With a register, bit instructions reach beyond what their operand names; POP moves RSP first. */
static bool is_as_named(const struct both *b)
{
    if (b->c->op == OP_BT || b->c->op == OP_BTS || b->c->op == OP_BTR || b->c->op == OP_BTC)
        return b->o[1].type == OPERAND_IMMEDIATE;
    return b->c->op != OP_POP_MEMORY || b->in.base != RSP;
}

static bool same_address(const struct both *b, const ZydisDecodedOperand *z)
{
    ZyanU64 address;

    if (z->mem.type != ZYDIS_MEMOP_TYPE_MEM || !is_as_named(b))
        return true;
    return ZYAN_SUCCESS(ZydisCalcAbsoluteAddressEx(&b->z, z, 0x7000, &zydis_regs, &address)) &&
           operand_offset(&b->in, regs_of(&our_regs)) == address;
}

static bool same_operand(const struct both *b, const struct operand *o,
                         const ZydisDecodedOperand *z)
{
    switch (o->type) {
    case OPERAND_NONE:
        return false;
    case OPERAND_MEMORY:
        return z->type == ZYDIS_OPERAND_TYPE_MEMORY && (o->bytes == 0 || z->size == 8 * o->bytes) &&
               same_memory(b, z) && same_address(b, z);
    case OPERAND_IMMEDIATE:
        return z->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && !z->imm.is_relative &&
               z->imm.value.u == o->value;
    case OPERAND_RELATIVE:
        return z->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && z->imm.is_relative &&
               z->imm.value.u == o->value;
    case OPERAND_FAR:
        return z->type == ZYDIS_OPERAND_TYPE_POINTER && z->ptr.offset == (uint32_t)o->value &&
               z->ptr.segment == o->value >> 32;
    default:
        return z->type == ZYDIS_OPERAND_TYPE_REGISTER && z->reg.value == zydis_register(o);
    }
}

static bool same_operands(const struct both *b)
{
    if (b->nr != b->z.operand_count_visible)
        return false;
    for (unsigned i = 0; i < b->nr; i++)
        if (!same_operand(b, &b->o[i], &b->zo[i]))
            return false;
    return true;
}

#endif
