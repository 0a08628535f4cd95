/* Way 1 against the core alone: random programs run once block by block, with the operations' own
 * functions, and once instruction by instruction by emulate_step(); registers, memory and the
 * reason of the end must be the same. And what blocks have to notice: code that changes, mappings
 * that change, chains. The core itself is tested against the host's CPU by test_vmm_integer.c. */
#include "cmocka_main.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/x86/map.h"
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/emulate/block.h"
#include "guest-pv/vmm/emulate/run.h"
#include "tests/unit/vmm_host.h"

#define FRAMES 600u
#define CODE 0x100000u
#define DATA 0x200000u          /* two pages in the middle of which registers point */
#define ARENA (1u << 20)

static uint64_t seed;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* What programs are made of: everything that has a function of its own, and some that has none. */
static const uint16_t usable[] = {
    OP_MOV, OP_XCHG, OP_ADD, OP_OR, OP_ADC, OP_SBB, OP_AND, OP_SUB, OP_XOR, OP_NOT, OP_NEG, OP_INC,
    OP_DEC, OP_SHL, OP_SHR, OP_SAR, OP_SETCC, OP_CMP, OP_PUSH, OP_POP, OP_TEST, OP_IMUL, OP_MOVSXD,
    OP_LEA, OP_NOP, OP_CMOVCC, OP_MOVZX, OP_MOVSX, OP_CBW, OP_CWD, OP_XADD, OP_CMPXCHG, OP_ROL,
    OP_BT, OP_BTS, OP_ROR, OP_BSWAP, OP_LEAVE, OP_STC, OP_CMC, OP_STOS, OP_MOVS,
    OP_MOVNTI, OP_MUL, OP_DIV, OP_SHLD, OP_SHRD, OP_BSF, OP_BSR, OP_TZCNT, OP_BTR, OP_BTC,
    OP_CMPXCHG16B, OP_PUSHF, OP_POPF, OP_CLI, OP_STI, OP_SWAPGS, OP_CLD, OP_STD, OP_RDTSC,
    OP_MFENCE,
};
/* These leave flags undefined, and two implementations may differ there until others define
 * them. */
static const uint16_t undefining[] = {
    OP_SHL, OP_SHR, OP_SAR, OP_IMUL, OP_ROL, OP_ROR, OP_BT, OP_BTS, OP_BTR, OP_BTC, OP_MUL, OP_DIV,
    OP_SHLD, OP_SHRD, OP_BSF, OP_BSR, OP_TZCNT,
};

/* These leave AF undefined: programs have them, or they store and compare AF. */
static const uint16_t logical[] = { OP_AND, OP_OR, OP_XOR, OP_TEST };
static bool with_logical;

static bool is_in(const uint16_t *list, unsigned n, uint16_t op)
{
    for (unsigned i = 0; i < n; i++)
        if (list[i] == op)
            return true;
    return false;
}

/* One instruction that may be part of a program: its length. */
static unsigned random_insn(uint8_t *to)
{
    static const uint8_t prefixes[] = {
        0x48, 0x48, 0x41, 0x44, 0x4c, 0x66, 0x40, 0x0f, 0x0f, 0x64,
    };
    /* What would hardly be met: SWAPGS, MOV from CR0 and CR2, to and from CR8, from CS */
    static const char *const seldom[] = {
        "\x0f\x01\xf8", "\x0f\x20\xc1", "\x0f\x20\xd2", "\x44\x0f\x22", "\x44\x0f\x20",
        "\x8c\xc9\x90", "\x4c\x8c\xd8", "\x0f\xae\xf0",
    };
    struct insn in;
    const struct insn_case *k;

    for (;;) {
        for (unsigned i = 0; i < MAX_INSN; i++)
            to[i] = (uint8_t)(i > 2 && rnd() % 2 ? 0 : rnd());
        if (rnd() % 16 == 0)
            memcpy(to, seldom[rnd() % ARRAY_SIZE(seldom)], 3);
        else if (rnd() % 4)
            to[0] = prefixes[rnd() % sizeof(prefixes)];
        if (!decode_insn(to, MAX_INSN, MODE_64, &in))
            continue;
        k = find_case(&in);
        if (k != NULL && is_in(usable, ARRAY_SIZE(usable), k->op) && in.opcode != 0x8e &&
            (with_logical ? k->op != OP_PUSHF : !is_in(logical, ARRAY_SIZE(logical), k->op)))
            break;
    }
    if (!is_in(undefining, ARRAY_SIZE(undefining), k->op))
        return in.length;
    memcpy(to + in.length, "\x39\xd8", 2); /* cmp %ebx,%eax */
    return in.length + 2u;
}

