/* The ALU against the host's own CPU: every operation at every operand size, on registers, with the
 * flags that the SDM defines. Bytes with all pairs of operands, other sizes with random ones. What
 * stores do to memory is test_x86_store.c's. */
#include "cmocka_main.h"
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "common/x86/arith.h"

#define UNDEFINED_BY_SHIFT (FLAG_AF | FLAG_OF)          /* OF: unless the count is 1 */
#define UNDEFINED_BY_BIT (FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF)
#define UNDEFINED_BY_MUL (FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF)
#define UNDEFINED_BY_SCAN (FLAGS_ARITHMETIC & ~FLAG_ZF)
#define UNDEFINED_BY_COUNT (FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF)

/* The operands of an instruction: RAX = a, RBX = b, RCX = c, RDX = d. */
struct state {
    uint64_t a, b, c, d, flags;
};

/* The opcode with operands of more than a byte; with bytes it is one less, where that exists. */
static const struct form {
    const char *name;
    enum insn_op op;
    uint8_t opcode[3], nr, modrm;
    uint8_t sizes;              /* a bit for each: 1, 2, 4, 8 */
    uint16_t undefined;
    uint8_t cpuid;              /* what the CPU has to have */
} forms[] = {
#define TO_A_FROM_B 0xd8        /* ModRM: rm is RAX, reg is RBX */
#define TO_A_BY_B 0xc3          /* rm is RBX, reg is RAX */
#define ON_A(n) (0xc0 | (n) << 3)
#define ON_B(n) (0xc3 | (n) << 3)
    { "add", OP_ADD, { 0x01 }, 1, TO_A_FROM_B, 15, 0, 0 },
    { "or", OP_OR, { 0x09 }, 1, TO_A_FROM_B, 15, FLAG_AF, 0 },
    { "adc", OP_ADC, { 0x11 }, 1, TO_A_FROM_B, 15, 0, 0 },
    { "sbb", OP_SBB, { 0x19 }, 1, TO_A_FROM_B, 15, 0, 0 },
    { "and", OP_AND, { 0x21 }, 1, TO_A_FROM_B, 15, FLAG_AF, 0 },
    { "sub", OP_SUB, { 0x29 }, 1, TO_A_FROM_B, 15, 0, 0 },
    { "xor", OP_XOR, { 0x31 }, 1, TO_A_FROM_B, 15, FLAG_AF, 0 },
    { "cmp", OP_CMP, { 0x39 }, 1, TO_A_FROM_B, 15, 0, 0 },
    { "test", OP_TEST, { 0x85 }, 1, TO_A_FROM_B, 15, FLAG_AF, 0 },
    { "mov", OP_MOV, { 0x89 }, 1, TO_A_FROM_B, 15, 0, 0 },
    { "xadd", OP_XADD, { 0x0f, 0xc1 }, 2, TO_A_FROM_B, 15, 0, 0 },
    { "inc", OP_INC, { 0xff }, 1, ON_A(0), 15, 0, 0 },
    { "dec", OP_DEC, { 0xff }, 1, ON_A(1), 15, 0, 0 },
    { "not", OP_NOT, { 0xf7 }, 1, ON_A(2), 15, 0, 0 },
    { "neg", OP_NEG, { 0xf7 }, 1, ON_A(3), 15, 0, 0 },
    { "rol", OP_ROL, { 0xd3 }, 1, ON_A(0), 15, FLAG_OF, 0 },
    { "ror", OP_ROR, { 0xd3 }, 1, ON_A(1), 15, FLAG_OF, 0 },
    { "rcl", OP_RCL, { 0xd3 }, 1, ON_A(2), 15, FLAG_OF, 0 },
    { "rcr", OP_RCR, { 0xd3 }, 1, ON_A(3), 15, FLAG_OF, 0 },
    { "shl", OP_SHL, { 0xd3 }, 1, ON_A(4), 15, UNDEFINED_BY_SHIFT, 0 },
    { "shr", OP_SHR, { 0xd3 }, 1, ON_A(5), 15, UNDEFINED_BY_SHIFT, 0 },
    { "sar", OP_SAR, { 0xd3 }, 1, ON_A(7), 15, UNDEFINED_BY_SHIFT, 0 },
    { "shld", OP_SHLD, { 0x0f, 0xa5 }, 2, TO_A_FROM_B, 14, UNDEFINED_BY_SHIFT, 0 },
    { "shrd", OP_SHRD, { 0x0f, 0xad }, 2, TO_A_FROM_B, 14, UNDEFINED_BY_SHIFT, 0 },
    { "bt", OP_BT, { 0x0f, 0xa3 }, 2, TO_A_FROM_B, 14, UNDEFINED_BY_BIT, 0 },
    { "bts", OP_BTS, { 0x0f, 0xab }, 2, TO_A_FROM_B, 14, UNDEFINED_BY_BIT, 0 },
    { "btr", OP_BTR, { 0x0f, 0xb3 }, 2, TO_A_FROM_B, 14, UNDEFINED_BY_BIT, 0 },
    { "btc", OP_BTC, { 0x0f, 0xbb }, 2, TO_A_FROM_B, 14, UNDEFINED_BY_BIT, 0 },
    { "bsf", OP_BSF, { 0x0f, 0xbc }, 2, TO_A_BY_B, 14, UNDEFINED_BY_SCAN, 0 },
    { "bsr", OP_BSR, { 0x0f, 0xbd }, 2, TO_A_BY_B, 14, UNDEFINED_BY_SCAN, 0 },
#define HAS_POPCNT 1
#define HAS_BMI 2
#define HAS_LZCNT 4
    { "popcnt", OP_POPCNT, { 0xf3, 0x0f, 0xb8 }, 3, TO_A_BY_B, 14, 0, HAS_POPCNT },
    { "tzcnt", OP_TZCNT, { 0xf3, 0x0f, 0xbc }, 3, TO_A_BY_B, 14, UNDEFINED_BY_COUNT, HAS_BMI },
    { "lzcnt", OP_LZCNT, { 0xf3, 0x0f, 0xbd }, 3, TO_A_BY_B, 14, UNDEFINED_BY_COUNT, HAS_LZCNT },
    { "mul", OP_MUL, { 0xf7 }, 1, ON_B(4), 15, UNDEFINED_BY_MUL, 0 },
    { "imul", OP_IMUL, { 0xf7 }, 1, ON_B(5), 15, UNDEFINED_BY_MUL, 0 },
    { "div", OP_DIV, { 0xf7 }, 1, ON_B(6), 15, FLAGS_ARITHMETIC, 0 },
    { "idiv", OP_IDIV, { 0xf7 }, 1, ON_B(7), 15, FLAGS_ARITHMETIC, 0 },
};

