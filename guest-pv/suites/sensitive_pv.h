/* What the files of suite "sensitivepv" share, beside sensitive.h. */
#ifndef GUEST_SUITES_SENSITIVE_PV_H
#define GUEST_SUITES_SENSITIVE_PV_H

#include "event.h"
#include "gdt.h"
#include "hypercall.h"
#include "sensitive.h"

/* A function for try_fault() that executes this. */
#define TRY(name, text)                                                                 \
    static void try_##name(void *arg)                                                   \
    {                                                                                   \
        uint64_t a = 0, c = 0, d = 0;                                                   \
                                                                                        \
        (void)arg;                                                                      \
        __asm__ volatile(text : "+a"(a), "+c"(c), "+d"(d) : : "memory", "cc", "rbx");   \
    }
#define EXPECT_REFUSED(name) EXPECT_FAULT(try_fault(try_##name, NULL), TRAP_GP, 0)

/* CPUID as the hypervisor answers it. */
#define FORCED_CPUID "ud2\n\t.ascii \"xen\"\n\tcpuid"
static inline struct cpuid forced_cpuid_of(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;

    __asm__ volatile(FORCED_CPUID
                     : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "0"(leaf), "2"(subleaf));
    return r;
}

static inline uint64_t task_register(void)
{
    uint64_t tr = 0;

    __asm__ volatile("str %0" : "=r"(tr));
    return tr & 0xffff;
}

static inline bool lsl(uint32_t selector, uint32_t *limit)
{
    bool zf;

    __asm__ volatile("lsll %2, %0" : "=r"(*limit), "=@ccz"(zf) : "r"(selector));
    return zf;
}

#define DATA_32 (D_DATA | D_BIG)        /* a descriptor with DPL 3 */

/* sensitive_pv.c. The registers of the kernel as the frame of a trap has them, of an INT3. */
struct regs frame_of_a_trap(void);

#endif
