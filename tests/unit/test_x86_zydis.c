/* The decoder and its maps against Zydis, another decoder: the length of every instruction, and
 * what it is, with all operands; of VEX instructions the length and the memory operand. Every
 * opcode with every ModRM under each of a choice of prefixes, in all modes, and random bytes. Where
 * both may differ is a list here, with the reasons. */
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "x86_zydis.h"

static ZydisDecoder decoders[3];
static const enum cpu_mode modes[3] = { MODE_16, MODE_32, MODE_64 };

static const char *const names[] = {
    "",
#define OP(name) #name,
#include "common/x86/ops.def"
#undef OP
};

/* --- Where they differ ------------------------------------------------------------------------ */

static const struct {
    ZydisDecoderMode mode;
    ZyanBool on;
} decoder_modes[] = {
    { ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE }, /* gone from CPUs: its opcodes are hint NOPs again */
};

/* Of these only the length is compared. */
static const struct {
    ZydisMnemonic mnemonic;
    const char *why;
} length_only[] = {
    { ZYDIS_MNEMONIC_NOP, "Zydis gives hint NOPs a second operand, which the SDM does not" },
    { ZYDIS_MNEMONIC_WBINVD, "Zydis 4.0 has no WBNOINVD" },
    { ZYDIS_MNEMONIC_FUCOMP, "Zydis names the ST0 that it implies, but not that of FUCOM" },
    { ZYDIS_MNEMONIC_INSERTQ, "its fourth operand is not in the maps" },
    { ZYDIS_MNEMONIC_MOVSXD, "with 66 Zydis reads 4 bytes, the SDM says 2" },
};

/* Extensions */
static const struct {
    ZydisISAExt ext;
    const char *why;
} extensions[] = {
    { ZYDIS_ISA_EXT_SVM, "Zydis names the registers that AMD's system instructions imply" },
    { ZYDIS_ISA_EXT_SNP, "likewise" },
    { ZYDIS_ISA_EXT_CLZERO, "likewise" },
    { ZYDIS_ISA_EXT_AMD_INVLPGB, "likewise" },
};

/* VIA's instructions, and VEX opcodes that only Knights Corner has */
static bool is_foreign(const struct both *b)
{
    return b->zydis_ok &&
           (b->z.meta.isa_ext == ZYDIS_ISA_EXT_PADLOCK || b->z.meta.isa_ext == ZYDIS_ISA_EXT_KNCV);
}

/* SDM vol. 2, table 2-5: in a SIB of mod 0, base 5 is none whatever REX.B says. Zydis 4.0 takes it
 * for R13D. */
static bool is_r13_to_zydis(const struct both *b)
{
    return b->in.mode == MODE_64 && b->in.ad_bytes == 4 && b->z.raw.modrm.mod == 0 &&
           b->z.raw.modrm.rm == 4 && b->z.raw.sib.base == 5 && (b->in.rex & 1);
}

static bool only_length(const struct both *b)
{
    for (unsigned i = 0; i < ARRAY_SIZE(length_only); i++)
        if (b->z.mnemonic == length_only[i].mnemonic)
            return true;
    for (unsigned i = 0; i < ARRAY_SIZE(extensions); i++)
        if (b->z.meta.isa_ext == extensions[i].ext)
            return true;
    return is_r13_to_zydis(b);
}

/* Zydis has a name for each size of these. */
static const char *base_name(ZydisMnemonic m)
{
    switch (m) {
    case ZYDIS_MNEMONIC_CWDE:
    case ZYDIS_MNEMONIC_CDQE:
        return "cbw";
    case ZYDIS_MNEMONIC_CDQ:
    case ZYDIS_MNEMONIC_CQO:
        return "cwd";
    case ZYDIS_MNEMONIC_JECXZ:
    case ZYDIS_MNEMONIC_JRCXZ:
        return "jcxz";
    default:
        return ZydisMnemonicGetString(m);
    }
}

/* Apart from that its names have sizes and conditions, and so end later. */
static bool same_name(const struct both *b)
{
    const char *name = names[b->c->op];
    size_t n = strcspn(name, "_");

    if (n > 2 && strncmp(name + n - 2, "CC", 2) == 0)
        n -= 2;
    return strncasecmp(name, base_name(b->z.mnemonic), n) == 0;
}

/* --- One instruction -------------------------------------------------------------------------- */

