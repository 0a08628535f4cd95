/* The instruction decoder: a table of encodings from the SDM, every truncation of each, and random bytes. */
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "support.h"
#include "xen/emulate.h"

#define RDI 0x1000ull
#define RSI 0x2000ull
#define R13 0x3000ull
#define RIP 0x400000ull
#define FS_BASE 0x7000000ull
#define B(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

static struct cpu_user_regs regs = {
    .rdi = RDI,
    .rsi = RSI,
    .r13 = R13,
    .rcx = 4,
    .rdx = 130,
    .rbx = (uint64_t)-1,
    .rip = RIP,
    .r11 = 0xffffffff00005000,
};

static const struct {
    uint8_t insn[16];
    unsigned length, bytes;
    enum store_op op;
    int reg;
    bool high;
    uint64_t address, imm;
} stores[] = {
    { B(0x48, 0x89, 0x07), 8, ST_MOV, 0, false, RDI, 0 },
    { B(0x89, 0x07), 4, ST_MOV, 0, false, RDI, 0 },
    { B(0x66, 0x89, 0x07), 2, ST_MOV, 0, false, RDI, 0 },
    { B(0x88, 0x27), 1, ST_MOV, 0, true, RDI, 0 },                      /* AH */
    { B(0x40, 0x88, 0x27), 1, ST_MOV, 4, false, RDI, 0 },               /* SPL */
    { B(0x4c, 0x89, 0x3c, 0xce), 8, ST_MOV, 15, false, RSI + 32, 0 },
    { B(0x49, 0x89, 0x45, 0x10), 8, ST_MOV, 0, false, R13 + 16, 0 },
    { B(0x49, 0x89, 0x85, 0xf0, 0xff, 0xff, 0xff), 8, ST_MOV, 0, false, R13 - 16, 0 },
    { B(0x48, 0x89, 0x05, 0x10, 0, 0, 0), 8, ST_MOV, 0, false, RIP + 7 + 16, 0 },
    { B(0x48, 0xc7, 0x05, 0x10, 0, 0, 0, 1, 0, 0, 0), 8, ST_MOV, -1, false, RIP + 11 + 16, 1 },
    { B(0x48, 0x89, 0x04, 0x25, 0, 0x10, 0, 0), 8, ST_MOV, 0, false, 0x1000, 0 },
    { B(0x48, 0xc7, 0x07, 0xff, 0xff, 0xff, 0xff), 8, ST_MOV, -1, false, RDI, ~0ull },
    { B(0x66, 0xc7, 0x07, 0x34, 0x12), 2, ST_MOV, -1, false, RDI, 0x1234 },
    { B(0xc6, 0x07, 0x7f), 1, ST_MOV, -1, false, RDI, 0x7f },
    { B(0x48, 0x87, 0x07), 8, ST_XCHG, 0, false, RDI, 0 },
    { B(0xf0, 0x48, 0x0f, 0xb1, 0x0f), 8, ST_CMPXCHG, 1, false, RDI, 0 },
    { B(0xf0, 0x48, 0x0f, 0xc1, 0x0f), 8, ST_XADD, 1, false, RDI, 0 },
    { B(0x48, 0x83, 0x27, 0xfb), 8, ST_AND, -1, false, RDI, ~4ull },
    { B(0x48, 0x81, 0x0f, 0, 0x10, 0, 0), 8, ST_OR, -1, false, RDI, 0x1000 },
    { B(0x48, 0x81, 0x2f, 0, 0, 0, 0x80), 8, ST_SUB, -1, false, RDI, 0xffffffff80000000 },
    { B(0x80, 0x37, 0x02), 1, ST_XOR, -1, false, RDI, 2 },
    { B(0x48, 0x01, 0x07), 8, ST_ADD, 0, false, RDI, 0 },
    { B(0x48, 0x09, 0x07), 8, ST_OR, 0, false, RDI, 0 },
    { B(0x48, 0x21, 0x07), 8, ST_AND, 0, false, RDI, 0 },
    { B(0x48, 0x29, 0x07), 8, ST_SUB, 0, false, RDI, 0 },
    { B(0x48, 0x31, 0x07), 8, ST_XOR, 0, false, RDI, 0 },
    { B(0xf0, 0x48, 0x0f, 0xba, 0x2f, 0x01), 8, ST_BTS, -1, false, RDI, 1 },
    { B(0x48, 0x0f, 0xba, 0x37, 0x3f), 8, ST_BTR, -1, false, RDI, 63 },
    { B(0x48, 0x0f, 0xba, 0x3f, 0x00), 8, ST_BTC, -1, false, RDI, 0 },
    { B(0x48, 0x0f, 0xab, 0x0f), 8, ST_BTS, 1, false, RDI, 0 },
    { B(0x48, 0x0f, 0xab, 0x17), 8, ST_BTS, 2, false, RDI + 16, 0 },    /* bit 130: the third word */
    { B(0x48, 0x0f, 0xb3, 0x1f), 8, ST_BTR, 3, false, RDI - 8, 0 },     /* bit -1: the word before */
    { B(0x0f, 0xbb, 0x17), 4, ST_BTC, 2, false, RDI + 16, 0 },
    { B(0x64, 0x48, 0x89, 0x07), 8, ST_MOV, 0, false, FS_BASE + RDI, 0 },
    { B(0x67, 0x49, 0x89, 0x03), 8, ST_MOV, 0, false, 0x5000, 0 },
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
    { B(0x48, 0x0f, 0xc7, 0x0f) },
    { B(0xc5, 0xfc, 0x11, 0x07) },
    { B(0x48, 0x11, 0x07) },                    /* adc: not served */
    /* 16 bytes, which no instruction has */
    { B(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x89, 0x07) },
};

