/* Owns the instruction decoder: the few privileged instructions that emulate.c carries out, and the stores
 * that writable page tables accept. It reads bytes and registers, and writes nothing. 64-bit mode only;
 * encodings as in the SDM, vol. 2, chapter 2. */
#include "arch/arch.h"
#include "xen/emulate.h"

/* What follows an opcode byte. 0: an opcode that nobody here needs. */
#define KNOWN 1u
#define MODRM 2u        /* ModRM, SIB, displacement */
#define REGS 4u         /* ModRM that always names registers (MOV CRn, DRn) */
#define IMM8 8u
#define IMMZ 16u        /* 2 bytes with the 66 prefix, else 4 */
#define PREFIX 32u
#define REX 64u

static const uint8_t one_byte[256] = {
    [0x26] = PREFIX, [0x2e] = PREFIX, [0x36] = PREFIX, [0x3e] = PREFIX, [0x64] = PREFIX, [0x65] = PREFIX,
    [0x66] = PREFIX, [0x67] = PREFIX, [0xf0] = PREFIX, [0xf2] = PREFIX, [0xf3] = PREFIX,
    [0x40 ... 0x4f] = REX,
    [0x00 ... 0x01] = MODRM, [0x08 ... 0x09] = MODRM, [0x20 ... 0x21] = MODRM,      /* add, or, and */
    [0x28 ... 0x29] = MODRM, [0x30 ... 0x31] = MODRM,                               /* sub, xor */
    [0x80] = MODRM | IMM8, [0x81] = MODRM | IMMZ, [0x83] = MODRM | IMM8,            /* the same, immediate */
    [0x86 ... 0x89] = MODRM,                                                        /* xchg, mov */
    [0xc6] = MODRM | IMM8, [0xc7] = MODRM | IMMZ,                                   /* mov, immediate */
    [0x6c ... 0x6f] = KNOWN,                                                        /* ins, outs */
    [0xe4 ... 0xe7] = IMM8, [0xec ... 0xef] = KNOWN,                                /* in, out */
    [0xfa ... 0xfb] = KNOWN,                                                        /* cli, sti */
};

static const uint8_t two_byte[256] = {
    [0x01] = MODRM,                                                                 /* xsetbv, rdtscp */
    [0x06] = KNOWN, [0x09] = KNOWN,                                                 /* clts, wbinvd */
    [0x20 ... 0x23] = REGS,                                                         /* mov CRn, DRn */
    [0x30 ... 0x32] = KNOWN,                                                        /* wrmsr, rdtsc, rdmsr */
    [0xab] = MODRM, [0xb3] = MODRM, [0xbb] = MODRM, [0xba] = MODRM | IMM8,          /* bts, btr, btc */
    [0xb0 ... 0xb1] = MODRM, [0xc0 ... 0xc1] = MODRM,                               /* cmpxchg, xadd */
};

uint64_t *reg_by_number(struct cpu_user_regs *regs, unsigned nr)
{
#define REG(name) offsetof(struct cpu_user_regs, name)
    static const uint8_t offsets[16] = {
        REG(rax), REG(rcx), REG(rdx), REG(rbx), REG(rsp), REG(rbp), REG(rsi), REG(rdi),
        REG(r8), REG(r9), REG(r10), REG(r11), REG(r12), REG(r13), REG(r14), REG(r15),
    };
    return (uint64_t *)((char *)regs + offsets[nr & 15]);
}

static uint64_t reg_value(const struct cpu_user_regs *regs, unsigned nr)
{
    return *reg_by_number((struct cpu_user_regs *)(uintptr_t)regs, nr);
}

/* The next n bytes, sign-extended; false when the instruction is longer than what was fetched. */
static bool take(const uint8_t *bytes, unsigned len, unsigned *pos, unsigned n, uint64_t *value)
{
    uint64_t x = 0;

    if (len - *pos < n)
        return false;
    for (unsigned i = 0; i < n; i++)
        x |= (uint64_t)bytes[(*pos)++] << (8 * i);
    *value = (uint64_t)((int64_t)(x << (64 - 8 * n)) >> (64 - 8 * n));
    return true;
}

