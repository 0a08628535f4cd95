/* The architecture's state of a domain and of a vCPU: behind the arch pointers of
 * xen/core/domain.h. */
#ifndef ARCH_X86_VCPU_H
#define ARCH_X86_VCPU_H

#include "arch/arch.h"

struct arch_cpu;
struct cpu;

struct arch_domain {
    /* Page tables of the per-domain slot: 4 MiB of windows for 32 vCPUs. */
    uint64_t *l3, *l2, *l1[2];
};

struct arch_vcpu {
    char *stack;
    uint64_t sp;                /* for switch_stack, while the vCPU does not run */
    void *fpu;                  /* XSAVE or FXSAVE image */
    struct arch_cpu *gdt_of;    /* whose reserved page is in its GDT; NULL: none yet */
};

void boot_vcpu_init(void);              /* the idle vCPU of the CPU that boots */
void idle_vcpu_init(struct vcpu *v, struct arch_vcpu *a, struct vcpu_info *info, struct cpu *cpu);

_Static_assert(MAX_VCPUS << VCPU_WINDOW_SHIFT <= 2u << 21, "two L1 tables");

#endif
