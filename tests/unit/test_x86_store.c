/* Stores as the hypervisor carries them out, against the host's own CPU: each instruction runs on
 * both with the same random registers, flags and memory, and memory, registers and flags have to be
 * the same afterwards. */
#include "cmocka_main.h"
#include <cpuid.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "common/x86/address.h"
#include "common/x86/store.h"
#include "x86_state.h"

#define MEMORY 64u

/* One opcode, to be used with all operand sizes. */
static const struct form {
    const char *name;
    uint8_t opcode[3];
    uint8_t nr;                 /* bytes of it */
    int8_t field;               /* ModRM's reg field; -1: a register; -2: no ModRM */
    /* bytes of immediate: 0, 1; 4: as many as the operand, but 4 at most */
    uint8_t imm;
    uint8_t sizes;              /* bit per size: 1, 2, 4, 8 */
    uint16_t undefined;         /* flags */
    bool shift;                 /* FLAG_OF is undefined unless the count is 1 */
} forms[] = {
#define ALU(name, first, field)                                 \
    { name, { first }, 1, -1, 0, 1, 0, false },                 \
    { name, { (first) + 1 }, 1, -1, 0, 14, 0, false },          \
    { name " imm8", { 0x80 }, 1, field, 1, 1, 0, false },       \
    { name " imm", { 0x81 }, 1, field, 4, 14, 0, false },       \
    { name " imm8 sx", { 0x83 }, 1, field, 1, 14, 0, false }
#define LOGIC(name, first, field)                               \
    { name, { first }, 1, -1, 0, 1, FLAG_AF, false },           \
    { name, { (first) + 1 }, 1, -1, 0, 14, FLAG_AF, false },    \
    { name " imm8", { 0x80 }, 1, field, 1, 1, FLAG_AF, false }, \
    { name " imm", { 0x81 }, 1, field, 4, 14, FLAG_AF, false }, \
    { name " imm8 sx", { 0x83 }, 1, field, 1, 14, FLAG_AF, false }
#define SHIFT(name, field, undefined)                            \
    { name " 1", { 0xd0 }, 1, field, 0, 1, undefined, true },    \
    { name " 1", { 0xd1 }, 1, field, 0, 14, undefined, true },   \
    { name " cl", { 0xd2 }, 1, field, 0, 1, undefined, true },   \
    { name " cl", { 0xd3 }, 1, field, 0, 14, undefined, true },  \
    { name " imm8", { 0xc0 }, 1, field, 1, 1, undefined, true }, \
    { name " imm8", { 0xc1 }, 1, field, 1, 14, undefined, true }
    ALU("add", 0x00, 0), ALU("adc", 0x10, 2), ALU("sbb", 0x18, 3), ALU("sub", 0x28, 5),
    LOGIC("or", 0x08, 1), LOGIC("and", 0x20, 4), LOGIC("xor", 0x30, 6),
    SHIFT("rol", 0, 0), SHIFT("ror", 1, 0), SHIFT("rcl", 2, 0), SHIFT("rcr", 3, 0),
    SHIFT("shl", 4, FLAG_AF), SHIFT("shr", 5, FLAG_AF),
    SHIFT("sal", 6, FLAG_AF), SHIFT("sar", 7, FLAG_AF),
    { "mov", { 0x88 }, 1, -1, 0, 1, 0, false }, { "mov", { 0x89 }, 1, -1, 0, 14, 0, false },
    { "mov imm", { 0xc6 }, 1, 0, 1, 1, 0, false }, { "mov imm", { 0xc7 }, 1, 0, 4, 14, 0, false },
    { "xchg", { 0x86 }, 1, -1, 0, 1, 0, false }, { "xchg", { 0x87 }, 1, -1, 0, 14, 0, false },
    { "not", { 0xf6 }, 1, 2, 0, 1, 0, false }, { "not", { 0xf7 }, 1, 2, 0, 14, 0, false },
    { "neg", { 0xf6 }, 1, 3, 0, 1, 0, false }, { "neg", { 0xf7 }, 1, 3, 0, 14, 0, false },
    { "inc", { 0xfe }, 1, 0, 0, 1, 0, false }, { "inc", { 0xff }, 1, 0, 0, 14, 0, false },
    { "dec", { 0xfe }, 1, 1, 0, 1, 0, false }, { "dec", { 0xff }, 1, 1, 0, 14, 0, false },
    { "cmpxchg", { 0x0f, 0xb0 }, 2, -1, 0, 1, 0, false },
    { "cmpxchg", { 0x0f, 0xb1 }, 2, -1, 0, 14, 0, false },
    { "xadd", { 0x0f, 0xc0 }, 2, -1, 0, 1, 0, false },
    { "xadd", { 0x0f, 0xc1 }, 2, -1, 0, 14, 0, false },
    { "movnti", { 0x0f, 0xc3 }, 2, -1, 0, 12, 0, false },
    { "movbe", { 0x0f, 0x38, 0xf1 }, 3, -1, 0, 14, 0, false },
    { "cmpxchg8b", { 0x0f, 0xc7 }, 2, 1, 0, 4, 0, false },
    { "shld", { 0x0f, 0xa4 }, 2, -1, 1, 14, FLAG_AF, true },
    { "shld cl", { 0x0f, 0xa5 }, 2, -1, 0, 14, FLAG_AF, true },
    { "shrd", { 0x0f, 0xac }, 2, -1, 1, 14, FLAG_AF, true },
    { "shrd cl", { 0x0f, 0xad }, 2, -1, 0, 14, FLAG_AF, true },
    { "bts", { 0x0f, 0xab }, 2, -1, 0, 14, FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF, false },
    { "btr", { 0x0f, 0xb3 }, 2, -1, 0, 14, FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF, false },
    { "btc", { 0x0f, 0xbb }, 2, -1, 0, 14, FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF, false },
    { "bts imm", { 0x0f, 0xba }, 2, 5, 1, 14, FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF, false },
    { "btr imm", { 0x0f, 0xba }, 2, 6, 1, 14, FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF, false },
    { "btc imm", { 0x0f, 0xba }, 2, 7, 1, 14, FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF, false },
#define SETCC(n) { "setcc", { 0x0f, 0x90 + (n) }, 2, 0, 0, 1, 0, false }
    SETCC(0), SETCC(1), SETCC(2), SETCC(3), SETCC(4), SETCC(5), SETCC(6), SETCC(7), SETCC(8),
        SETCC(9), SETCC(10),
    SETCC(11), SETCC(12), SETCC(13), SETCC(14), SETCC(15),
    { "stos", { 0xaa }, 1, -2, 0, 1, 0, false }, { "stos", { 0xab }, 1, -2, 0, 14, 0, false },
    { "movs", { 0xa4 }, 1, -2, 0, 1, 0, false }, { "movs", { 0xa5 }, 1, -2, 0, 14, 0, false },
};

