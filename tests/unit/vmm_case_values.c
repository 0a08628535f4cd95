/* What registers and memory hold before a random instruction, so that it does something: see
 * vmm_cases.h. Its bytes and its address are vmm_cases.c. */
#include <string.h>
#include "common/x86/alu.h"
#include "tests/unit/vmm_case_parts.h"
#include "tests/unit/vmm_native.h"

uint64_t random_seed = 1;

uint64_t random64(void)
{
    random_seed ^= random_seed << 13;
    random_seed ^= random_seed >> 7;
    random_seed ^= random_seed << 17;
    return random_seed * 0x2545f4914f6cdd1d;
}

unsigned random_below(unsigned n)
{
    return (unsigned)(random64() >> 32) % n;
}

bool one_in(unsigned n)
{
    return random_below(n) == 0;
}

uint64_t random_value(void)
{
    static const uint64_t special[] = {
        0, 1, 2, ~0ull, 1ull << 63, 0x7fffffffffffffff, 0x80000000, 0x7fffffff, 0xffffffff,
        0x8000, 0x7fff, 0xffff, 0x80, 0x7f, 0xff,
    };
    uint64_t value = random64();

    if (one_in(4))
        return special[random_below(ARRAY_SIZE(special))];
    return one_in(3) ? value >> random_below(64) : value;
}

void set_string(struct test_case *t, uint64_t fs, uint64_t gs)
{
    uint64_t *regs = t->regs, from = random_target(), to = random_target();

    if (one_in(2))
        to = from + random_below(64) - 32;
    regs[RSI] = from - base_of(&t->in, fs, gs);
    regs[RDI] = to;
    regs[RCX] = one_in(6) ? random_below(0x1000) : random_below(40);
    if (t->in.ad_bytes == 4 && regs[RCX] != 0) {
        regs[RSI] |= random64() << 32;
        regs[RDI] |= random64() << 32;
        regs[RCX] |= random64() << 32;
    }
    if (one_in(2)) /* SCAS finds something */
        memset(&regs[RAX], (int)random_below(256), 8);
    if (one_in(3) && from >= NATIVE_DATA && from < NATIVE_READ_ONLY - 64)
        memset((void *)from, (int)(regs[RAX] & 0xff), 64);
    if (one_in(3) && to >= NATIVE_DATA && to < NATIVE_READ_ONLY - 64)
        memset((void *)to, (int)(regs[RAX] & 0xff), 64);
}

static bool uses_stack(const struct test_case *t)
{
    static const uint8_t ops[] = { OP_PUSH, OP_POP,   OP_POP_MEMORY, OP_CALL, OP_RET,
                                   OP_ENTER, OP_LEAVE };

    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
        if (t->k->op == ops[i])
            return true;
    return t->k->op == OP_PUSHF || t->k->op == OP_POPF;
}

static bool is_bit_test(unsigned op)
{
    return op == OP_BT || op == OP_BTS || op == OP_BTR || op == OP_BTC;
}

/* Before the address's registers, which win. */
void set_registers(struct test_case *t)
{
    uint64_t *regs = t->regs;

    for (unsigned r = 0; r < 16; r++)
        regs[r] = random_value();
    regs[REG_RFLAGS] = 0x202 | (random64() & FLAGS_ARITHMETIC) | (one_in(3) ? FLAG_DF : 0);
    if (one_in(2))
        regs[RCX] = (regs[RCX] & ~0xffull) | random_below(66);
    if (t->k == NULL)
        return;
    if (uses_stack(t)) {
        regs[RSP] = random_target();
        regs[RBP] = random_target();
    }
    if (t->k->op == OP_LOOP || t->k->op == OP_LOOPE || t->k->op == OP_LOOPNE ||
        t->k->op == OP_JCXZ)
        regs[RCX] = one_in(2) ? random_below(3) : random_below(3) | 1ull << 32;
    if ((t->k->op == OP_DIV || t->k->op == OP_IDIV) && !one_in(4)) {
        unsigned bits = 8u * t->in.op_bytes;

        regs[RDX] = one_in(2) ? 0 : (uint64_t)-(int64_t)(regs[RAX] >> (bits - 1) & 1);
        if (bits == 8)
            regs[RAX] = random_below(512) - 256u;
    }
    if (is_bit_test(t->k->op) && t->in.memory && t->in.source != NO_REG)
        regs[t->in.source] = (regs[t->in.source] << 16) | ((random_below(4096) - 2048) & 0xffff);
    if (is_bit_test(t->k->op) && t->in.memory && t->in.source != NO_REG && t->in.op_bytes > 2)
        regs[t->in.source] = (uint64_t)(int16_t)regs[t->in.source] |
                             (t->in.op_bytes == 4 ? random64() << 32 : 0);
}

static bool is_our_memory(uint64_t address)
{
    return address >= NATIVE_DATA && address <= NATIVE_READ_ONLY - 16;
}

static uint64_t random_jump(void)
{
    switch (random_below(4)) {
    case 0:
        return random_value() | 1ull << (47 + random_below(16));
    case 1:
        return NATIVE_CODE + random_below(0xf00);
    default:
        return random_target();
    }
}

/* A number in the memory operand or in a register, whichever the ModRM names */
static void set_operand(struct test_case *t, uint64_t value, unsigned bytes)
{
    if (t->in.memory && is_our_memory(t->target))
        memcpy((void *)t->target, &value, bytes);
    else if (!t->in.memory)
        t->regs[modrm_rm(&t->in)] = value;
}

/* After the address's registers: half of the comparisons succeed, jumps lead somewhere. */
void set_values(struct test_case *t)
{
    uint64_t *regs = t->regs, value;
    unsigned bytes;

    switch (t->k->op) {
    case OP_CMPXCHG:
        if (one_in(2))
            set_operand(t, regs[RAX], t->in.op_bytes);
        break;
    case OP_CMPXCHG8B:
    case OP_CMPXCHG16B:
        if (!is_our_memory(t->target) || one_in(2))
            break;
        memcpy((void *)t->target, &regs[RAX], 8);
        bytes = t->k->op == OP_CMPXCHG16B ? 8 : 4;
        memcpy((void *)(t->target + bytes), &regs[RDX], bytes);
        if (one_in(2)) /* almost equal */
            *(uint8_t *)(t->target + random_below(2 * bytes)) ^= (uint8_t)(1u << random_below(8));
        break;
    case OP_JMP:
    case OP_CALL:
        if (t->in.opcode == 0xff)
            set_operand(t, random_jump(), 8);
        break;
    case OP_RET:
    case OP_POPF:
        value = t->k->op == OP_RET ? random_jump() : random64();
        if (is_our_memory(regs[RSP]))
            memcpy((void *)regs[RSP], &value, sizeof(value));
        break;
    }
}
