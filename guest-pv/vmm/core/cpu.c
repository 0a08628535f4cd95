/* The CPU's state at power-on, how a fault is raised and how the guest is ended. What delivers the
 * fault is deliver.c. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "guest-pv/vmm/core/cpu.h"

const uint8_t cpu_register_places[18] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
};

#define PAT_AT_RESET 0x0007040600070406ull
#define MXCSR_AT_RESET 0x1f80u

void cpu_reset(struct cpu *c)
{
    memset(c->regs, 0, sizeof(c->regs));
    c->regs[REG_RFLAGS] = FLAG_MBS;
    c->cr0 = CR0_ET;
    c->cr2 = c->cr3 = c->cr4 = c->cr8 = c->efer = 0;
    c->star = c->lstar = c->cstar = c->sfmask = c->kernel_gs_base = 0;
    c->pat = PAT_AT_RESET;
    memset(c->sysenter, 0, sizeof(c->sysenter));
    memset(c->dr, 0, sizeof(c->dr));
    c->dr[6] = 0xffff0ff0;
    c->dr[7] = 0x400;
    memset(c->seg, 0, sizeof(c->seg));
    memset(&c->ldtr, 0, sizeof(c->ldtr));
    memset(&c->tr, 0, sizeof(c->tr));
    memset(&c->gdtr, 0, sizeof(c->gdtr));
    memset(&c->idtr, 0, sizeof(c->idtr));
    c->gdtr.limit = c->idtr.limit = 0xffff;
    c->shadow = c->halted = false;
    c->stop = STOP_NOT;
    c->reason[0] = '\0';
    memset(&c->fx, 0, sizeof(c->fx));
    c->fx.fcw = 0x37f;
    c->fx.mxcsr = MXCSR_AT_RESET;
    c->fx.mxcsr_mask = 0xffff;
    set_cpl(c, 0);
    tlb_init(c);
}

bool raise_fault(struct cpu *c, enum vector vector)
{
    c->fault = (struct cpu_fault){ .vector = (uint8_t)vector };
    return false;
}

bool raise_error(struct cpu *c, enum vector vector, uint32_t error)
{
    c->fault = (struct cpu_fault){ .vector = (uint8_t)vector, .has_error = true, .error = error };
    return false;
}

bool cpu_stop(struct cpu *c, enum stop stop, const char *fmt, ...)
{
    va_list args;

    if (c->stop != STOP_NOT)
        return false;
    c->stop = stop;
    va_start(args, fmt);
    vsnprintf(c->reason, sizeof(c->reason), fmt, args);
    va_end(args);
    return false;
}

void set_cpl(struct cpu *c, unsigned cpl)
{
    c->cpl = (uint8_t)cpl;
    c->tlb = &c->tlbs[cpl == 3];
    c->mapping = (c->mapping & ~1ull) | (cpl == 3);
}