/* --- The host's CPU: code that loads all registers but rsp, executes one instruction, and saves
 * them. --- */

static uint8_t *code;
static struct context {
    uint64_t regs[16], flags;
} *context;              /* in the second page, so that the code reaches it relative to rip */

static uint8_t *emit(uint8_t *p, const void *bytes, size_t n)
{
    memcpy(p, bytes, n);
    return p + n;
}

static uint8_t *emit_at(uint8_t *p, const char *opcode, size_t n, const void *operand)
{
    int32_t disp;

    p = emit(p, opcode, n);
    disp = (int32_t)((const uint8_t *)operand - (p + 4));
    return emit(p, &disp, 4);
}

static uint8_t *emit_registers(uint8_t *p, uint8_t opcode)
{
    for (unsigned r = 0; r < 16; r++) {
        const char mov[] = {
            (char)(0x48 | (r >> 1 & 4)), (char)opcode, (char)(0x05 | (r & 7) << 3),
        };

        if (r != RSP)
            p = emit_at(p, mov, 3, &context->regs[r]);
    }
    return p;
}

static void run_on_host(const uint8_t *insn, unsigned length)
{
    /* push rbx, rbp, r12-r15 */
    uint8_t *p = emit(code, "\x53\x55\x41\x54\x41\x55\x41\x56\x41\x57", 10);

    p = emit_at(p, "\xff\x35", 2, &context->flags);                             /* push */
    /* popf; what follows changes no flag */
    p = emit(p, "\x9d", 1);
    p = emit_registers(p, 0x8b);
    p = emit(p, insn, length);
    p = emit(p, "\x9c", 1);
    p = emit_at(p, "\x8f\x05", 2, &context->flags);
    p = emit_registers(p, 0x89);
    /* cld, pop all, ret */
    p = emit(p, "\xfc\x41\x5f\x41\x5e\x41\x5d\x41\x5c\x5d\x5b\xc3", 12);
    ((void (*)(void))(uintptr_t)code)();
}

