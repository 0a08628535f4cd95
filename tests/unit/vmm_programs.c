/* Random kernel programs: see vmm_programs.h. A program is functions, then a row of chunks, most of
 * them with random instructions; an exception goes on at the next chunk. */
#include <string.h>
#include "common/x86/alu.h"
#include "tests/unit/vmm_cases.h"
#include "tests/unit/vmm_programs.h"
#include "tests/unit/vmm_undefined.h"

#define NR_FUNCTIONS 4u
#define POINTERS_AT (RESUME_AT + 0x100) /* to the functions */
#define COUNTERS_AT (RESUME_AT + 0x200)

static struct program *p;
static uint64_t functions[NR_FUNCTIONS];

/* --- Bytes ------------------------------------------------------------------------------------ */

static uint64_t here(void)
{
    return p->start + p->len;
}
static void put(const void *bytes, unsigned n)
{
    memcpy(p->bytes + p->len, bytes, n);
    p->len += n;
}
#define PUT(...) put((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
static void put_word(uint64_t word)
{
    put(&word, 4);
}
/* The displacement to an address, behind which the instruction has more bytes. */
static void put_relative(uint64_t to, unsigned more)
{
    put_word(to - (here() + 4 + more));
}

/* --- Instructions that are random ------------------------------------------------------------- */

static const uint16_t usable[] = {
    OP_MOV, OP_XCHG, OP_ADD, OP_OR, OP_ADC, OP_SBB, OP_AND, OP_SUB, OP_XOR, OP_NOT, OP_NEG, OP_INC,
    OP_DEC, OP_SHL, OP_SHR, OP_SAR, OP_SETCC, OP_CMP, OP_PUSH, OP_POP, OP_TEST, OP_IMUL, OP_MOVSXD,
    OP_LEA, OP_NOP, OP_CMOVCC, OP_MOVZX, OP_MOVSX, OP_CBW, OP_CWD, OP_XADD, OP_CMPXCHG, OP_ROL,
    OP_ROR, OP_BSWAP, OP_LEAVE, OP_STC, OP_CMC, OP_STOS, OP_MOVS, OP_PUSHF, OP_CLI, OP_STI,
    OP_DIV, OP_CALL, OP_JMP, OP_RET, OP_SHLD, OP_CLD, OP_LODS,
};

static bool is_usable(const struct insn *in, const struct insn_case *k)
{
    if (k == NULL || in->opcode == 0x8e || in->override == SEG_FS + 1)
        return false;
    if (k->op == OP_SHLD && in->op_bytes == 2)
        return false; /* a count above 16 has no defined result */
    if ((k->op == OP_CALL || k->op == OP_JMP) && (in->opcode != 0xff || in->opsize))
        return false;
    if ((k->op == OP_CALL || k->op == OP_JMP || k->op == OP_RET) && !one_in(8))
        return false; /* most lead nowhere */
    for (unsigned i = 0; i < ARRAY_SIZE(usable); i++)
        if (usable[i] == k->op)
            return true;
    return false;
}

/* A RIP-relative displacement that leads into the data pages. */
static void set_displacement(uint8_t *bytes, struct insn *in)
{
    static const uint8_t marker[4] = { 0x12, 0x34, 0x56, 0x78 };
    int32_t to = (int32_t)(PAGE_AT(PAGE_DATA) + random_below(0x2ff0) - (here() + in->length));

    for (unsigned at = 2; at + 4 <= in->length; at++) {
        uint8_t copy[MAX_INSN];

        memcpy(copy, bytes, MAX_INSN);
        memcpy(copy + at, marker, 4);
        if (decode_insn(copy, MAX_INSN, MODE_64, in) && in->base == REG_RIP &&
            in->disp == 0x78563412) {
            memcpy(bytes + at, &to, 4);
            break;
        }
    }
    decode_insn(bytes, MAX_INSN, MODE_64, in);
}

static bool leaves_undefined(const struct insn *in)
{
    struct test_case t = { .in = *in, .k = find_case(in), .regs = { [RCX] = 63 } };

    return t.k != NULL && undefined_flags(&t) != 0;
}

static void put_random(void)
{
    static const uint8_t prefixes[] = { 0x48, 0x48, 0x41, 0x44, 0x4c, 0x66, 0x40, 0x0f,
                                        0x0f, 0x65, 0x67, 0xf3, 0xf2, 0xf0 };
    uint8_t bytes[MAX_INSN];
    struct insn in;

    do {
        unsigned modrm_at = 1 + random_below(3);

        for (unsigned i = 0; i < MAX_INSN; i++)
            bytes[i] = (uint8_t)(i > 2 && one_in(2) ? 0 : random64());
        if (!one_in(4))
            bytes[0] = prefixes[random_below(ARRAY_SIZE(prefixes))];
        if (one_in(8)) /* relative to RIP */
            bytes[modrm_at] = (bytes[modrm_at] & 0x38) | 5;
    } while (!decode_insn(bytes, MAX_INSN, MODE_64, &in) || !is_usable(&in, find_case(&in)));
    if (in.memory && in.base == REG_RIP)
        set_displacement(bytes, &in);
    put(bytes, in.length);
    if (leaves_undefined(&in))
        PUT(0x39, 0xd8); /* cmp %ebx, %eax: now they are defined */
}

