/* What this CPU can do, and how its control registers are set. */
#ifndef ARCH_X86_FEATURES_H
#define ARCH_X86_FEATURES_H

#include "common/compiler.h"

struct cpu_features {
    bool nx, xsave, fsgsbase, smep, rdtscp, de, invariant_tsc, x2apic, mca;
    bool sep, sysenter;         /* SYSENTER exists; it can be used: AMD's CPUs have none in long mode */
    bool hypervisor, tcg;       /* another hypervisor below us, and it is QEMU's emulation of a CPU */
    bool loses_xcr0;            /* has XSAVE, but XCR0 does not stay what XSETBV sets: xsave is false */
    bool early_db;              /* see arch_db_is_early() */
    bool any_base;              /* WRFSBASE takes values that are no addresses: fsgsbase is false */
    bool keeps_fp_pointers;     /* (F)XRSTOR leaves the x87 instruction and operand pointers as they are */
    unsigned paddr_bits;
    uint64_t xcr0_mask;     /* states that guests may have; 0 without XSAVE */
    unsigned xsave_bytes;
};
extern struct cpu_features cpu_features;

void cpu_init(void);                    /* detects, sets CR0, CR4, EFER, PAT, XCR0 */
void cpu_probe(void);                   /* tries what CPUID does not tell; faults can be mended by then */

#endif