/* --- Ours ------------------------------------------------------------------------------------- */

static void run_ours(const struct insn *in, struct x86_state *regs, uint8_t *memory, uint64_t where)
{
    for (unsigned n = 0; n < 8; n++) {
        struct store_result r;
        uint64_t address, old = 0, src = 0;

        if (is_string_store(in) && in->rep && regs->words[RCX] == 0)
            return;
        address = is_string_store(in) ? regs->words[RDI] : operand_offset(in, regs_of(regs));
        assert_in_range(address, where, where + MEMORY - in->op_bytes);
        memcpy(&old, memory + (address - where), in->op_bytes);
        if (in->op == OP_MOVS)
            memcpy(&src, memory + (regs->words[RSI] - where), in->op_bytes);
        else if (in->op == OP_SETCC)
            src = in->opcode & 15;
        else if (in->op == OP_CMPXCHG8B)
            src = regs->words[RCX] << 32 | (uint32_t)regs->words[RBX];
        else
            src = in->source == NO_REG ? in->imm : read_operand_reg(in, regs_of(regs), in->source);
        store_compute(in, old, src, regs_of(regs), &r);
        if (r.write)
            memcpy(memory + (address - where), &r.value, in->op_bytes);
        store_commit(in, old, &r, regs_of(regs));
        if (!in->rep)
            return;
    }
    fail_msg("the repeat does not end");
}

static uint64_t random64(void)
{
    static const uint64_t special[] = {
        0, 1, ~0ull, 1ull << 63, 0x7fffffffffffffff, 0x80000000, 0x7fffffff, 0x8000, 0x80,
    };
    uint64_t x = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();

    return rand() % 3 ? x : special[(unsigned)rand() % ARRAY_SIZE(special)];
}

static unsigned encode(const struct form *f, unsigned size, uint8_t *insn, unsigned *reg)
{
    unsigned n = 0, rex = size == 8 ? 0x48 : 0, imm = f->imm;
    bool byte = size == 1;

    *reg = f->field >= 0 ? (unsigned)f->field : (unsigned)rand() % 16;
    if (f->field == -1 && (*reg & ~8u) == RSP && !byte)
        *reg = RBX;
    if (f->field == -1 && *reg == RSP && byte)
        rex = 0;                                        /* AH */
    else if (f->field == -1 && *reg >= 8)
        rex |= 0x44;
    if (f->field == -1 && *reg == 12)
        *reg = 13;
    if (size == 2)
        insn[n++] = 0x66;
    if (f->field == -2 && rand() % 2)
        insn[n++] = 0xf3;
    if (rex)
        insn[n++] = (uint8_t)rex;
    memcpy(insn + n, f->opcode, f->nr);
    n += f->nr;
    if (f->field != -2)
        insn[n++] = (uint8_t)(0x07 | (*reg & 7) << 3);  /* (%rdi) */
    if (imm == 4 && size == 2)
        imm = 2;
    for (unsigned i = 0; i < imm; i++)
        insn[n++] = (uint8_t)rand();
    return n;
}

