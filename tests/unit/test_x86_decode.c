/* The instruction decoder: a table of encodings from the SDM, every truncation of each, and random
 * bytes. */
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "common/x86/address.h"
#include "x86_state.h"

#define PTR 0x1000ull
#define SRC 0x2000ull
#define PTR13 0x3000ull
#define HERE 0x400000ull
#define B(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

static struct x86_state state64 = { {
    [RDI] = PTR, [RSI] = SRC, [R13] = PTR13, [RCX] = 4, [RDX] = 130, [RBX] = (uint64_t)-1,
    [REG_RIP] = HERE, [R11] = 0xffffffff00005000,
} };

static const struct {
    uint8_t insn[16];
    unsigned length, bytes;
    enum insn_op op;
    int reg;                    /* -1: an immediate */
    uint64_t address, imm;
} stores[] = {
    { B(0x48, 0x89, 0x07), 8, OP_MOV, 0, PTR, 0 },
    { B(0x89, 0x07), 4, OP_MOV, 0, PTR, 0 },
    { B(0x66, 0x89, 0x07), 2, OP_MOV, 0, PTR, 0 },
    { B(0x88, 0x27), 1, OP_MOV, 4, PTR, 0 },                      /* AH */
    { B(0x40, 0x88, 0x27), 1, OP_MOV, 4, PTR, 0 },               /* SPL */
    { B(0x4c, 0x89, 0x3c, 0xce), 8, OP_MOV, 15, SRC + 32, 0 },
    { B(0x49, 0x89, 0x45, 0x10), 8, OP_MOV, 0, PTR13 + 16, 0 },
    { B(0x49, 0x89, 0x85, 0xf0, 0xff, 0xff, 0xff), 8, OP_MOV, 0, PTR13 - 16, 0 },
    { B(0x48, 0x89, 0x05, 0x10, 0, 0, 0), 8, OP_MOV, 0, HERE + 7 + 16, 0 },
    { B(0x48, 0xc7, 0x05, 0x10, 0, 0, 0, 1, 0, 0, 0), 8, OP_MOV, -1, HERE + 11 + 16, 1 },
    { B(0x48, 0x89, 0x04, 0x25, 0, 0x10, 0, 0), 8, OP_MOV, 0, 0x1000, 0 },
    { B(0x48, 0xc7, 0x07, 0xff, 0xff, 0xff, 0xff), 8, OP_MOV, -1, PTR, ~0ull },
    { B(0x66, 0xc7, 0x07, 0x34, 0x12), 2, OP_MOV, -1, PTR, 0x1234 },
    { B(0xc6, 0x07, 0x7f), 1, OP_MOV, -1, PTR, 0x7f },
    { B(0x48, 0x87, 0x07), 8, OP_XCHG, 0, PTR, 0 },
    { B(0xf0, 0x48, 0x0f, 0xb1, 0x0f), 8, OP_CMPXCHG, 1, PTR, 0 },
    { B(0xf0, 0x48, 0x0f, 0xc1, 0x0f), 8, OP_XADD, 1, PTR, 0 },
    { B(0x48, 0x83, 0x27, 0xfb), 8, OP_AND, -1, PTR, ~4ull },
    { B(0x48, 0x81, 0x0f, 0, 0x10, 0, 0), 8, OP_OR, -1, PTR, 0x1000 },
    { B(0x48, 0x81, 0x2f, 0, 0, 0, 0x80), 8, OP_SUB, -1, PTR, 0xffffffff80000000 },
    { B(0x80, 0x37, 0x02), 1, OP_XOR, -1, PTR, 2 },
    { B(0x48, 0x01, 0x07), 8, OP_ADD, 0, PTR, 0 },
    { B(0x48, 0x09, 0x07), 8, OP_OR, 0, PTR, 0 },
    { B(0x48, 0x21, 0x07), 8, OP_AND, 0, PTR, 0 },
    { B(0x48, 0x29, 0x07), 8, OP_SUB, 0, PTR, 0 },
    { B(0x48, 0x31, 0x07), 8, OP_XOR, 0, PTR, 0 },
    { B(0xf0, 0x48, 0x0f, 0xba, 0x2f, 0x01), 8, OP_BTS, -1, PTR, 1 },
    { B(0x48, 0x0f, 0xba, 0x37, 0x3f), 8, OP_BTR, -1, PTR, 63 },
    { B(0x48, 0x0f, 0xba, 0x3f, 0x00), 8, OP_BTC, -1, PTR, 0 },
    { B(0x48, 0x0f, 0xab, 0x0f), 8, OP_BTS, 1, PTR, 0 },
    { B(0x48, 0x0f, 0xab, 0x17), 8, OP_BTS, 2, PTR + 16, 0 },    /* bit 130: the third word */
    { B(0x48, 0x0f, 0xb3, 0x1f), 8, OP_BTR, 3, PTR - 8, 0 },     /* bit -1: the word before */
    { B(0x0f, 0xbb, 0x17), 4, OP_BTC, 2, PTR + 16, 0 },
    { B(0x64, 0x48, 0x89, 0x07), 8, OP_MOV, 0, PTR, 0 },
    { B(0x67, 0x49, 0x89, 0x03), 8, OP_MOV, 0, 0x5000, 0 },
    { B(0x48, 0x11, 0x07), 8, OP_ADC, 0, PTR, 0 },
    { B(0x83, 0x1f, 0x01), 4, OP_SBB, -1, PTR, 1 },
    { B(0x48, 0xff, 0x07), 8, OP_INC, -1, PTR, 0 },
    { B(0xfe, 0x0f), 1, OP_DEC, -1, PTR, 0 },
    { B(0x66, 0xf7, 0x17), 2, OP_NOT, -1, PTR, 0 },
    { B(0x48, 0xf7, 0x1f), 8, OP_NEG, -1, PTR, 0 },
    { B(0x48, 0xc1, 0x27, 0x05), 8, OP_SHL, -1, PTR, 5 },
    { B(0xd1, 0x2f), 4, OP_SHR, -1, PTR, 1 },
    { B(0xd2, 0x3f), 1, OP_SAR, -1, PTR, 0 },
    { B(0x48, 0x0f, 0xa4, 0x0f, 0x03), 8, OP_SHLD, 1, PTR, 3 },
    { B(0x0f, 0x94, 0x07), 1, OP_SETCC, 0, PTR, 0 },
    { B(0x0f, 0xc3, 0x0f), 4, OP_MOV, 1, PTR, 0 },                              /* movnti */
    { B(0x0f, 0x38, 0xf1, 0x0f), 4, OP_MOVBE, 1, PTR, 0 },
    { B(0x0f, 0xc7, 0x0f), 8, OP_CMPXCHG8B, -1, PTR, 0 },
    { B(0x8f, 0x07), 8, OP_POP_MEMORY, -1, PTR, 0 },
    { B(0x48, 0xa3, 1, 2, 3, 4, 5, 6, 0, 0), 8, OP_MOV, 0, 0x060504030201, 0 },
};

