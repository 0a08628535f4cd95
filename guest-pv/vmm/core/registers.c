/* Control and debug registers (SDM vol. 3, 2.5 and 17.2): what they may be is what the CPUID allows
 * in 64-bit mode, and paging cannot be left. A change of the paging's rules flushes the TLB. Debug
 * registers are kept, but no breakpoint stops the guest. */
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/operand.h"
#include "guest-pv/vmm/core/system.h"

#define CR0_WRITABLE                                                                               \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
#define CR4_WRITABLE                                                                               \
    (CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT)
#define CR4_PAGING (CR4_PSE | CR4_PAE | CR4_PGE)
#define PHYSICAL_BITS 40
#define HIGHEST_CR8 15

#define DR6_FIXED 0xffff0ff0ull
#define DR6_WRITABLE 0xe00full
#define DR6_BD (1ull << 13)
#define DR7_FIXED (1ull << 10)
#define DR7_WRITABLE 0xffff23ffull
#define DR7_GD (1ull << 13)

static bool write_cr0(struct cpu *c, uint64_t value)
{
    uint64_t changed;

    if (value >> 32 || (value & (CR0_PG | CR0_PE)) != (CR0_PG | CR0_PE) ||
        (value & (CR0_NW | CR0_CD)) == CR0_NW)
        return raise_gp(c, 0);
    value = (value & CR0_WRITABLE) | CR0_ET;
    changed = c->cr0 ^ value;
    c->cr0 = value;
    if (changed & (CR0_WP | CR0_PG))
        tlb_flush(c);
    return true;
}

/* Global pages are flushed too: a CPU may forget them at any time. */
static bool write_cr3(struct cpu *c, uint64_t value)
{
    if (value >> PHYSICAL_BITS)
        return raise_gp(c, 0);
    c->cr3 = value;
    tlb_flush(c);
    return true;
}

static bool write_cr4(struct cpu *c, uint64_t value)
{
    if ((value & ~CR4_WRITABLE) || !(value & CR4_PAE))
        return raise_gp(c, 0);
    if ((c->cr4 ^ value) & CR4_PAGING)
        tlb_flush(c);
    c->cr4 = value;
    return true;
}

static bool write_cr(struct cpu *c, unsigned reg, uint64_t value)
{
    switch (reg) {
    case 0:
        return write_cr0(c, value);
    case 2:
        c->cr2 = value;
        return true;
    case 3:
        return write_cr3(c, value);
    case 4:
        return write_cr4(c, value);
    case 8:
        if (value > HIGHEST_CR8)
            return raise_gp(c, 0);
        c->cr8 = value;
        return true;
    }
    return raise_ud(c);
}

static bool mov_control(struct exec *x, bool to_general)
{
    struct cpu *c = x->c;
    const uint64_t *const crs[9] = { [0] = &c->cr0, [2] = &c->cr2, [3] = &c->cr3, [4] = &c->cr4,
                                     [8] = &c->cr8 };
    unsigned reg = modrm_reg(x->in);
    uint64_t *general = &c->regs[modrm_rm(x->in)];

    if (reg >= ARRAY_SIZE(crs) || crs[reg] == NULL)
        return raise_ud(c);
    if (!check_cpl_0(x))
        return false;
    if (to_general)
        *general = *crs[reg];
    else if (!write_cr(c, reg, *general))
        return false;
    return finish(x);
}

/* GD: #DB before any access of a debug register. */
static bool check_debug_access(struct exec *x, unsigned *reg)
{
    struct cpu *c = x->c;

    if (!check_cpl_0(x))
        return false;
    if (*reg == 4 || *reg == 5) {
        if (c->cr4 & CR4_DE)
            return raise_ud(c);
        *reg += 2;
    }
    if (c->dr[7] & DR7_GD) {
        c->dr[6] |= DR6_BD;
        c->dr[7] &= ~DR7_GD;
        return raise_fault(c, VECTOR_DB);
    }
    return true;
}

static bool mov_debug(struct exec *x, bool to_general)
{
    struct cpu *c = x->c;
    unsigned reg = modrm_reg(x->in);
    uint64_t *general = &c->regs[modrm_rm(x->in)];

    if (!check_debug_access(x, &reg))
        return false;
    if (to_general) {
        *general = c->dr[reg];
        return finish(x);
    }
    if (reg >= 6 && *general >> 32)
        return raise_gp(c, 0);
    c->dr[reg] = reg == 6   ? (*general & DR6_WRITABLE) | DR6_FIXED
                 : reg == 7 ? (*general & DR7_WRITABLE) | DR7_FIXED
                            : *general;
    return finish(x);
}

bool op_mov_system(struct exec *x)
{
    switch (x->in->opcode) {
    case 0x120:
        return mov_control(x, true);
    case 0x121:
        return mov_debug(x, true);
    case 0x122:
        return mov_control(x, false);
    case 0x123:
        return mov_debug(x, false);
    }
    return mov_to_segment(x);
}

bool op_clts(struct exec *x)
{
    if (!check_cpl_0(x))
        return false;
    x->c->cr0 &= ~CR0_TS;
    return finish(x);
}

/* No UMIP: any CPL may ask. */
bool op_smsw(struct exec *x)
{
    return write_operand(x, 0, x->c->cr0) && finish(x);
}

/* PE, MP, EM and TS; PE stays set. */
bool op_lmsw(struct exec *x)
{
    uint64_t value;

    if (!check_cpl_0(x) || !read_operand(x, 0, &value))
        return false;
    x->c->cr0 = (x->c->cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) |
                (value & (CR0_MP | CR0_EM | CR0_TS));
    return finish(x);
}
