/* What concerns the CPU itself and kernels do often: CLI, STI, PUSHF, POPF, SWAPGS, RDTSC, and
 * moves from selectors and control registers. Privileged ones are done here at CPL 0; what may
 * raise something, or is to be looked at by the run loop, is the core's. */
#include <stddef.h>
#include "guest-pv/vmm/emulate/ops.h"
#include "guest-pv/vmm/platform/platform.h"

#define CHECK_CPL_0                     \
    if (unlikely(c->cpl != 0))          \
        return generic(c, op)

static void cli(struct cpu *c, const struct op *op)
{
    CHECK_CPL_0;
    c->regs[REG_RFLAGS] &= ~(uint64_t)FLAG_IF;
    NEXT;
}

/* While no interrupt is waiting, none can come before the next instruction but where a block ends:
 * there the platform may be polled. */
static void sti(struct cpu *c, const struct op *op)
{
    CHECK_CPL_0;
    if (pic_is_asking(&c->platform->pic) || op[1].run == fall_through)
        return generic(c, op);
    c->regs[REG_RFLAGS] |= FLAG_IF;
    NEXT;
}

static void pushf(struct cpu *c, const struct op *op)
{
    TO_WRITE(u64, m, c->regs[RSP] - 8);

    lazy_to_rflags(c);
    *m = c->regs[REG_RFLAGS] & ~(uint64_t)(FLAG_RF | FLAG_VM);
    c->regs[RSP] -= 8;
    NEXT;
}

static void popf(struct cpu *c, const struct op *op)
{
    const uint64_t which = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_TF | FLAG_DF |
                           FLAG_OF | FLAG_NT | FLAG_AC | FLAG_ID | FLAG_IOPL | FLAG_IF;

    CHECK_CPL_0;
    TO_READ(u64, m, c->regs[RSP]);
    if ((*m & FLAG_TF) || pic_is_asking(&c->platform->pic))
        return generic(c, op);
    c->regs[REG_RFLAGS] = (c->regs[REG_RFLAGS] & ~(which | FLAG_RF)) | (*m & which);
    c->regs[RSP] += 8;
    rflags_to_lazy(c);
    NEXT;
}

static void cld(struct cpu *c, const struct op *op)
{
    c->regs[REG_RFLAGS] &= ~(uint64_t)FLAG_DF;
    NEXT;
}

static void swapgs(struct cpu *c, const struct op *op)
{
    uint64_t base = c->seg[SEG_GS].base;

    CHECK_CPL_0;
    c->seg[SEG_GS].base = c->kernel_gs_base;
    c->kernel_gs_base = base;
    NEXT;
}

static void rdtsc(struct cpu *c, const struct op *op)
{
    uint64_t tsc;

    if (unlikely((c->cr4 & CR4_TSD) && c->cpl != 0))
        return generic(c, op);
    tsc = c->platform->host->tsc();
    c->regs[RAX] = (uint32_t)tsc;
    c->regs[RDX] = tsc >> 32;
    NEXT;
}

/* The offset in struct cpu is that of the selector or the control register. */
static void from_selector(struct cpu *c, const struct op *op)
{
    GPR(u64, op->dst) = GPR(const u16, op->segment);
    NEXT;
}
static void from_control(struct cpu *c, const struct op *op)
{
    CHECK_CPL_0;
    GPR(u64, op->dst) = GPR(const u64, op->segment);
    NEXT;
}
static void to_cr8(struct cpu *c, const struct op *op)
{
    CHECK_CPL_0;
    if (unlikely(GPR(u64, op->dst) > 15))
        return generic(c, op);
    c->cr8 = GPR(u64, op->dst);
    NEXT;
}

static void fnstcw(struct cpu *c, const struct op *op)
{
    if (unlikely(c->cr0 & (CR0_EM | CR0_TS)))
        return generic(c, op);
    TO_WRITE(u16, m, address_full(c, op));
    *m = c->fx.fcw;
    NEXT;
}

static op_fn *system_move(const struct insn *in, struct op *op)
{
    static const uint16_t controls[9] = {
        [0] = offsetof(struct cpu, cr0), [2] = offsetof(struct cpu, cr2),
        [3] = offsetof(struct cpu, cr3), [4] = offsetof(struct cpu, cr4),
        [8] = offsetof(struct cpu, cr8),
    };
    unsigned reg = modrm_reg(in);

    op->dst = (uint8_t)(8 * modrm_rm(in));
    if (in->opcode == 0x122)
        return reg == 8 ? to_cr8 : NULL;
    if (in->opcode == 0x120) {
        op->segment = reg < ARRAY_SIZE(controls) ? controls[reg] : 0;
        return op->segment != 0 ? from_control : NULL;
    }
    reg &= 7; /* REX.R does not count */
    if (in->opcode != 0x8c || in->memory || (in->opsize && !(in->rex & 8)) || reg > SEG_GS)
        return NULL;
    op->segment = (uint16_t)(offsetof(struct cpu, seg) + reg * sizeof(struct segment) +
                             offsetof(struct segment, selector));
    return from_selector;
}

op_fn *system_function(const struct insn *in, const struct insn_case *k, struct op *op)
{
    static const struct {
        uint16_t op;
        uint8_t op_bytes;               /* 0: any */
        op_fn *function;
    } rows[] = {
        { OP_CLI, 0, cli },       { OP_STI, 0, sti },       { OP_PUSHF, 8, pushf },
        { OP_POPF, 8, popf },     { OP_CLD, 0, cld },       { OP_SWAPGS, 0, swapgs },
        { OP_RDTSC, 0, rdtsc },   { OP_FNSTCW, 0, fnstcw }, { OP_LFENCE, 0, do_nothing },
        { OP_MFENCE, 0, do_nothing }, { OP_SFENCE, 0, do_nothing },
    };

    if (k->op == OP_MOV)
        return system_move(in, op);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].op == k->op && (rows[i].op_bytes == 0 || rows[i].op_bytes == in->op_bytes))
            return rows[i].function;
    return NULL;
}