static bool same_vex(const struct both *b)
{
    if (!b->ok || b->in.length != b->z.length)
        return false;
    for (unsigned i = 0; i < b->z.operand_count_visible; i++)
        if (b->zo[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            return same_memory(b, &b->zo[i]);
    return true;
}

static const char *difference(const struct both *b)
{
    if (!b->zydis_ok)
        return b->ok && b->in.opcode < 0x800 && b->c ? "no instruction to Zydis" : NULL;
    if (is_foreign(b))
        return NULL;
    if (b->z.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX)
        return same_vex(b) ? NULL : "VEX";
    if (b->z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
        b->z.encoding != ZYDIS_INSTRUCTION_ENCODING_3DNOW)
        return b->c ? "EVEX or XOP, which are not decoded" : NULL;
    if (!b->ok)
        return "not decoded";
    if (b->in.length != b->z.length)
        return "length";
    if (b->z.encoding == ZYDIS_INSTRUCTION_ENCODING_3DNOW)
        return NULL;
    if (!b->c)
        return "not in the maps";
    if (only_length(b))
        return NULL;
    return !same_name(b) ? "name" : !same_operands(b) ? "operands" : NULL;
}

/* exact: b->len bytes with nothing behind them that may be read. */
static void decode_both(struct both *b, const uint8_t *exact)
{
    ZydisDecoder *decoder = &decoders[b->mode];
    ZydisDecoderContext context;

    b->zydis_ok =
        ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(decoder, &context, b->bytes, b->len, &b->z)) &&
        ZYAN_SUCCESS(ZydisDecoderDecodeOperands(decoder, &context, &b->z, b->zo,
                                                b->z.operand_count_visible));
    b->ok = decode_insn(exact, b->len, modes[b->mode], &b->in);
    b->c = b->ok ? find_case(&b->in) : NULL;
    if (b->c)
        b->nr = get_operands(&b->in, b->c, b->o);
}

static unsigned failures, instructions;

static void print_operand(const struct both *b, const struct operand *o,
                          const ZydisDecodedOperand *z)
{
    print_error("   ours: type %u, register %u, %u bytes, value %lx", o->type, o->reg, o->bytes,
                o->value);
    if (o->type == OPERAND_MEMORY)
        print_error(", segment %u, base %u, index %u, scale %u, %lx", operand_segment(&b->in),
                    b->in.base, b->in.index, b->in.scale, b->in.disp);
    print_error("; Zydis: type %d, %s, %u bits, value %lx, %s, base %s, index %s, scale %u, %lx\n",
                z->type, ZydisRegisterGetString(z->reg.value), z->size, z->imm.value.u,
                ZydisRegisterGetString(z->mem.segment), ZydisRegisterGetString(z->mem.base),
                ZydisRegisterGetString(z->mem.index), z->mem.scale, z->mem.disp.value);
}

static void print_difference(const struct both *b, const char *what)
{
    print_error("%s, %u-bit code:", what, 8 * modes[b->mode]);
    for (unsigned i = 0; i < b->len; i++)
        print_error(" %02x", b->bytes[i]);
    print_error(": ours %s, %u bytes; Zydis %s, %u bytes\n", b->c ? names[b->c->op] : "-",
                b->ok ? b->in.length : 0, b->zydis_ok ? ZydisMnemonicGetString(b->z.mnemonic) : "-",
                b->zydis_ok ? b->z.length : 0);
    for (unsigned i = 0; b->c && b->zydis_ok && i < 3; i++)
        print_operand(b, &b->o[i], &b->zo[i]);
}

static void check(struct both *b, const uint8_t *exact)
{
    const char *what;

    decode_both(b, exact);
    what = difference(b);
    instructions += b->zydis_ok;
    if (what && failures++ < 20)
        print_difference(b, what);
}

/* --- Which ones ------------------------------------------------------------------------------- */

static const struct prefixes {
    uint8_t bytes[3], len;
} prefixes[] = {
    { { 0 }, 0 },          { { 0x66 }, 1 },       { { 0xf3 }, 1 },
    { { 0xf2 }, 1 },       { { 0x48 }, 1 },       { { 0x66, 0x4f }, 2 },
    { { 0xf2, 0x48 }, 2 }, { { 0x66, 0xf3 }, 2 },
#define PREFIXES_OF_38 8 /* the rest is for the first two maps */
    { { 0x67 }, 1 },       { { 0xf0 }, 1 },       { { 0x65 }, 1 },
    { { 0x45 }, 1 },       { { 0xf3, 0x49 }, 2 }, { { 0x67, 0x26, 0x42 }, 3 },
    { { 0x48, 0x66 }, 2 }, { { 0xf2, 0xf3 }, 2 },
};

static uint8_t *exact; /* 15 bytes; the sanitizer guards those behind */

static void check_with(struct both *b, unsigned at, unsigned modrm)
{
    b->bytes[at] = (uint8_t)modrm;
    for (unsigned i = at + 1; i < 15; i++)
        b->bytes[i] = (uint8_t)(rand() >> 4);
    memcpy(exact, b->bytes, 15);
    check(b, exact);
}

/* For opcodes without ModRM, a few bytes stand for all. */
static void every_modrm(struct both *b, unsigned at)
{
    for (unsigned modrm = 0; modrm < 256; modrm++) {
        check_with(b, at, modrm);
        if (modrm >= 4 && b->zydis_ok && !(b->z.attributes & ZYDIS_ATTRIB_HAS_MODRM) &&
            b->z.raw.prefix_count <= at)
            return;
    }
}

static void every_opcode_of(struct both *b, const struct prefixes *p, const uint8_t *escape,
                            unsigned len)
{
    memcpy(b->bytes, p->bytes, p->len);
    memcpy(b->bytes + p->len, escape, len);
    for (unsigned opcode = 0; opcode < 256; opcode++) {
        b->bytes[p->len + len] = (uint8_t)opcode;
        every_modrm(b, p->len + len + 1);
    }
}

static void every_opcode_is_as_in_zydis(void **state)
{
    static const uint8_t escape[4][2] = { { 0 }, { 0x0f }, { 0x0f, 0x38 }, { 0x0f, 0x3a } };
    static const unsigned len[4] = { 0, 1, 2, 2 };
    struct both b = { .len = 15 };

    (void)state;
    srand(1);
    for (b.mode = 0; b.mode < 3; b.mode++)
        for (unsigned map = 0; map < 4; map++)
            for (unsigned p = 0; p < (map < 2 ? ARRAY_SIZE(prefixes) : PREFIXES_OF_38); p++)
                every_opcode_of(&b, &prefixes[p], escape[map], len[map]);
    assert_true(instructions > 1800000);
    assert_int_equal(failures, 0);
}

static void every_vex_opcode_is_as_in_zydis(void **state)
{
    struct both b = { .len = 15, .mode = 1 };

    (void)state;
    srand(2);
    instructions = 0;
    for (unsigned i = 0; i < 4 * 3 * 4 * 256 * 16; i++) {
        unsigned map = i >> 2 & 3, pp = i >> 4 & 3, opcode = i >> 6 & 255;

        b.mode = 1 + (i & 1);
        b.bytes[0] = map == 3 ? 0xc5 : 0xc4;
        b.bytes[1] = map == 3 ? (uint8_t)(0x80 | rand()) : (uint8_t)((rand() & 0xe0) | (map + 1));
        b.bytes[map == 3 ? 1 : 2] &= 0xfc;
        b.bytes[map == 3 ? 1 : 2] |= (uint8_t)pp;
        if (map != 3)
            b.bytes[2] = (uint8_t)((rand() % 2 ? 0x78 : rand() & 0xfc) | pp);
        b.bytes[map == 3 ? 2 : 3] = (uint8_t)opcode;
        check_with(&b, map == 3 ? 3 : 4, (unsigned)rand() >> 4 & 255);
    }
    assert_true(instructions > 20000);
    assert_int_equal(failures, 0);
}

/* Any number of bytes, so that most texts end in the middle of an instruction. */
static void random_bytes(void **state)
{
    static const uint8_t often[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x48, 0x41, 0x4f,
                                     0x0f, 0x2e, 0x64, 0xc4, 0xc5, 0x62, 0x8f };
    struct both b;

    (void)state;
    srand(3);
    instructions = 0;
    for (unsigned round = 0; round < 1000000; round++) {
        uint8_t *bytes;

        b.len = 1 + (unsigned)rand() % 15;
        b.mode = (unsigned)rand() % 3;
        bytes = malloc(b.len);
        for (unsigned i = 0; i < b.len; i++)
            bytes[i] =
                rand() % 4 ? (uint8_t)(rand() >> 4) : often[(unsigned)rand() % ARRAY_SIZE(often)];
        memcpy(b.bytes, bytes, b.len);
        check(&b, bytes);
        free(bytes);
    }
    assert_true(instructions > 200000);
    assert_int_equal(failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_opcode_is_as_in_zydis),
        cmocka_unit_test(every_vex_opcode_is_as_in_zydis),
        cmocka_unit_test(random_bytes),
    };

    exact = malloc(15);
    set_registers();
    ZydisDecoderInit(&decoders[0], ZYDIS_MACHINE_MODE_LONG_COMPAT_16, ZYDIS_STACK_WIDTH_16);
    ZydisDecoderInit(&decoders[1], ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
    ZydisDecoderInit(&decoders[2], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (unsigned i = 0; i < 3; i++)
        for (unsigned m = 0; m < ARRAY_SIZE(decoder_modes); m++)
            ZydisDecoderEnableMode(&decoders[i], decoder_modes[m].mode, decoder_modes[m].on);
    return cmocka_run_group_tests_name("x86 against Zydis", tests, NULL, NULL);
}
