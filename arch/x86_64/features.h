/* The CPU's features, and how its control registers are set. */
#ifndef ARCH_X86_FEATURES_H
#define ARCH_X86_FEATURES_H

#include "common/compiler.h"

struct cpu_features {
    bool nx, xsave, fsgsbase, smep, rdtscp, de, invariant_tsc, x2apic, mca;
    bool pge;                   /* global pages are worth to be used */
    bool tsc_adjust;            /* there is an MSR that moves the TSC */
    bool sep, sysenter;         /* SYSENTER exists; it works in long mode (not on AMD's CPUs) */
    bool hypervisor, tcg;       /* there is another hypervisor below; it is QEMU's TCG */
    bool loses_xcr0;            /* has XSAVE, but XCR0 loses what XSETBV wrote: xsave is false */
    bool early_db;              /* see arch_db_is_early() */
    /* WRFSBASE accepts values that are not canonical: fsgsbase is false */
    bool any_base;
    /* (F)XRSTOR does not restore the x87 pointers without an exception */
    bool keeps_fp_pointers;
    unsigned paddr_bits;
    uint64_t xcr0_mask;     /* XCR0 bits that guests may set; 0 without XSAVE */
    unsigned xsave_bytes;
};
extern struct cpu_features cpu_features;

void cpu_init(void);                    /* detects, sets CR0, CR4, EFER, PAT, XCR0 */
void cpu_load(void);                    /* sets the control registers of this CPU likewise */
/* Tests what CPUID does not report; needs the exception table. */
void cpu_probe(void);

#endif
