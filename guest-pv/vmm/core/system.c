/* Instructions of the system that have no state of their own to keep elsewhere: descriptor-table
 * registers, INVLPG, caches and fences, HLT, CLI, STI, time stamps (SDM vol. 2). Control and debug
 * registers are registers.c, segments segment.c, MSRs msr.c. What is not here or there is #UD:
 * RDTSCP, MONITOR, MWAIT, SYSENTER and SYSEXIT are not in the CPUID. */
#include <string.h>
#include "common/x86/canonical.h"
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/handlers.h"
#include "guest-pv/vmm/core/operand.h"
#include "guest-pv/vmm/core/system.h"
#include "guest-pv/vmm/platform/platform.h"

/* In memory: a limit of 2 bytes, then a base of 8. */
#define TABLE_BYTES 10

/* LGDT, LIDT */
bool op_load_table(struct exec *x)
{
    struct cpu *c = x->c;
    struct table_register r;
    uint8_t bytes[TABLE_BYTES];

    if (!check_cpl_0(x) || !read_memory(x, 0, bytes, sizeof(bytes)))
        return false;
    memcpy(&r.limit, bytes, 2);
    memcpy(&r.base, bytes + 2, 8);
    if (!is_canonical(r.base))
        return raise_gp(c, 0);
    *(x->k->op == OP_LGDT ? &c->gdtr : &c->idtr) = r;
    return finish(x);
}

/* SGDT, SIDT: no UMIP, any CPL may ask. */
bool op_store_table(struct exec *x)
{
    const struct table_register *r = x->k->op == OP_SGDT ? &x->c->gdtr : &x->c->idtr;
    uint8_t bytes[TABLE_BYTES];

    memcpy(bytes, &r->limit, 2);
    memcpy(bytes + 2, &r->base, 8);
    return write_memory(x, 0, bytes, sizeof(bytes)) && finish(x);
}

/* An address that is not canonical is no page: nothing happens. */
bool op_invlpg(struct exec *x)
{
    if (!check_cpl_0(x))
        return false;
    tlb_flush_page(x->c, x->linear);
    return finish(x);
}

/* WBINVD, WBNOINVD, INVD: there is no cache. */
bool op_invalidate_caches(struct exec *x)
{
    return check_cpl_0(x) && finish(x);
}

/* LFENCE, MFENCE, SFENCE: everything happens in order. */
bool op_fence(struct exec *x)
{
    return finish(x);
}

/* Has the rights and faults of a load. */
bool op_clflush(struct exec *x)
{
    uint8_t byte;

    return read_memory(x, 0, &byte, 1) && finish(x);
}

bool op_hlt(struct exec *x)
{
    if (!check_cpl_0(x))
        return false;
    if (!(x->c->regs[REG_RFLAGS] & FLAG_IF))
        return cpu_stop(x->c, STOP_HALTED, "HLT with interrupts off: the guest is at its end");
    x->c->halted = true;
    return finish(x);
}

bool op_cli(struct exec *x)
{
    if (!cpl_has_io(x->c))
        return raise_gp(x->c, 0);
    x->c->regs[REG_RFLAGS] &= ~(uint64_t)FLAG_IF;
    return finish(x);
}

/* The next instruction is executed before an interrupt comes, if interrupts were off. */
bool op_sti(struct exec *x)
{
    uint64_t *flags = &x->c->regs[REG_RFLAGS];

    if (!cpl_has_io(x->c))
        return raise_gp(x->c, 0);
    if (!(*flags & FLAG_IF))
        x->c->shadow = true;
    *flags |= FLAG_IF;
    return finish(x);
}

bool op_rdtsc(struct exec *x)
{
    struct cpu *c = x->c;
    uint64_t tsc;

    if ((c->cr4 & CR4_TSD) && c->cpl != 0)
        return raise_gp(c, 0);
    tsc = c->platform->host->tsc();
    c->regs[RAX] = (uint32_t)tsc;
    c->regs[RDX] = tsc >> 32;
    return finish(x);
}

/* No counter exists. */
bool op_rdpmc(struct exec *x)
{
    return raise_gp(x->c, 0);
}