/* --- The host's CPU --------------------------------------------------------------------------- */

static uint8_t *code;

static unsigned emit_insn(const struct form *f, unsigned bytes, uint8_t *p)
{
    unsigned n = 0, prefixes = f->nr == 3;

    if (bytes == 2)
        p[n++] = 0x66;
    if (prefixes)
        p[n++] = f->opcode[0];
    if (bytes == 8)
        p[n++] = 0x48;
    memcpy(p + n, f->opcode + prefixes, f->nr - prefixes);
    n += f->nr - prefixes;
    p[n - 1] -= bytes == 1;
    p[n++] = f->modrm;
    return n;
}

/* void code(struct state *): loads the registers and the flags, executes, stores them again. */
static void emit(const struct form *f, unsigned bytes)
{
    static const uint8_t before[] = {
        0x53,                                           /* push %rbx */
        0x48, 0x8b, 0x07, 0x48, 0x8b, 0x5f, 0x08,       /* mov (%rdi),%rax; mov 8(%rdi),%rbx */
        0x48, 0x8b, 0x4f, 0x10, 0x48, 0x8b, 0x57, 0x18, /* 16, %rcx; 24, %rdx */
        0xff, 0x77, 0x20, 0x9d,                         /* push 32(%rdi); popf */
    };
    static const uint8_t after[] = {
        0x9c, 0x8f, 0x47, 0x20,                         /* pushf; pop 32(%rdi) */
        0x48, 0x89, 0x07, 0x48, 0x89, 0x5f, 0x08,
        0x48, 0x89, 0x4f, 0x10, 0x48, 0x89, 0x57, 0x18,
        0x5b, 0xc3,                                     /* pop %rbx; ret */
    };
    uint8_t *p = code;

    memcpy(p, before, sizeof(before));
    p += sizeof(before);
    p += emit_insn(f, bytes, p);
    memcpy(p, after, sizeof(after));
}

static sigjmp_buf out;

static void on_divide_error(int signal)
{
    (void)signal;
    siglongjmp(out, 1);
}

