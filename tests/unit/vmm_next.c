/* What the guest executes next: see vmm_next.h. */
#include <string.h>
#include "common/x86/address.h"
#include "tests/unit/vmm_case_parts.h"
#include "tests/unit/vmm_next.h"

/* From the window or the lowest pages; others have no code. */
uint8_t code_byte(struct cpu *c, uint64_t rip)
{
    if (rip - WINDOW < NR_PAGES * GUEST_PAGE)
        return *translated_at(c, rip);
    return rip < 0x28000 ? c->ram.bytes[rip] : 0x06; /* no instruction */
}

bool next_insn(struct cpu *c, struct test_case *t)
{
    uint8_t bytes[MAX_INSN];

    memset(t, 0, sizeof(*t));
    for (unsigned i = 0; i < MAX_INSN; i++)
        bytes[i] = code_byte(c, c->regs[REG_RIP] + i);
    if (!decode_insn(bytes, MAX_INSN, MODE_64, &t->in))
        return false;
    t->k = find_case(&t->in);
    memcpy(t->regs, c->regs, sizeof(t->regs));
    return t->k != NULL;
}

bool is_next(struct cpu *c, unsigned op)
{
    struct test_case t;

    return next_insn(c, &t) && t.k->op == op;
}

/* Memory of this process, which the guest does not have: the test's, the region, and all that is
 * neither low nor the kernel's. And the guest's tables: the core's TLB may have what was there. */
static bool is_foreign(uint64_t address)
{
    return (address >= 0xfc0 && address < 0x30000) || (address >= 0x1f0000 && address < 0x300000) ||
           (address >= REGION - 0x10000 && address < REGION + 0x400000) ||
           (address >= 0x3fff0000 && address < 1ull << 47) ||
           (address >= PAGE_AT(PAGE_TABLE) - 64 && address < PAGE_AT(PAGE_TABLE + 1) + 64);
}

/* Where a branch by register, memory or stack leads, if it is canonical and known. */
static bool is_wild(struct cpu *c, const struct test_case *t)
{
    uint64_t at = t->k->op == OP_RET ? c->regs[RSP] : operand_offset(&t->in, cpu_regs(c)), target;

    if (t->k->op != OP_RET && t->in.opcode != 0xff)
        return false;
    if (t->k->op != OP_RET && t->k->op != OP_JMP && t->k->op != OP_CALL)
        return false;
    if (t->k->op != OP_RET && !t->in.memory)
        target = c->regs[modrm_rm(&t->in)];
    else if (at - WINDOW < NR_PAGES * GUEST_PAGE - 8)
        memcpy(&target, translated_at(c, at), 8);
    else
        return false;
    return target - WINDOW >= NR_PAGES * GUEST_PAGE && target != 0;
}

bool leaves_window(struct cpu *c, const struct test_case *t)
{
    uint64_t mask = t->in.ad_bytes == 4 ? UINT32_MAX : ~0ull;

    if (is_foreign(c->regs[RSP]) || is_foreign(c->regs[REG_RIP]) || is_wild(c, t) ||
        (c->regs[REG_RIP] >= PAGE_AT(PAGE_VARS) && c->regs[REG_RIP] < PAGE_AT(PAGE_CODE_ALIAS)))
        return true;
    if (t->k->op == OP_LEAVE && is_foreign(c->regs[RBP]))
        return true;
    /* FS's base is this process's, and so are the x87 FPU's registers; and it has FISTTP. */
    if (t->in.override == SEG_FS + 1 || (t->in.opcode & ~7u) == 0xd8)
        return true;
    if (is_string(t->k->op) &&
        (is_foreign(c->regs[RSI] & mask) || is_foreign(c->regs[RDI] & mask) || c->regs[RCX] > 900))
        return true;
    return t->in.memory && is_foreign(operand_offset(&t->in, cpu_regs(c)));
}
