/* Owns a small disassembler: the instructions that a PV guest's kernel has emulated for it, in AT&T's
 * syntax, 64-bit mode. Anything else is shown as its bytes. Encodings: SDM vol. 2, chapter 2 and appendix
 * A. */
#include <string.h>

#include "tools/pvtrace/decode.h"

/* --- Ports ------------------------------------------------------------------------------------------ */
/* e4..e7 with a port number, ec..ef with %dx; bit 1: out, bit 0: not a byte. */
static bool print_in_out(struct text *t, struct insn *in, uint8_t opcode)
{
    const char *reg = !(opcode & 1) ? "%al" : in->opsize ? "%ax" : "%eax";
    char port[8] = "(%dx)";
    uint8_t imm;

    if (!(opcode & 8)) {
        if (!take_byte(in, &imm))
            return false;
        snprintf(port, sizeof(port), "$0x%x", imm);
    }
    if (opcode & 2)
        text_add(t, "out %s,%s", reg, port);
    else
        text_add(t, "in %s,%s", port, reg);
    return true;
}

/* 6c..6f */
static bool print_string_io(struct text *t, struct insn *in, uint8_t opcode)
{
    const char *size = !(opcode & 1) ? "b" : in->opsize ? "w" : "l", *e = in->adsize ? "e" : "r";

    if (in->rep)
        text_str(t, "rep ");
    if (!(opcode & 2)) {
        text_add(t, "ins%s (%%dx),%%es:(%%%sdi)", size, e);
    } else {
        text_add(t, "outs%s ", size);
        print_segment(t, in);
        text_add(t, "(%%%ssi),(%%dx)", e);
    }
    return true;
}

/* --- Control registers, system instructions --------------------------------------------------------- */
/* 0f 20..23: bit 1: to the control or debug register, bit 0: debug. The ModRM always names registers. */
static bool print_mov_control(struct text *t, struct insn *in, uint8_t opcode)
{
    uint8_t modrm;
    unsigned nr;

    if (!take_byte(in, &modrm))
        return false;
    nr = (modrm >> 3 & 7) | (in->rex & REX_R ? 8 : 0);
    text_str(t, "mov ");
    if (opcode & 2) {
        print_register(t, (modrm & 7) | (in->rex & REX_B ? 8 : 0));
        text_put(t, ",", 1);
    }
    text_str(t, opcode & 1 ? "%db" : "%cr");
    text_dec(t, nr);
    if (!(opcode & 2)) {
        text_put(t, ",", 1);
        print_register(t, (modrm & 7) | (in->rex & REX_B ? 8 : 0));
    }
    return true;
}

/* An instruction that is a group: by ModRM.reg, with one operand. */
static bool print_group(struct text *t, struct insn *in, uint8_t modrm, const char *const *names)
{
    const char *name = names[modrm >> 3 & 7];
    unsigned rm = (modrm & 7) | (in->rex & REX_B ? 8 : 0);

    if (name == NULL)
        return false;
    text_str(t, name);
    text_put(t, " ", 1);
    if (modrm >> 6 != 3)
        return print_memory(t, in, modrm);
    print_register16(t, rm);
    return true;
}

/* 0f 01: some whole ModRM bytes are instructions of their own. */
static bool print_group7(struct text *t, struct insn *in)
{
    static const char *const memory[8] = { "sgdt", "sidt", "lgdt", "lidt", "smsw", NULL, "lmsw", "invlpg" };
    static const char *const reg[8] = { [4] = "smsw", [6] = "lmsw" };
    static const struct {
        uint8_t modrm;
        char name[10];
    } alone[] = {
        { 0xc8, "monitor" }, { 0xc9, "mwait" }, { 0xca, "clac" }, { 0xcb, "stac" }, { 0xd0, "xgetbv" },
        { 0xd1, "xsetbv" }, { 0xf8, "swapgs" }, { 0xf9, "rdtscp" },
    };
    uint8_t modrm;

    if (!take_byte(in, &modrm))
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(alone); i++) {
        if (alone[i].modrm == modrm) {
            text_str(t, alone[i].name);
            return true;
        }
    }
    return print_group(t, in, modrm, modrm >> 6 == 3 ? reg : memory);
}