static bool run_on_host(struct state *s)
{
    if (sigsetjmp(out, 0) != 0)
        return false;
    ((void (*)(struct state *))(uintptr_t)code)(s);
    return true;
}

/* --- Ours ------------------------------------------------------------------------------------- */

static void write_part(uint64_t *reg, unsigned bytes, uint64_t value)
{
    uint64_t mask = size_mask(bytes);

    *reg = (bytes >= 4 ? 0 : *reg & ~mask) | (value & mask);
}

/* rDX:rAX, or AX */
static void write_pair(struct state *s, unsigned bytes, uint64_t low, uint64_t high)
{
    if (bytes == 1) {
        write_part(&s->a, 2, (low & 0xff) | (high & 0xff) << 8);
        return;
    }
    write_part(&s->a, bytes, low);
    write_part(&s->d, bytes, high);
}

static bool run_ours(enum insn_op op, unsigned bytes, struct state *s)
{
    uint64_t low, high, old = s->a;

    switch (op) {
    case OP_MUL:
    case OP_IMUL:
        multiply(op == OP_IMUL, bytes, s->a, s->b, &low, &high, &s->flags);
        write_pair(s, bytes, low, high);
        return true;
    case OP_DIV:
    case OP_IDIV:
        high = bytes == 1 ? s->a >> 8 : s->d;
        if (!divide(op == OP_IDIV, bytes, high, s->a, s->b, &low, &high))
            return false;
        write_pair(s, bytes, low, high);
        return true;
    case OP_BSF:
    case OP_BSR:
    case OP_TZCNT:
    case OP_LZCNT:
    case OP_POPCNT:
        write_part(&s->a, bytes, count_bits(op, bytes, s->a, s->b, &s->flags));
        return true;
    case OP_CMP:
    case OP_TEST:
    case OP_BT:
        assert_int_equal(alu(op, bytes, s->a, s->b, 0, &s->flags), s->a);
        return true;
    default:
        write_part(&s->a, bytes, alu(op, bytes, s->a, s->b, s->c & 0xff, &s->flags));
        if (op == OP_XADD)
            write_part(&s->b, bytes, old);
        return true;
    }
}

/* --- Both ------------------------------------------------------------------------------------- */

static unsigned count_of(const struct state *s, unsigned bytes)
{
    return (unsigned)s->c & (bytes == 8 ? 63 : 31);
}

static bool is_shift(enum insn_op op)
{
    return (op >= OP_ROL && op <= OP_SAR) || op == OP_SHLD || op == OP_SHRD;
}

/* The flags that are undefined for these operands */
static uint64_t undefined_flags(const struct form *f, unsigned bytes, const struct state *s)
{
    uint64_t undefined = f->undefined;

    if (is_shift(f->op)) {
        unsigned count = count_of(s, bytes);

        if (count == 0)
            return 0;
        if (count == 1)
            undefined &= ~FLAG_OF;
        if ((f->op == OP_SHL || f->op == OP_SHR) && count >= 8 * bytes)
            undefined |= FLAG_CF;
    }
    return undefined;
}

static void compare_once(const struct form *f, unsigned bytes, const struct state *in)
{
    struct state host = *in, ours = *in;
    bool host_ok, ours_ok;

    if ((f->op == OP_SHLD || f->op == OP_SHRD) && bytes == 2 && count_of(in, bytes) > 16)
        return;                         /* the result is undefined */
    host_ok = run_on_host(&host);
    ours_ok = run_ours(f->op, bytes, &ours);
    if (host_ok != ours_ok)
        fail_msg("%s, %u bytes: %lx:%lx, %lx: #DE or not", f->name, bytes, in->d, in->a, in->b);
    if (!host_ok)
        return;
    if ((f->op == OP_BSF || f->op == OP_BSR) && (in->b & size_mask(bytes)) == 0)
        ours.a = host.a;                /* likewise */
    if (host.a != ours.a || host.b != ours.b || host.d != ours.d)
        fail_msg("%s, %u bytes, of %lx %lx %lx %lx, flags %lx: %lx %lx %lx, the CPU: %lx %lx %lx",
                 f->name, bytes, in->a, in->b, in->c, in->d, in->flags, ours.a, ours.b, ours.d,
                 host.a, host.b, host.d);
    if ((host.flags ^ ours.flags) & FLAGS_ARITHMETIC & ~undefined_flags(f, bytes, in))
        fail_msg("%s, %u bytes, of %lx %lx %lx, flags %lx: flags %lx, the CPU: %lx", f->name,
                 bytes, in->a, in->b, in->c, in->flags, ours.flags, host.flags);
}