static void take_prefix(struct insn *in, uint8_t b)
{
    in->rex = 0;                /* a REX counts only right before the opcode */
    if (b == 0x66)
        in->opsize = true;
    else if (b == 0x67)
        in->adsize = true;
    else if (b == 0xf0)
        in->lock = true;
    else if (b >= 0xf2)
        in->rep = b;
    else if (b >= 0x64)
        in->segment = b;
}

/* The ModRM's memory operand, without its segment: SDM vol. 2, tables 2-2 and 2-3. RIP-relative addresses
 * still lack the instruction's length. */
static bool take_address(const uint8_t *bytes, unsigned len, unsigned *pos, const struct cpu_user_regs *regs,
                         struct insn *in, bool *rip_relative)
{
    unsigned mod = in->modrm >> 6, base = in->modrm & 7, disp_bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;
    uint64_t disp = 0;

    in->address = 0;
    if (base == 4) {
        uint64_t sib;
        unsigned index;

        if (!take(bytes, len, pos, 1, &sib))
            return false;
        base = sib & 7;
        index = (sib >> 3 & 7) | (in->rex << 2 & 8u);
        if (index != 4)
            in->address = reg_value(regs, index) << (sib >> 6 & 3);
        if (base == 5 && mod == 0)
            disp_bytes = 4;
        else
            in->address += reg_value(regs, base | (in->rex << 3 & 8u));
    } else if (base == 5 && mod == 0) {
        disp_bytes = 4;
        *rip_relative = true;
        in->address = regs->rip;
    } else {
        in->address = reg_value(regs, base | (in->rex << 3 & 8u));
    }
    if (disp_bytes && !take(bytes, len, pos, disp_bytes, &disp))
        return false;
    in->address += disp;
    return true;
}

static uint64_t segment_base(uint8_t segment)
{
    if (segment == 0)
        return 0;
    return arch_get_base(segment == 0x64 ? BASE_FS : current->kernel_mode ? BASE_GS_KERNEL : BASE_GS_USER);
}

uint64_t insn_linear(const struct insn *in, uint64_t offset)
{
    return (in->adsize ? (uint32_t)offset : offset) + segment_base(in->segment);
}

static bool take_operands(const uint8_t *bytes, unsigned len, unsigned pos, unsigned attr,
                          const struct cpu_user_regs *regs, struct insn *in)
{
    bool rip_relative = false;

    if (attr & (MODRM | REGS)) {
        if (pos >= len)
            return false;
        in->modrm = bytes[pos++];
        in->memory = (attr & MODRM) && in->modrm < 0xc0;
        if (in->memory && !take_address(bytes, len, &pos, regs, in, &rip_relative))
            return false;
    }
    if ((attr & IMM8) && !take(bytes, len, &pos, 1, &in->imm))
        return false;
    if ((attr & IMMZ) && !take(bytes, len, &pos, in->opsize && !(in->rex & 8) ? 2 : 4, &in->imm))
        return false;
    in->length = (uint8_t)pos;
    if (in->memory)
        in->address = insn_linear(in, in->address + (rip_relative ? pos : 0));
    return true;
}

bool decode_insn(const uint8_t *bytes, unsigned len, const struct cpu_user_regs *regs, struct insn *in)
{
    unsigned pos = 0, attr;

    *in = (struct insn){ 0 };
    len = MIN(len, MAX_INSN);
    for (;; pos++) {
        if (unlikely(pos >= len))
            return false;
        attr = one_byte[bytes[pos]];
        if (likely(!(attr & (PREFIX | REX))))
            break;
        if (attr & REX)
            in->rex = bytes[pos];
        else
            take_prefix(in, bytes[pos]);
    }
    in->opcode = bytes[pos++];
    if (in->opcode == 0x0f) {
        if (pos >= len)
            return false;
        attr = two_byte[bytes[pos]];
        in->opcode = 0x100u | bytes[pos++];
    }
    in->length = (uint8_t)pos;
    return likely(attr == KNOWN) || (attr != 0 && take_operands(bytes, len, pos, attr, regs, in));
}

