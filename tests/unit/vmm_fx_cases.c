/* Rows, encodings and states for the tests of SSE and x87: see vmm_fx_fixture.h. */
#include <string.h>
#include "common/x86/alu.h"
#include "common/x86/opcodes.h"
#include "tests/unit/vmm_fx_fixture.h"
#include "tests/unit/vmm_native.h"

#define PAGE 4096u

#define CASE(select, op, a, b, c, extra) \
    { #op, (select), OP_##op, { FORM_##a, FORM_##b, FORM_##c } }
#define OPCODE(opcode, entry, ...) \
    { opcode, (const struct fx_row[]){ __VA_ARGS__, { .name = NULL } } }
const struct fx_opcode fx_sse[] = {
#include "common/x86/map_sse.def"
    { 0, NULL },
};
const struct fx_opcode fx_x87[] = {
#include "common/x86/map_x87.def"
    { 0, NULL },
};
const struct fx_opcode fx_images[] = {
    OPCODE(0x1ae, MODRM, CASE(MEM | REG(0) | NO_PREFIX | REX_W, FXSAVE64, Mfx, _, _, 0),
           CASE(MEM | REG(0) | NO_PREFIX, FXSAVE, Mfx, _, _, 0),
           CASE(MEM | REG(1) | NO_PREFIX | REX_W, FXRSTOR64, Mfx, _, _, 0),
           CASE(MEM | REG(1) | NO_PREFIX, FXRSTOR, Mfx, _, _, 0),
           CASE(MEM | REG(2) | NO_PREFIX, LDMXCSR, Md, _, _, 0),
           CASE(MEM | REG(3) | NO_PREFIX, STMXCSR, Md, _, _, 0)),
    { 0, NULL },
};

bool fx_is_served(const struct fx_row *row)
{
    static const uint16_t later[] = {
        OP_MOVSLDUP, OP_MOVSHDUP, OP_MOVDDUP, OP_HADDPS, OP_HADDPD, OP_HSUBPS, OP_HSUBPD,
        OP_ADDSUBPS, OP_ADDSUBPD, OP_LDDQU, OP_FISTTP, OP_EXTRQ, OP_INSERTQ, OP_MOVNTSS, OP_MOVNTSD,
        OP_VMREAD, OP_VMWRITE,
    };

    for (unsigned i = 0; i < ARRAY_SIZE(later); i++)
        if (row->op == later[i])
            return false;
    return true;
}

uint64_t fx_random(void)
{
    static uint64_t x = 88172645463325252u;

    x ^= x << 13;
    x ^= x >> 7;
    return x ^= x << 17;
}

/* Zeros, denormals, the ends of the range, infinities, quiet and signalling NaN, small integers. */
static uint64_t random_single(void)
{
    static const uint32_t special[] = {
        0, 1, 0x7fffff, 0x800000, 0x3f800000, 0x40000000, 0x7f7fffff, 0x7f800000, 0x7fc00000,
        0x7f800001, 0x4b000000, 0x4f000000, 0x5f000000, 0x3f000000, 0x00012345, 0x20000000,
        0x60000000,
    };
    uint32_t value = special[fx_random() % ARRAY_SIZE(special)];

    if (fx_random() % 4 == 0)
        value = (uint32_t)fx_random();
    return value ^ (uint32_t)(fx_random() & 1) << 31;
}

static uint64_t random_double(void)
{
    static const uint64_t special[] = {
        0, 1, 0xfffffffffffffull, 0x10000000000000ull, 0x3ff0000000000000ull, 0x4000000000000000ull,
        0x7fefffffffffffffull, 0x7ff0000000000000ull, 0x7ff8000000000000ull, 0x7ff0000000000001ull,
        0x4330000000000000ull, 0x41e0000000000000ull, 0x43e0000000000000ull, 0x3fe0000000000000ull,
        0x0000123456789abcull, 0x36a0000000000000ull, 0x47efffffe0000000ull, 0x2000000000000000ull,
        0x5fe0000000000000ull,
    };
    uint64_t value = special[fx_random() % ARRAY_SIZE(special)];

    if (fx_random() % 4 == 0)
        value = fx_random();
    return value ^ (fx_random() & 1) << 63;
}

static void random_bytes(uint8_t *to, unsigned bytes)
{
    uint64_t value, kind = fx_random();

    for (unsigned i = 0; i < bytes; i += 8) {
        value = kind % 3 == 0   ? random_single() | random_single() << 32
                : kind % 3 == 1 ? random_double()
                                : fx_random();
        memcpy(to + i, &value, MIN(8, bytes - i));
        kind = kind % 5 == 0 ? fx_random() : kind;
    }
}

/* Of the x87's ten bytes: the exponents that are special, with significands that are. */
static void random_extended(uint8_t st[16])
{
    static const uint16_t exponents[] = {
        0, 0x3fff, 0x4000, 0x403e, 0x7ffe, 0x7fff, 1, 0x3ffe, 0x3c00, 0x43fe, 0x3f80, 0x407e,
    };
    static const uint64_t significands[] = {
        0, 1ull << 63, 3ull << 62, 1, 0xa000000000000000ull, ~0ull,
    };
    uint64_t significand = significands[fx_random() % ARRAY_SIZE(significands)];
    uint16_t exponent = exponents[fx_random() % ARRAY_SIZE(exponents)];

    if (fx_random() % 3 == 0)
        significand = fx_random() | 1ull << 63;
    if (fx_random() % 4 == 0)
        exponent = (uint16_t)(0x3fff + (int)(fx_random() % 128) - 64);
    exponent |= (uint16_t)(fx_random() << 15);
    memcpy(st, &significand, 8);
    memcpy(st + 8, &exponent, 2);
    memset(st + 10, 0, 6);
}

/* Exceptions that nothing masks are pending in few of the states. */
static void random_x87(struct fx_state *fx)
{
    fx->fcw = (uint16_t)(0x40 | (fx_random() & 0xf3f));
    if ((fx->fcw & 0x300) == 0x100)
        fx->fcw |= 0x300;
    if (fx_random() % 2)
        fx->fcw |= 0x3f;
    fx->fsw = (uint16_t)fx_random();
    if (fx_random() % 8)
        fx->fsw &= (uint16_t)~0xff;
    fx->ftw = (uint8_t)(fx_random() % 4 ? 0xff : fx_random());
    for (unsigned i = 0; i < 8; i++)
        random_extended(fx->st[i]);
}

void fx_randomize(uint64_t regs[18], struct fx_state *fx)
{
    memset(fx, 0, sizeof(*fx));
    random_x87(fx);
    fx->mxcsr = (uint32_t)(fx_random() & 0xffff);
    if (fx_random() % 2)
        fx->mxcsr |= 0x1f80;
    for (unsigned i = 0; i < 16; i++)
        random_bytes(fx->xmm[i], 16);
    for (unsigned i = 0; i < 16; i++)
        random_bytes((uint8_t *)&regs[i], 8);
    regs[RBX] = regs[R11] = fx_random_address();
    regs[RDI] = NATIVE_DATA + fx_random() % (2 * PAGE - 16);    /* of MASKMOVDQU */
    regs[REG_RFLAGS] = FLAG_MBS | FLAG_IF | (fx_random() & FLAGS_ARITHMETIC);
    random_bytes((uint8_t *)(uintptr_t)NATIVE_DATA, (unsigned)(NATIVE_READ_ONLY - NATIVE_DATA));
}

uint64_t fx_random_address(void)
{
    switch (fx_random() % 12) {
    case 0:
        return NATIVE_DATA + PAGE - 1 - fx_random() % 16;       /* over a page's end */
    case 1:
        return NATIVE_END - 8 - fx_random() % 16;               /* into nothing */
    case 2:
        return NATIVE_READ_ONLY + 16 * (fx_random() % 16);
    case 3:
        return NATIVE_READ_ONLY - 8 - fx_random() % 16;
    case 4:
    case 5:
        return NATIVE_DATA + 64 + fx_random() % 64;
    case 6:
        return (fx_random() >> 2) | 1ull << 62;             /* not canonical */
    default:
        return NATIVE_DATA + 16 * (1 + fx_random() % 100);
    }
}

/* --- Encodings -------------------------------------------------------------------------------- */

static unsigned put_prefixes(const struct fx_opcode *opcode, const struct fx_row *row,
                             uint8_t *bytes)
{
    unsigned n = 0, rex = 0x40 | (fx_random() & 5);

    if (row->select & ONLY_66)
        bytes[n++] = 0x66;
    if (row->select & REP_F3)
        bytes[n++] = 0xf3;
    if (row->select & REP_F2)
        bytes[n++] = 0xf2;
    if (opcode->opcode < 0x100 && fx_random() % 4 == 0)
        bytes[n++] = 0x66;
    if ((row->select & REX_W) || fx_random() % 2)
        rex |= 8;
    if (rex != 0x40 || fx_random() % 2)
        bytes[n++] = (uint8_t)rex;
    return n;
}

/* With memory at RBX, or with REX.B at R11. */
static uint8_t random_modrm(const struct fx_row *row, bool *memory)
{
    unsigned reg = row->select >> 2 & 15, rm = row->select >> 6 & 15;

    *memory = (row->select & MEM) || (!(row->select & REGISTER) && fx_random() % 2);
    reg = reg ? reg & 7 : fx_random() & 7;
    rm = *memory ? RBX : rm ? rm & 7 : fx_random() & 7;
    return (uint8_t)((*memory ? 0 : 0xc0) | reg << 3 | rm);
}

static bool has_immediate(const struct fx_row *row)
{
    return row->forms[1] == FORM_Iu || row->forms[2] == FORM_Iu;
}

unsigned fx_encode(const struct fx_opcode *opcode, const struct fx_row *row, uint8_t *bytes)
{
    unsigned n = put_prefixes(opcode, row, bytes);
    bool memory;

    if (opcode->opcode >= 0x100)
        bytes[n++] = 0x0f;
    if (opcode->opcode >= 0x200)
        bytes[n++] = opcode->opcode >= 0x300 ? 0x3a : 0x38;
    bytes[n++] = (uint8_t)opcode->opcode;
    if (row->forms[0] != FORM__ || opcode->opcode < 0x100)
        bytes[n++] = random_modrm(row, &memory);
    if (has_immediate(row))
        bytes[n++] = (uint8_t)fx_random();
    return n;
}
