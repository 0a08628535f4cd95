/* RDMSR and WRMSR (SDM vol. 4): a table of the registers that the CPUID implies, each a field of
 * struct cpu. All others are #GP(0), which kernels take for absent; so is a value that one must not
 * have. SYSENTER's are kept for kernels that write them without asking. */
#include "common/x86/canonical.h"
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/operand.h"
#include "guest-pv/vmm/core/system.h"
#include "guest-pv/vmm/platform/platform.h"

#define MSR_TSC 0x10

/* What a value has to be. */
enum rule { ANY, CANONICAL, FLAGS_MASK, EFER, PAT };

static const struct msr {
    uint32_t nr;
    uint16_t field;
    uint8_t rule;
} msrs[] = {
#define MSR(nr, field, rule) { nr, offsetof(struct cpu, field), rule }
    MSR(0x174, sysenter[0], ANY),
    MSR(0x175, sysenter[1], CANONICAL),
    MSR(0x176, sysenter[2], CANONICAL),
    MSR(0x277, pat, PAT),
    MSR(0xc0000080, efer, EFER),
    MSR(0xc0000081, star, ANY),
    MSR(0xc0000082, lstar, CANONICAL),
    MSR(0xc0000083, cstar, CANONICAL),
    MSR(0xc0000084, sfmask, FLAGS_MASK),
    MSR(0xc0000100, seg[SEG_FS].base, CANONICAL),
    MSR(0xc0000101, seg[SEG_GS].base, CANONICAL),
    MSR(0xc0000102, kernel_gs_base, CANONICAL),
#undef MSR
};

static uint64_t *find_msr(struct cpu *c, uint32_t nr, const struct msr **found)
{
    for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
        if (msrs[i].nr == nr) {
            *found = &msrs[i];
            return (uint64_t *)((char *)c + msrs[i].field);
        }
    }
    return NULL;
}

/* Eight types of memory, a byte each: 2 and 3 do not exist. */
static bool pat_is_valid(uint64_t value)
{
    for (unsigned i = 0; i < 64; i += 8) {
        unsigned type = value >> i & 0xff;

        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

/* 64-bit mode cannot be left, so LME stays; LMA is the CPU's to write. */
static bool prepare_efer(struct cpu *c, uint64_t *value)
{
    const uint64_t known = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

    if ((*value & ~known) || ((*value ^ c->efer) & EFER_LME))
        return false;
    *value = (*value & ~EFER_LMA) | (c->efer & EFER_LMA);
    return true;
}

/* False: the register cannot have the value. */
static bool prepare_value(struct cpu *c, enum rule rule, uint64_t *value)
{
    switch (rule) {
    case CANONICAL:
        return is_canonical(*value);
    case FLAGS_MASK:
        *value = (uint32_t)*value;
        return true;
    case PAT:
        return pat_is_valid(*value);
    case EFER:
        return prepare_efer(c, value);
    default:
        return true;
    }
}

bool op_rdmsr(struct exec *x)
{
    struct cpu *c = x->c;
    uint32_t nr = (uint32_t)c->regs[RCX];
    const struct msr *m;
    uint64_t value;
    const uint64_t *field = find_msr(c, nr, &m);

    if (!check_cpl_0(x))
        return false;
    if (field == NULL && nr != MSR_TSC)
        return raise_gp(c, 0);
    value = field == NULL ? c->platform->host->tsc() : *field;
    c->regs[RAX] = (uint32_t)value;
    c->regs[RDX] = value >> 32;
    return finish(x);
}

bool op_wrmsr(struct exec *x)
{
    struct cpu *c = x->c;
    uint64_t value = c->regs[RDX] << 32 | (uint32_t)c->regs[RAX], *field;
    const struct msr *m;

    if (!check_cpl_0(x))
        return false;
    field = find_msr(c, (uint32_t)c->regs[RCX], &m);
    if (field == NULL || !prepare_value(c, m->rule, &value))
        return raise_gp(c, 0);
    c->bases_set |= field == &c->seg[SEG_FS].base || field == &c->seg[SEG_GS].base;
    if (m->rule == EFER && ((*field ^ value) & EFER_NXE))
        tlb_flush(c);
    *field = value;
    return finish(x);
}