/* --- Chunks ----------------------------------------------------------------------------------- */

static void chunk_random(void)
{
    for (unsigned n = 1 + random_below(5); n > 0; n--)
        put_random();
}
static void chunk_flags(void)
{
    switch (random_below(6)) {
    case 0: PUT(0xfa); break;
    case 1: PUT(0xfb); break;
    case 2: PUT(0x9c, 0x58 | random_below(4)); break; /* pushf; pop of RAX to RBX */
    case 3: PUT(0x9c, 0xfa, 0x9d); break;
    case 4:
        PUT(0x68);
        put_word(2 | (random64() & (FLAGS_ARITHMETIC | FLAG_IF | FLAG_DF)));
        PUT(0x9d);
        break;
    default: PUT(0x9c, 0x48, 0x83, 0xc4, 0x08); /* pushf; add $8, %rsp */
    }
}
static void chunk_call(void)
{
    unsigned i = random_below(NR_FUNCTIONS);

    switch (random_below(5)) {
    case 0:
    case 1:
        PUT(0xe8);
        put_relative(functions[i], 0);
        break;
    case 2: /* call *pointer(%rip) */
        PUT(0xff, 0x15);
        put_relative(POINTERS_AT + 8 * i, 0);
        break;
    case 3: /* by a register, of two possible ones with REX */
        PUT(0x48 | one_in(2), 0xc7, 0xc0 | random_below(4));
        put_word(functions[i]);
        if (p->bytes[p->len - 7] & 1)
            PUT(0x41);
        PUT(0xff, 0xd0 | (p->bytes[p->len - 5 - (p->bytes[p->len - 1] == 0x41)] & 7));
        break;
    default: /* push; ret to what is behind, by the function */
        PUT(0x68);
        put_word(functions[i]);
        PUT(0x68);
        put_word(here() + 5);
        PUT(0xc3);
        PUT(0x58); /* pop %rax: the function's address */
    }
}
static void chunk_jump(void)
{
    unsigned at;

    switch (random_below(4)) {
    case 0: /* jcc over a few */
    case 1:
        PUT(0x70 | random_below(16), 0);
        at = p->len;
        chunk_random();
        p->bytes[at - 1] = (uint8_t)(p->len - at);
        break;
    case 2: /* a long one */
        PUT(0x0f, 0x80 | random_below(16));
        put_word(0);
        at = p->len;
        put_random();
        p->bytes[at - 4] = (uint8_t)(p->len - at);
        break;
    default:
        PUT(0xeb, random_below(2));
        PUT(0x90, 0x90);
    }
}
/* Of a few turns: movl $n, counter; ...; decl counter; jnz */
static void chunk_loop(void)
{
    uint64_t counter = COUNTERS_AT + 8 * random_below(8), start;

    PUT(0xc7, 0x04, 0x25);
    put_word(counter);
    put_word(2 + random_below(3));
    start = here();
    put_random();
    if (one_in(2))
        chunk_flags();
    PUT(0xff, 0x0d);
    put_relative(counter, 0);
    PUT(0x0f, 0x85);
    put_relative(start, 0);
}
static void chunk_fault(void)
{
    switch (random_below(6)) {
    case 0: PUT(0x0f, 0x0b); break;
    case 1: PUT(0x31, 0xc9, 0x39, 0xc9, 0xf7, 0xf1); break; /* #DE */
    case 2: PUT(0xcc); break;
    case 3: /* mov %eax, in the page to read */
        PUT(0x89, 0x04, 0x25);
        put_word(PAGE_AT(PAGE_READ_ONLY) + random_below(0xff0));
        break;
    case 4: /* pushf where nothing can be pushed, which is #PF */
        PUT(0x49, 0x89, 0xe0, 0x48, 0xc7, 0xc4); /* mov %rsp, %r8; mov $, %rsp */
        put_word(PAGE_AT(PAGE_READ_ONLY) + 64);
        PUT(0x9c, 0x4c, 0x89, 0xc4);
        break;
    default: /* traps in ring 3: mov %cr2, %rax */
        PUT(0x0f, 0x20, 0xd0);
    }
}
/* Changes the number that a later instruction has, by the page's address or by its alias. */
static void chunk_patch(void)
{
    uint64_t target = here() + 7 + 2;

    if (one_in(2) && target < PAGE_AT(1) && target >= PAGE_AT(0))
        target += PAGE_AT(PAGE_CODE_ALIAS) - PAGE_AT(PAGE_CODE);
    PUT(0xc6, 0x05);
    put_relative(target, 1);
    PUT(random64());
    if (one_in(2))
        PUT(0x90, 0xb0, 0x01); /* nop; mov $1, %al */
    else
        PUT(0x40, 0xb3, 0x02); /* rex mov $2, %bl */
}