static void set_registers(struct x86_state *regs, uint64_t where, const struct insn *in)
{
    for (unsigned r = 0; r < 16; r++)
        regs->words[r] = context->regs[r] = random64();
    if (rand() % 2)
        regs->words[RCX] = context->regs[RCX] = (uint64_t)rand() % 66;
    if (is_string_store(in))
        regs->words[RCX] = context->regs[RCX] = (uint64_t)rand() % 4;
    if (in->op == OP_CMPXCHG && rand() % 2)
        memcpy(&regs->words[RAX], (void *)(uintptr_t)(where + 24), 8);
    if (in->op == OP_CMPXCHG8B && rand() % 2) {
        memcpy(&regs->words[RAX], (void *)(uintptr_t)(where + 24), 4);
        memcpy(&regs->words[RDX], (void *)(uintptr_t)(where + 28), 4);
    }
    context->regs[RAX] = regs->words[RAX];
    context->regs[RDX] = regs->words[RDX];
    if ((in->op == OP_BTS || in->op == OP_BTR || in->op == OP_BTC) && in->source != NO_REG)
        regs->words[in->source] = context->regs[in->source] = (uint64_t)(rand() % 384 - 192);
    regs->words[RDI] = context->regs[RDI] = where + 24;
    regs->words[RSI] = context->regs[RSI] = where + 32;
    regs->words[REG_RFLAGS] = context->flags = 0x202 | (random64() & FLAGS_ARITHMETIC) |
        (rand() % 2 ? FLAG_DF : 0);
}

/* The reg field may name rdi or rsi, which hold addresses: then an address is stored. */
static void compare_once(const struct form *f, unsigned size)
{
    static uint8_t native[MEMORY], ours[MEMORY];
    uint64_t where = (uint64_t)(uintptr_t)native, ignored = f->undefined;
    struct x86_state regs = { { [REG_RIP] = 0x1000 } };
    uint8_t insn[16], before[MEMORY];
    struct insn in;
    unsigned reg, length = encode(f, size, insn, &reg), count;

    for (unsigned i = 0; i < MEMORY; i++)
        ours[i] = native[i] = before[i] = rand() % 4 ? (uint8_t)rand() : 0xff;
    if (!decode_insn(insn, length, MODE_64, &in) || in.length != length || !is_store(&in))
        fail_msg("%s, %u bytes: not decoded as a store", f->name, size);
    assert_int_equal(in.op_bytes, f->field == 1 && f->opcode[1] == 0xc7 ? 8 : size);
    set_registers(&regs, where, &in);
    if ((in.op == OP_BTS || in.op == OP_BTR || in.op == OP_BTC) &&
        (in.source == RDI || in.source == RSI))
        return;                                         /* a bit number and an address at once */
    count = (unsigned)(in.by_cl ? regs.words[RCX] : in.imm) & (size == 8 ? 63 : 31);
    if (f->shift && count != 1)
        ignored |= count ? FLAG_OF : 0;
    if ((in.op == OP_SHLD || in.op == OP_SHRD) && size == 2 && count > 16)
        return;                                         /* the result is undefined */
    if ((in.op == OP_SHL || in.op == OP_SHR || in.op == OP_SAR) && count >= 8 * size)
        ignored |= in.op == OP_SAR ? 0 : FLAG_CF;
    run_on_host(insn, length);
    run_ours(&in, &regs, ours, where);
    for (unsigned r = 0; r < 16; r++)
        if (r != RSP && context->regs[r] != regs.words[r])
            fail_msg("%s, %u bytes: register %u is %lx, the CPU says %lx", f->name, size, r,
                     regs.words[r], context->regs[r]);
    if ((context->flags ^ regs.words[REG_RFLAGS]) & (FLAGS_ARITHMETIC | FLAG_DF) & ~ignored)
        fail_msg("%s, %u bytes, count %u: flags %lx, the CPU says %lx", f->name, size, count,
                 regs.words[REG_RFLAGS], context->flags);
    if (memcmp(native, ours, MEMORY) != 0)
        fail_msg("%s, %u bytes: memory differs (from %02x)", f->name, size, before[24]);
}

static bool cpu_has_movbe(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_MOVBE);
}

static void stores_do_what_the_cpu_does(void **state)
{
    (void)state;
    srand(9);
    for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
        if (forms[i].opcode[1] == 0x38 && !cpu_has_movbe())
            continue;
        for (unsigned log = 0; log < 4; log++)
            for (unsigned n = 0; (forms[i].sizes >> log & 1) && n < 700; n++)
                compare_once(&forms[i], 1u << log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(stores_do_what_the_cpu_does) };

    code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED)
        return 1;
    context = (struct context *)(code + 4096);
    return cmocka_run_group_tests_name("insn", tests, NULL, NULL);
}