static uint64_t random64(void)
{
    static const uint64_t special[] = {
        0, 1, 2, ~0ull, 1ull << 63, 0x7fffffffffffffff, 0x80000000, 0x7fffffff, 0xffffffff, 0x8000,
        0x7fff, 0xffff, 0x80, 0x7f, 0xff,
    };
    uint64_t x = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();

    switch (rand() % 4) {
    case 0:
        return special[(unsigned)rand() % ARRAY_SIZE(special)];
    case 1:
        return x >> rand() % 64;
    default:
        return x;
    }
}

static bool cpu_has(unsigned what)
{
    unsigned a, b, c, d;

    if (what == HAS_POPCNT)
        return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_POPCNT);
    if (what == HAS_BMI)
        return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_BMI);
    if (what == HAS_LZCNT)
        return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & bit_LZCNT);
    return true;
}

/* All values of AL with all of BL, CL or AH, whichever the operation takes, and both carries */
static void every_byte(const struct form *f)
{
    for (unsigned i = 0; i < 0x20000; i++) {
        uint64_t a = i & 0xff, other = i >> 8 & 0xff, noise = random64() << 16;
        struct state s = { a | noise, other | noise, other, noise, 0x202 | i >> 16 };

        if (f->op == OP_DIV || f->op == OP_IDIV) {
            s.a = (i & 0xff) | (uint64_t)(rand() & 0xff) << 8;
            s.b = other;
        }
        if (is_shift(f->op) && other >= 0x80)
            s.c = (uint64_t)rand();
        s.flags |= (uint64_t)rand() & (FLAGS_ARITHMETIC & ~FLAG_CF);
        compare_once(f, 1, &s);
    }
}

static void random_operands(const struct form *f, unsigned bytes)
{
    for (unsigned i = 0; i < 6000; i++) {
        struct state s = { random64(), random64(), random64(), random64(),
                           0x202 | (random64() & FLAGS_ARITHMETIC) };

        if (rand() % 2)
            s.c = (uint64_t)rand() % (8 * bytes + 2);
        if (f->op == OP_DIV && rand() % 2)              /* few random quotients fit */
            s.d = rand() % 2 ? random64() >> rand() % 64 : 0;
        if (f->op == OP_IDIV && rand() % 2)
            s.d = rand() % 2 ? random64() >> rand() % 64 : -(s.a >> (8 * bytes - 1) & 1);
        compare_once(f, bytes, &s);
    }
}

static void alu_computes_as_the_cpu_does(void **state)
{
    struct sigaction action = { .sa_handler = on_divide_error, .sa_flags = SA_NODEFER };

    (void)state;
    sigaction(SIGFPE, &action, NULL);
    srand(11);
    for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
        const struct form *f = &forms[i];

        if (!cpu_has(f->cpuid))
            continue;
        for (unsigned log = 0; log < 4; log++) {
            if (!(f->sizes >> log & 1))
                continue;
            emit(f, 1u << log);
            if (log == 0)
                every_byte(f);
            else
                random_operands(f, 1u << log);
        }
    }
}

/* Jcc, SETcc and CMOVcc use the same conditions: tested by SETcc. */
static void conditions_as_the_cpu_has_them(void **state)
{
    static const uint64_t bits[] = { FLAG_CF, FLAG_PF, FLAG_ZF, FLAG_SF, FLAG_OF };

    (void)state;
    for (unsigned condition = 0; condition < 16; condition++) {
        const struct form setcc = {
            "setcc", OP_SETCC, { 0x0f, (uint8_t)(0x90 + condition) }, 2, ON_A(0), 2, 0, 0,
        };

        emit(&setcc, 4);
        for (unsigned i = 0; i < 32; i++) {
            struct state s = { .flags = 0x202 };

            for (unsigned bit = 0; bit < 5; bit++)
                s.flags |= i >> bit & 1 ? bits[bit] : 0;
            assert_true(run_on_host(&s));
            assert_int_equal(condition_holds(condition, s.flags), s.a);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alu_computes_as_the_cpu_does),
        cmocka_unit_test(conditions_as_the_cpu_has_them),
    };
    code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED)
        return 1;
    return cmocka_run_group_tests_name("x86 ALU", tests, NULL, NULL);
}