/* Straight on, with forward branches between instructions, and #UD at the end. */
static unsigned random_program(uint8_t *code)
{
    unsigned at = 0, n = 1 + rnd() % 40;

    with_logical = rnd() % 2;
    for (unsigned i = 0; i < n; i++) {
        if (rnd() % 5 == 0) { /* jcc over the next instruction: its length is put in below */
            unsigned branch = at;

            code[at] = (uint8_t)(0x70 | rnd() % 16);
            at += 2;
            at += random_insn(code + at);
            code[branch + 1] = (uint8_t)(at - branch - 2);
        } else {
            at += random_insn(code + at);
        }
    }
    memcpy(code + at, "\x0f\x0b", 2);
    return at + 2;
}

/* Both, as new: a copy of the state that they were made with, and their memory where programs may
 * have written (everywhere else they fault). */
static struct cpu *machines[2], new_state;

static void make_machines(void)
{
    for (unsigned i = 0; i < 2; i++)
        machines[i] = vmm_cpu_new(FRAMES);
    new_state = *machines[0];
}

static struct cpu *renew(unsigned i)
{
    struct cpu *c = machines[i];
    struct ram ram = c->ram;
    struct platform *platform = c->platform;

    *c = new_state;
    c->ram = ram;
    c->platform = platform;
    set_cpl(c, 0);
    return c;
}

static void set_up(struct cpu *c, const uint8_t *code, unsigned len, uint64_t state)
{
    uint64_t kept = seed;

    seed = state;
    memcpy(c->ram.bytes + CODE, code, len);
    for (unsigned i = 0; i < 16 * 4096; i += 8)
        *(uint64_t *)(c->ram.bytes + DATA + i) = rnd();
    for (unsigned i = 0; i < 16; i++)
        c->regs[i] = rnd() % 3 ? DATA + 0x4000 + rnd() % 0x4000 : rnd();
    c->regs[RSP] = DATA + 0x8000 + 8 * (rnd() % 512);
    c->regs[REG_RFLAGS] = FLAG_MBS | (rnd() & 0x8d5);
    c->regs[REG_RIP] = CODE;
    c->seg[SEG_FS].base = DATA + 0x3000;
    c->seg[SEG_GS].base = DATA + 0x5000;
    c->kernel_gs_base = DATA + 0x6000;
    seed = kept;
}

static void run_by_core(struct cpu *c)
{
    for (unsigned i = 0; i < 3000 && c->stop == STOP_NOT; i++)
        emulate_single_step(c);
}

static void compare_runs(const uint8_t *code, unsigned len, uint64_t state)
{
    struct cpu *a = renew(0), *b = renew(1);

    set_up(a, code, len, state);
    set_up(b, code, len, state);
    run_by_core(a);
    assert_true(blocks_init(b, ARENA));
    if (a->stop == STOP_NOT) { /* a REP with a huge count */
        memset(a->ram.bytes + CODE, 0, FRAMES * 4096 - CODE);
        memset(b->ram.bytes + CODE, 0, FRAMES * 4096 - CODE);
        goto out;
    }
    run_emulated(b);
    if (with_logical)
        a->regs[REG_RFLAGS] = (a->regs[REG_RFLAGS] & ~(uint64_t)FLAG_AF) |
                              (b->regs[REG_RFLAGS] & FLAG_AF);
    for (unsigned i = 0; i < 19; i++)
        if (a->regs[i] != b->regs[i]) {
            fprintf(stderr, "state %#lx: register %u: core %#lx, blocks %#lx; code", state, i,
                    a->regs[i], b->regs[i]);
            for (unsigned j = 0; j < len; j++)
                fprintf(stderr, " %02x", code[j]);
            fprintf(stderr, "\n%s\n%s\n", a->reason, b->reason);
            fail();
        }
    assert_int_equal(a->seg[SEG_GS].base, b->seg[SEG_GS].base);
    assert_int_equal(a->kernel_gs_base, b->kernel_gs_base);
    assert_string_equal(a->reason, b->reason);
    assert_memory_equal(a->ram.bytes + CODE, b->ram.bytes + CODE, FRAMES * 4096 - CODE);
out:
    blocks_free(b);
}

static void random_programs_end_alike(void **state)
{
    uint8_t code[4096];
    const char *chosen = getenv("SEED");
    unsigned n = 3000;

    (void)state;
    make_machines();
    seed = chosen != NULL ? strtoull(chosen, NULL, 0) : 0x9e3779b97f4a7c15;
    for (unsigned i = 0; i < n; i++) {
        unsigned len = random_program(code);

        compare_runs(code, len, rnd());
    }
    for (unsigned i = 0; i < 2; i++)
        vmm_cpu_free(machines[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs_end_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