static bool decode(const uint8_t *insn, unsigned len, struct store_insn *out, uint64_t *address)
{
    uint8_t *exact = malloc(len ? len : 1);
    bool ok;

    memcpy(exact, insn, len);
    ok = decode_store(exact, len, &regs, out, address);
    free(exact);
    return ok;
}

static void decodes_stores(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(stores); i++) {
        struct store_insn in;
        uint64_t address;

        if (!decode(stores[i].insn, sizeof(stores[i].insn), &in, &address))
            fail_msg("row %u was not decoded", i);
        if (in.length != stores[i].length || in.bytes != stores[i].bytes || in.op != stores[i].op ||
            in.reg != stores[i].reg || in.high_byte != stores[i].high || address != stores[i].address ||
            (in.reg < 0 && in.imm != stores[i].imm))
            fail_msg("row %u: length %u bytes %u op %d reg %d high %d address %lx imm %lx", i, in.length,
                     in.bytes, in.op, in.reg, in.high_byte, address, in.imm);
        for (unsigned len = 0; len < stores[i].length; len++)
            assert_false(decode(stores[i].insn, len, &in, &address));
    }
}

static void leaves_others_alone(void **state)
{
    struct store_insn in;
    uint64_t address;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
        if (decode(others[i].insn, others[i].length, &in, &address))
            fail_msg("row %u was taken for a store", i);
}

static void survives_random_bytes(void **state)
{
    unsigned decoded = 0;

    (void)state;
    srand(3);
    for (unsigned round = 0; round < 300000; round++) {
        static const uint8_t starts[] = { 0x48, 0x66, 0xf0, 0x0f, 0x89, 0x88, 0xc7, 0x81, 0x65, 0x67 };
        unsigned len = (unsigned)rand() % 17;
        struct store_insn in;
        uint64_t address;
        uint8_t insn[16];

        for (unsigned i = 0; i < 16; i++)
            insn[i] = rand() % 3 ? (uint8_t)rand() : starts[(unsigned)rand() % sizeof(starts)];
        if (!decode(insn, MIN(len, 16u), &in, &address))
            continue;
        decoded++;
        assert_in_range(in.length, 2, 15);
        assert_true(in.length <= len && in.reg >= -1 && in.reg < 16);
        assert_true(in.bytes == 1 || in.bytes == 2 || in.bytes == 4 || in.bytes == 8);
    }
    assert_true(decoded > 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_stores),
        cmocka_unit_test(leaves_others_alone),
        cmocka_unit_test(survives_random_bytes),
    };
    static struct vcpu v = { .kernel_mode = true, .base_fs = FS_BASE };

    current = &v;
    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
