/* The short forms of stores against the general decoder: what is known as one means the same there;
 * and all that are meant are known. */
#include "cmocka_main.h"
#include "common/x86/regs.h"
#include "common/x86/parse_short_store.h"

static uint64_t seed = 0x2545f4914f6cdd1dull;

static uint64_t random_word(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Whether it is a short form. Then the decoder has to say the same of it. */
static bool agrees(uint64_t code)
{
    uint8_t bytes[16] = { 0 };
    struct short_store s;
    struct insn in;

    __builtin_memcpy(bytes, &code, sizeof(code));
    if (!parse_short_store(code, &s))
        return false;
    if (!decode_insn(bytes, sizeof(code), MODE_64, &in) || in.op != s.op ||
        in.length != s.length || in.base != s.base || in.index != NO_REG || !in.memory ||
        in.disp != s.disp || in.override != 0 || in.rep != 0 || in.opsize || in.ad_bytes != 8 ||
        in.op_bytes != (s.op == OP_AND ? 1 : 8) ||
        (s.op == OP_AND ? in.source != NO_REG || (uint8_t)in.imm != s.imm : in.source != s.source))
        fail_msg("%016lx is told wrongly", code);
    return true;
}

/* All first three bytes, followed by random ones. */
static void any_bytes(void **state)
{
    unsigned known = 0;

    (void)state;
    for (uint64_t first = 0; first < 1u << 24; first++)
        known += agrees(random_word() << 24 | first);
    assert_in_range(known, 1000, 1u << 20);
}

/* All prefixes and registers by REX, all ModRM and SIB bytes, behind each opcode. */
static void all_operands(void **state)
{
    static const uint8_t prefix[] = { 0, 0x3e, 0xf0, 0x2e, 0x66, 0x67, 0xf2, 0xf3, 0x64 };
    static const uint16_t opcodes[] = { 0x80, 0x87, 0x89, 0xb10f, 0xb00f, 0x88, 0x86, 0x81 };
    unsigned known = 0;

    (void)state;
    for (unsigned p = 0; p < sizeof(prefix); p++)
        for (unsigned rex = 0x3f; rex < 0x50; rex++)
            for (unsigned o = 0; o < 8; o++)
                for (unsigned operands = 0; operands < 0x10000; operands += 1 + (p > 2) * 6) {
                    uint64_t code = random_word() << 16 | operands;

                    code = opcodes[o] > 0xff ? code << 16 | opcodes[o] : code << 8 | opcodes[o];
                    code = rex == 0x3f ? code : code << 8 | rex;
                    known += agrees(p == 0 ? code : code << 8 | prefix[p]);
                }
    assert_true(known > 10000);
}

/* op [base + disp8] or [base], with each register. */
static void all_that_are_meant(void **state)
{
    static const struct { uint64_t code; unsigned bytes; bool source; } ops[] = {
        { 0x80, 1, false }, { 0x87, 1, true }, { 0x89, 1, true }, { 0xb10f, 2, true },
    };

    (void)state;
    for (unsigned i = 0; i < 4 * 16 * 16 * 2 * 3; i++) {
        unsigned o = i & 3, base = i >> 2 & 15, source = i >> 6 & 15, disp = i >> 10 & 1;
        unsigned at = 0, prefix = i >> 11;
        uint8_t b[16] = { 0 };
        struct short_store s;
        uint64_t code;

        if (prefix != 0)
            b[at++] = prefix == 1 ? 0x3e : 0xf0;
        if (ops[o].source)
            b[at++] = (uint8_t)(0x48 | (source >> 3) << 2 | base >> 3);
        else if (base > 7)
            b[at++] = 0x41;
        for (unsigned n = 0; n < ops[o].bytes; n++)
            b[at++] = (uint8_t)(ops[o].code >> (8 * n));
        b[at++] = (uint8_t)(disp << 6 | (ops[o].source ? source & 7 : 4) << 3 | (base & 7));
        if ((base & 7) == RSP)
            b[at++] = 0x24;
        if (disp)
            b[at++] = 0xf8;
        if (!ops[o].source)
            b[at++] = 0xfd;
        __builtin_memcpy(&code, b, sizeof(code));
        assert_int_equal(agrees(code), disp || (base & 7) != RBP);
        if (!disp && (base & 7) == RBP)
            continue;
        assert_true(parse_short_store(code, &s));
        assert_int_equal(s.length, at);
        assert_int_equal(s.base, base);
        assert_int_equal(s.disp, disp ? -8 : 0);
        assert_int_equal(ops[o].source ? s.source : s.imm, ops[o].source ? source : 0xfd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bytes), cmocka_unit_test(all_operands),
        cmocka_unit_test(all_that_are_meant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