/* The stores: an opcode (and the ModRM's reg field, where that tells instructions apart) and what it does.
 * Bit 0 of the opcode is the operand size, clear for bytes, except in the rows that say otherwise. */
static const struct store_form {
    uint16_t opcode, mask;
    int8_t reg_field;           /* -1: the ModRM names a source register; else a source immediate */
    bool no_byte_form;
    enum store_op op;
} store_forms[] = {
    { 0x086, 0xfffe, -1, false, ST_XCHG },
    { 0x080, 0xfffc, 4, false, ST_AND },
    { 0x088, 0xfffe, -1, false, ST_MOV },
    { 0x0c6, 0xfffe, 0, false, ST_MOV },
    { 0x1b0, 0xfffe, -1, false, ST_CMPXCHG },
    { 0x1c0, 0xfffe, -1, false, ST_XADD },
    { 0x000, 0xfffe, -1, false, ST_ADD },
    { 0x008, 0xfffe, -1, false, ST_OR },
    { 0x020, 0xfffe, -1, false, ST_AND },
    { 0x028, 0xfffe, -1, false, ST_SUB },
    { 0x030, 0xfffe, -1, false, ST_XOR },
    { 0x080, 0xfffc, 0, false, ST_ADD },
    { 0x080, 0xfffc, 1, false, ST_OR },
    { 0x080, 0xfffc, 5, false, ST_SUB },
    { 0x080, 0xfffc, 6, false, ST_XOR },
    { 0x1ab, 0xffff, -1, true, ST_BTS },
    { 0x1b3, 0xffff, -1, true, ST_BTR },
    { 0x1bb, 0xffff, -1, true, ST_BTC },
    { 0x1ba, 0xffff, 5, true, ST_BTS },
    { 0x1ba, 0xffff, 6, true, ST_BTR },
    { 0x1ba, 0xffff, 7, true, ST_BTC },
};

static const struct store_form *find_store(const struct insn *in)
{
    for (const struct store_form *s = store_forms; s < store_forms + ARRAY_SIZE(store_forms); s++)
        if ((in->opcode & s->mask) == s->opcode && (s->reg_field < 0 || s->reg_field == (in->modrm >> 3 & 7)))
            return s;
    return NULL;
}

bool decode_store(const uint8_t *insn, unsigned len, const struct cpu_user_regs *regs, struct store_insn *out,
                  uint64_t *address)
{
    const struct store_form *s;
    struct insn in;

    if (!decode_insn(insn, len, regs, &in) || !in.memory || (s = find_store(&in)) == NULL)
        return false;
    *address = in.address;
    out->op = s->op;
    out->length = in.length;
    out->bytes = !s->no_byte_form && !(in.opcode & 1) ? 1 : in.rex & 8 ? 8 : in.opsize ? 2 : 4;
    out->imm = in.imm;
    out->reg = s->reg_field < 0 ? (int)modrm_reg(&in) : -1;
    out->high_byte = out->bytes == 1 && in.rex == 0 && out->reg >= 4;
    if (out->high_byte)
        out->reg -= 4;
    if (s->no_byte_form && out->reg >= 0) {     /* the register counts bits from the operand, both ways */
        int64_t bit = (int64_t)reg_value(regs, (unsigned)out->reg);

        bit = out->bytes == 8 ? bit : out->bytes == 4 ? (int32_t)bit : (int16_t)bit;
        *address += (uint64_t)(bit >> (out->bytes == 8 ? 6 : out->bytes == 4 ? 5 : 4)) * out->bytes;
    }
    return true;
}
