/* RDMSR and WRMSR, with the fault if there is one. Included by registers.c and msrs.c. */
#ifndef GUEST_SUITES_INSN_MSR_H
#define GUEST_SUITES_INSN_MSR_H

#include "insn.h"

BODY(i_rdmsr, "rdmsr")
BODY(i_wrmsr, "wrmsr")

static struct fault msr_read(uint32_t msr, uint64_t *val)
{
    struct fault f;

    io.rcx = msr;
    f = run(i_rdmsr);
    *val = (io.rdx << 32) | (uint32_t)io.rax;
    return f;
}

static struct fault msr_write(uint32_t msr, uint64_t val)
{
    io.rcx = msr;
    io.rdx = val >> 32;
    return run_a(i_wrmsr, (uint32_t)val);
}

#endif