static const struct {
    uint8_t insn[16];
    unsigned length;
} others[] = {
    { B(0x48, 0x8b, 0x07) }, /* a load */
    { B(0x48, 0x89, 0xc7) }, /* between registers */
    { B(0x90) },
    { B(0x0f, 0x0b) },
    { B(0x48, 0xc7, 0x0f, 0, 0, 0, 0) },
    { B(0x48, 0x0f, 0xba, 0x27, 0x01) }, /* bt stores nothing */
    { B(0x48, 0x83, 0x3f, 0x00) },       /* cmp neither */
    { B(0x48, 0x0f, 0xc7, 0x0f) },       /* cmpxchg16b */
    { B(0xc5, 0xfc, 0x11, 0x07) },       /* AVX */
    { B(0x0f, 0x29, 0x07) },             /* SSE */
    { B(0xdd, 0x17) },                   /* x87 */
    { B(0x8c, 0x1f) },                   /* a segment register */
    { B(0x50) },
    /* 16 bytes, which no instruction has */
    { B(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x89,
        0x07) },
};

static bool decode(const uint8_t *insn, unsigned len, enum cpu_mode mode, struct insn *in)
{
    uint8_t *exact = malloc(len ? len : 1);
    bool ok;

    memcpy(exact, insn, len);
    ok = decode_insn(exact, len, mode, in);
    free(exact);
    return ok;
}