static bool print_group6(struct text *t, struct insn *in)
{
    static const char *const names[8] = { "sldt", "str", "lldt", "ltr", "verr", "verw" };
    uint8_t modrm;

    return take_byte(in, &modrm) && print_group(t, in, modrm, names);
}

static bool print_two_byte(struct text *t, struct insn *in)
{
    static const struct {
        uint8_t opcode;
        char name[10];
    } plain[] = {
        { 0x05, "syscall" }, { 0x06, "clts" }, { 0x07, "sysret" }, { 0x08, "invd" }, { 0x09, "wbinvd" },
        { 0x0b, "ud2" }, { 0x30, "wrmsr" }, { 0x31, "rdtsc" }, { 0x32, "rdmsr" }, { 0x33, "rdpmc" },
        { 0x34, "sysenter" }, { 0x35, "sysexit" }, { 0xa2, "cpuid" },
    };
    uint8_t opcode;

    if (!take_byte(in, &opcode))
        return false;
    if (opcode >= 0x20 && opcode <= 0x23)
        return print_mov_control(t, in, opcode);
    if (opcode == 0x00)
        return print_group6(t, in);
    if (opcode == 0x01)
        return print_group7(t, in);
    if (opcode == 0x09 && in->rep == 0xf3) {
        text_str(t, "wbnoinvd");
        return true;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(plain); i++) {
        if (plain[i].opcode == opcode) {
            text_str(t, plain[i].name);
            return true;
        }
    }
    return false;
}

static bool print_instruction(struct text *t, struct insn *in)
{
    uint8_t opcode;

    if (!take_prefixes(in, &opcode))
        return false;
    if (in->lock)
        text_str(t, "lock ");
    if (opcode == 0x0f)
        return print_two_byte(t, in);
    if (opcode >= 0x6c && opcode <= 0x6f)
        return print_string_io(t, in, opcode);
    if ((opcode >= 0xe4 && opcode <= 0xe7) || (opcode >= 0xec && opcode <= 0xef))
        return print_in_out(t, in, opcode);
    switch (opcode) {
    case 0x9c:
        text_str(t, in->opsize ? "pushfw" : "pushf");
        return true;
    case 0x9d:
        text_str(t, in->opsize ? "popfw" : "popf");
        return true;
    case 0xcf:
        text_str(t, in->rex & REX_W ? "iretq" : in->opsize ? "iretw" : "iret");
        return true;
    case 0xf4:
        text_str(t, "hlt");
        return true;
    case 0xfa:
        text_str(t, "cli");
        return true;
    case 0xfb:
        text_str(t, "sti");
        return true;
    }
    return false;
}

void decode_instruction(struct text *t, const struct item *item)
{
    static const uint8_t forced[5] = { 0x0f, 0x0b, 'x', 'e', 'n' };
    const uint8_t *bytes = item->emulated.bytes;
    unsigned len = MIN(item->emulated.len, sizeof(item->emulated.bytes));
    struct insn in = { .bytes = bytes, .len = len };
    bool by_prefix = len >= sizeof(forced) && memcmp(bytes, forced, sizeof(forced)) == 0;
    size_t start = t->len;

    if (len == 0) {
        text_str(t, item->emulated.forced ? "cpuid (forced)" : "?");
        return;
    }
    if (by_prefix)
        in.pos = sizeof(forced);
    if (decode_options.raw || !print_instruction(t, &in)) {
        text_cut(t, start);
        text_str(t, "bytes");
        for (unsigned i = 0; i < len; i++) {
            text_char(t, ' ');
            text_byte(t, bytes[i]);
        }
    }
    if (by_prefix || item->emulated.forced)
        text_str(t, " (forced)");
}
