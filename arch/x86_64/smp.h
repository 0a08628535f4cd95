/* Bringing up the other CPUs: what the CPU that boots (smp.c) and one that comes (ap.c) share. */
#ifndef ARCH_X86_SMP_H
#define ARCH_X86_SMP_H

#include "arch/x86_64/cpuid_words.h"
#include "arch/x86_64/madt.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/tsc_sync.h"
#include "arch/x86_64/vcpu.h"
#include "xen/core/cpu.h"
#include "xen/core/domain.h"

/* Who changes it:
 *
 *   STARTING --> ALIVE         the CPU, by compare-and-exchange
 *   STARTING --> LOST          the CPU that boots, likewise, when it has waited long enough
 *   ALIVE    --> SYNC --> ALIVE    the CPU that boots, then the CPU, by compare-and-exchange,
 *                              after the TSCs were compared
 *   ALIVE    --> GO            the CPU that boots: the CPU has its number
 *   ALIVE    --> UNFIT         the CPU that boots: the CPU halts
 *   GO       --> READY         the CPU, by compare-and-exchange: it idles from then on
 *   SYNC, GO --> LOST          the CPU that boots, likewise, when it has waited long enough
 *
 * A CPU that finds LOST when it comes halts, too. Its memory is never used for anything else. */
enum ap_state { AP_STARTING, AP_ALIVE, AP_SYNC, AP_GO, AP_READY, AP_LOST, AP_UNFIT };

struct ap {
    uint32_t state;             /* enum ap_state */
    unsigned candidate;         /* 1 for the first behind the CPU that boots: the MADT's order */
    const struct madt_cpu *madt;
    struct tsc_sync sync;
    struct cpuid_words words;   /* written before it is ALIVE */
    struct arch_cpu arch;
    struct cpu cpu;
    struct arch_vcpu idle_arch;
    struct vcpu_info idle_info;
    struct vcpu idle;
};

/* Finds the machine's CPUs. */
void smp_find_cpus(void);
/* The pins of the CPU with that APIC id that are NMIs. */
const struct madt_cpu *smp_madt_cpu(uint32_t apic_id);

void smp_read_words(struct cpuid_words *w);             /* of this CPU */

/* Copies the trampoline to its place; its machine address, or 0: there is no memory for it. */
uint64_t trampoline_prepare(void);
/* The memory of a CPU, which has not started. NULL: there is not enough. */
struct ap *ap_alloc(const struct madt_cpu *m, unsigned candidate);

/* Faults for the tests: option cpu_fault=. */
enum cpu_fault {
    FAULT_NONE, FAULT_MISSING, FAULT_LATE, FAULT_SKEW, FAULT_FEATURE,
    FAULT_STUCK,                /* it is alive, and stops before it has compared its TSC */
    FAULT_GONE,                 /* it stops after that */
};
enum cpu_fault cpu_fault(unsigned candidate);

#endif