static void stores_are_decoded(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(stores); i++) {
        struct insn in;
        uint64_t address;

        if (!decode(stores[i].insn, sizeof(stores[i].insn), MODE_64, &in) || !is_store(&in) ||
            !in.memory)
            fail_msg("row %u was not decoded", i);
        address = operand_offset(&in, regs_of(&state64));
        if (in.length != stores[i].length || in.op_bytes != stores[i].bytes ||
            in.op != stores[i].op ||
            (stores[i].op != OP_SETCC && in.source != (uint8_t)stores[i].reg) ||
            address != stores[i].address || (in.source == NO_REG && in.imm != stores[i].imm))
            fail_msg("row %u: length %u bytes %u op %d reg %d address %lx imm %lx", i, in.length,
                     in.op_bytes, in.op, in.source, address, in.imm);
        for (unsigned len = 0; len < stores[i].length; len++)
            assert_false(decode(stores[i].insn, len, MODE_64, &in));
    }
}

static void other_instructions_are_no_stores(void **state)
{
    struct insn in;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
        if (decode(others[i].insn, others[i].length, MODE_64, &in) && is_store(&in) && in.memory)
            fail_msg("row %u was taken for a store", i);
}

/* Registers 0 to 7 hold 0x11111111, 0x22222222 and so on, with garbage above what 32-bit code
 * sees. */
static const struct {
    uint8_t insn[16];
    unsigned length;
    enum cpu_mode mode;
    unsigned bytes, segment;
    uint64_t offset;
} by_mode[] = {
    { B(0x89, 0x07), MODE_32, 4, SEG_DS, 0x88888888 },
    { B(0x89, 0x07), MODE_16, 2, SEG_DS, 0x4444 },                              /* (%bx) */
    { B(0x66, 0x89, 0x07), MODE_16, 4, SEG_DS, 0x4444 },
    { B(0x67, 0x89, 0x07), MODE_16, 2, SEG_DS, 0x88888888 },
    { B(0x67, 0x66, 0x89, 0x07), MODE_32, 2, SEG_DS, 0x4444 },
    { B(0x89, 0x45, 0x08), MODE_32, 4, SEG_SS, 0x6666666e },                    /* 8(%ebp) */
    { B(0x89, 0x46, 0xf8), MODE_16, 2, SEG_SS, 0x6666 - 8 },                    /* -8(%bp) */
    { B(0x89, 0x02), MODE_16, 2, SEG_SS, (uint16_t)(0x6666 + 0x7777) },         /* (%bp,%si) */
    { B(0x89, 0x06, 0x34, 0x12), MODE_16, 2, SEG_DS, 0x1234 },
    /* absolute, unlike in 64-bit mode */
    { B(0x89, 0x05, 0x78, 0x56, 0x34, 0x12), MODE_32, 4, SEG_DS, 0x12345678 },
    { B(0x89, 0x04, 0x24), MODE_32, 4, SEG_SS, 0x55555555 },
    { B(0x89, 0x44, 0x6c, 0x04), MODE_32, 4, SEG_SS,
      (uint32_t)(0x55555555ull + 2 * 0x66666666ull + 4) },
    { B(0x2e, 0x89, 0x07), MODE_32, 4, SEG_CS, 0x88888888 },
    { B(0x36, 0x89, 0x07), MODE_32, 4, SEG_SS, 0x88888888 },
    { B(0x65, 0x89, 0x45, 0x00), MODE_32, 4, SEG_GS, 0x66666666 },
    { B(0x36, 0x89, 0x07), MODE_64, 4, SEG_DS, 0x9999999988888888 },
    { B(0x64, 0x89, 0x07), MODE_64, 4, SEG_FS, 0x9999999988888888 },
    { B(0x89, 0x04, 0x24), MODE_64, 4, SEG_SS, 0x9999999955555555 },
    { B(0x41, 0x89, 0x04, 0x24), MODE_64, 4, SEG_DS, 0xcc },                    /* (%r12) */
    { B(0x67, 0x89, 0x45, 0x00), MODE_64, 4, SEG_SS, 0x66666666 },
    { B(0xa3, 0x78, 0x56, 0x34, 0x12), MODE_32, 4, SEG_DS, 0x12345678 },
    { B(0xa3, 0x34, 0x12), MODE_16, 2, SEG_DS, 0x1234 },
};