/* As kernels do after patching code: mov %ss, %eax; push; push %rsp; addq $8, (%rsp); pushf; mov
 * %cs, %eax; push; push $next; iretq. Sometimes with other flags or another selector. */
static void chunk_iret(void)
{
    PUT(0x8c, 0xd0, 0x50, 0x54, 0x48, 0x83, 0x04, 0x24, 0x08, 0x9c);
    if (one_in(3))
        PUT(0x81, 0x34, 0x24, 0, 1 << random_below(4), 0, 0); /* xorl, of TF, IF, DF or OF */
    PUT(0x8c, 0xc8);
    if (one_in(8))
        PUT(0x83, 0xc8, 3); /* or $3, %eax: CPL 3, whose page is not the user's */
    PUT(0x50, 0x68);
    put_word(here() + 6);
    PUT(0x48, 0xcf);
}

static void put_chunk(void)
{
    static void (*const chunks[])(void) = {
        chunk_random, chunk_random, chunk_random, chunk_flags, chunk_flags, chunk_call, chunk_call,
        chunk_jump, chunk_jump, chunk_loop, chunk_fault, chunk_patch, chunk_iret,
    };
    unsigned at;

    PUT(0x48, 0xc7, 0x04, 0x25);
    put_word(RESUME_AT);
    at = p->len;
    put_word(0);
    chunks[random_below(ARRAY_SIZE(chunks))]();
    memcpy(p->bytes + at, &(uint32_t){ (uint32_t)here() }, 4);
}

void random_program(struct program *program, unsigned chunks)
{
    unsigned at;

    p = program;
    p->len = 0;
    p->start = PAGE_AT(PAGE_CODE) + 16 + random_below(0x1000);
    PUT(0xe9, 0, 0, 0, 0);
    at = p->len;
    for (unsigned i = 0; i < NR_FUNCTIONS; i++) {
        functions[i] = here();
        if (!one_in(3))
            chunk_random();
        if (one_in(4))
            PUT(0xc2, 0, 0);
        else
            PUT(0xc3);
    }
    memcpy(p->bytes + at - 4, &(uint32_t){ p->len - at }, 4);
    for (unsigned i = 0; i < chunks && p->len < MAX_PROGRAM - 400; i++)
        put_chunk();
    PUT(0xfa, 0xf4);
}

static void load_registers(struct cpu *c)
{
    for (unsigned r = 0; r < 16; r++)
        if (r != RSP)
            c->regs[r] = one_in(4) ? random64() >> random_below(64)
                                   : PAGE_AT(PAGE_DATA) + 0x200 + random_below(0x1c00);
    if (one_in(3))
        c->regs[random_below(4)] = PAGE_AT(PAGE_READ_ONLY) - random_below(16);
    c->regs[RCX] = one_in(2) ? random_below(70) : c->regs[RCX];
    c->regs[RSP] = PAGE_AT(PAGE_STACK) + GUEST_PAGE + 8 * random_below(64);
    c->regs[REG_RFLAGS] = FLAG_MBS | (random64() & (FLAGS_ARITHMETIC | FLAG_IF));
}

void load_program(struct pair *pair, const struct program *program, uint64_t state)
{
    uint64_t kept = random_seed, data[256];

    random_seed = state | 1;
    translated_renew(pair);
    pair->state = state;
    translated_write(pair, program->start, program->bytes, program->len);
    translated_write(pair, POINTERS_AT, functions, sizeof(functions));
    translated_write(pair, RESUME_AT, &(uint64_t){ program->start + program->len - 2 }, 8);
    for (unsigned page = PAGE_DATA; page <= PAGE_READ_ONLY; page++) {
        for (unsigned i = 0; i < ARRAY_SIZE(data); i++)
            data[i] = one_in(2) ? random64() : PAGE_AT(PAGE_DATA) + random_below(0x2000);
        translated_write(pair, PAGE_AT(page) + 2048 * random_below(2), data, sizeof(data));
    }
    load_registers(pair->core);
    pair->core->regs[REG_RIP] = program->start;
    translate_set_pending(pair->translated, one_in(4));
    memcpy(pair->translated->regs, pair->core->regs, sizeof(pair->core->regs));
    random_seed = kept;
}
