/* Owns the parts of an x86-64 instruction: prefixes, registers, addresses. Encodings: SDM vol. 2, chapter
 * 2. */
#include "tools/pvtrace/decode.h"

static const char *const registers[16] = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
};

/* The next n bytes as a signed number. */
static bool take(struct insn *in, unsigned n, int64_t *value)
{
    uint64_t x = 0;

    if (in->len - in->pos < n)
        return false;
    for (unsigned i = 0; i < n; i++)
        x |= (uint64_t)in->bytes[in->pos++] << 8 * i;
    *value = (int64_t)(x << (64 - 8 * n)) >> (64 - 8 * n);
    return true;
}

bool take_byte(struct insn *in, uint8_t *byte)
{
    if (in->pos == in->len)
        return false;
    *byte = in->bytes[in->pos++];
    return true;
}

/* A REX counts only right before the opcode. */
bool take_prefixes(struct insn *in, uint8_t *opcode)
{
    while (take_byte(in, opcode)) {
        uint8_t b = *opcode;

        if (b >= 0x40 && b <= 0x4f) {
            in->rex = b;
            continue;
        }
        if (b == 0x66)
            in->opsize = true;
        else if (b == 0x67)
            in->adsize = true;
        else if (b == 0xf0)
            in->lock = true;
        else if (b == 0xf2 || b == 0xf3)
            in->rep = b;
        else if (b == 0x26 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0x64 || b == 0x65)
            in->segment = b;
        else
            return true;
        in->rex = 0;
    }
    return false;
}

void print_segment(struct text *t, const struct insn *in)
{
    if (in->segment == 0x64)
        text_str(t, "%fs:");
    else if (in->segment == 0x65)
        text_str(t, "%gs:");
}

void print_register(struct text *t, unsigned nr)
{
    text_add(t, "%%%s", registers[nr & 15]);
}

void print_register16(struct text *t, unsigned nr)
{
    text_put(t, "%", 1);
    text_str(t, nr < 8 ? registers[nr] + 1 : registers[nr & 15]);
    if (nr >= 8)
        text_put(t, "w", 1);
}

/* disp(base,index,scale): SDM vol. 2, tables 2-2 and 2-3. */
bool print_memory(struct text *t, struct insn *in, uint8_t modrm)
{
    unsigned mod = modrm >> 6, base = modrm & 7, index = 4, scale = 0;
    unsigned disp_bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;
    bool rip = false, no_base = false;
    int64_t disp = 0;
    uint8_t sib;

    if (in->adsize)
        return false;                   /* nobody does */
    if (base == 4) {
        if (!take_byte(in, &sib))
            return false;
        base = sib & 7;
        index = (sib >> 3 & 7) | (in->rex & REX_X ? 8 : 0);
        scale = 1u << (sib >> 6);
        no_base = base == 5 && mod == 0;
    } else {
        rip = base == 5 && mod == 0;
    }
    if ((rip || no_base) && mod == 0)
        disp_bytes = 4;
    if (disp_bytes != 0 && !take(in, disp_bytes, &disp))
        return false;
    print_segment(t, in);
    if (disp < 0)
        text_put(t, "-", 1);
    if (disp != 0 || no_base)
        text_hex(t, disp < 0 ? -(uint64_t)disp : (uint64_t)disp);
    if (no_base && index == 4)
        return true;
    text_put(t, "(", 1);
    if (rip)
        text_str(t, "%rip");
    else if (!no_base)
        print_register(t, base | (in->rex & REX_B ? 8 : 0));
    if (index != 4) {
        text_put(t, ",", 1);
        print_register(t, index);
        text_add(t, ",%u", scale);
    }
    text_put(t, ")", 1);
    return true;
}