static void code_of_16_and_32_bits_is_decoded(void **state)
{
    struct x86_state r = { { [R12] = 0xcc } };

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        r.words[i] = 0x9999999900000000 | 0x11111111ull * (i + 1);
    for (unsigned i = 0; i < ARRAY_SIZE(by_mode); i++) {
        struct insn in;

        if (!decode(by_mode[i].insn, sizeof(by_mode[i].insn), by_mode[i].mode, &in))
            fail_msg("row %u was not decoded", i);
        if (in.length != by_mode[i].length || in.op_bytes != by_mode[i].bytes ||
            operand_segment(&in) != by_mode[i].segment ||
            operand_offset(&in, regs_of(&r)) != by_mode[i].offset)
            fail_msg("row %u: length %u bytes %u segment %u offset %lx", i, in.length, in.op_bytes,
                     operand_segment(&in), operand_offset(&in, regs_of(&r)));
    }
}

/* The same bytes, another instruction. */
static void same_bytes_differ_by_mode(void **state)
{
    static const uint8_t inc[] = { 0x40, 0x89, 0x07 }, les[] = { 0xc4, 0x07, 0, 0 },
        jump[] = { 0xea, 1, 2, 3, 4, 5, 6 };
    static const uint8_t port[] = { 0x66, 0xed };
    struct insn in;

    (void)state;
    assert_true(decode(inc, sizeof(inc), MODE_32, &in) && in.length == 1 && in.opcode == 0x40);
    assert_true(decode(inc, sizeof(inc), MODE_64, &in) && in.length == 3 && in.opcode == 0x89);
    assert_true(decode(les, 2, MODE_32, &in) && in.length == 2 && in.opcode == 0xc4);
    assert_false(decode(les, 4, MODE_64, &in));
    assert_true(decode(jump, sizeof(jump), MODE_32, &in) && in.length == 7);
    assert_true(decode(jump, sizeof(jump), MODE_16, &in) && in.length == 5);
    assert_false(decode(jump, sizeof(jump), MODE_64, &in));
    assert_true(decode(port, 2, MODE_64, &in) && in.op_bytes == 2);
    assert_true(decode(port, 2, MODE_32, &in) && in.op_bytes == 2);
    assert_true(decode(port, 2, MODE_16, &in) && in.op_bytes == 4);
    assert_true(decode(port + 1, 1, MODE_16, &in) && in.op_bytes == 2 && in.length == 1);
}

static void survives_random_bytes(void **state)
{
    static const enum cpu_mode modes[] = { MODE_16, MODE_32, MODE_64 };
    unsigned decoded = 0;

    (void)state;
    srand(3);
    for (unsigned round = 0; round < 300000; round++) {
        static const uint8_t starts[] = {
            0x48, 0x66, 0xf0, 0x0f, 0x89, 0x88, 0xc7, 0x81, 0x65, 0x67, 0xc4, 0xc5, 0x62,
        };
        unsigned len = (unsigned)rand() % 17;
        struct insn in;
        uint8_t insn[16];

        for (unsigned i = 0; i < 16; i++)
            insn[i] = rand() % 3 ? (uint8_t)rand() : starts[(unsigned)rand() % sizeof(starts)];
        if (!decode(insn, MIN(len, 16u), modes[rand() % 3], &in))
            continue;
        decoded++;
        assert_in_range(in.length, 1, MIN(len, 15u));
        assert_true(in.op_bytes == 1 || in.op_bytes == 2 || in.op_bytes == 4 || in.op_bytes == 8);
        assert_true(in.ad_bytes == 2 || in.ad_bytes == 4 || in.ad_bytes == 8);
        if (in.memory) {
            assert_true(in.base <= REG_RIP || in.base == NO_REG);
            assert_true(in.index < 16 || in.index == NO_REG);
            operand_offset(&in, regs_of(&state64));
        }
        stack_access_not_canonical(&in, regs_of(&state64));
    }
    assert_true(decoded > 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_are_decoded),
        cmocka_unit_test(other_instructions_are_no_stores),
        cmocka_unit_test(code_of_16_and_32_bits_is_decoded),
        cmocka_unit_test(same_bytes_differ_by_mode),
        cmocka_unit_test(survives_random_bytes),
    };

    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
