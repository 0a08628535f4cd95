/* What the files of suites "sensitive" and "sensitivepv" share: instructions, ticks of the timer to
 * see by whether interrupts are open, and the tests that are the same in both. Without a hypervisor
 * printing is a call of the kernel's, which opens interrupts at its end. */
#ifndef GUEST_SUITES_SENSITIVE_H
#define GUEST_SUITES_SENSITIVE_H

#include "bare/bare.h"
#include "clock.h"
#include "suite.h"

#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

static inline uint64_t read_flags(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
    return flags;
}
static inline void write_flags(uint64_t flags)
{
    __asm__ volatile("pushq %0\n\tpopfq" : : "r"(flags) : "memory", "cc");
}
static inline void cli(void)
{
    __asm__ volatile("cli" : : : "memory");
}
static inline void sti(void)
{
    __asm__ volatile("sti\n\tnop" : : : "memory");
}
static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

struct cpuid {
    uint32_t a, b, c, d;
};
static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;

    __asm__ volatile("cpuid"
                     : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "0"(leaf), "2"(subleaf));
    return r;
}

#define READ_REGISTER(name)                                                             \
    static inline uint64_t read_##name(void)                                            \
    {                                                                                   \
        uint64_t value;                                                                 \
                                                                                        \
        __asm__ volatile("movq %%" #name ", %0" : "=r"(value));                         \
        return value;                                                                   \
    }
#define WRITE_REGISTER(name)                                                            \
    static inline void write_##name(uint64_t value)                                     \
    {                                                                                   \
        __asm__ volatile("movq %0, %%" #name : : "r"(value) : "memory");                \
    }
READ_REGISTER(cr0)
READ_REGISTER(cr2)
READ_REGISTER(cr3)
READ_REGISTER(cr4)
READ_REGISTER(cr8)
READ_REGISTER(dr0)
WRITE_REGISTER(cr0)
WRITE_REGISTER(cr2)
WRITE_REGISTER(cr3)
WRITE_REGISTER(cr4)
WRITE_REGISTER(cr8)
WRITE_REGISTER(dr0)

/* sensitive.c. A tick in a millisecond; called with interrupts closed, since it may come late. */
void arm_tick(void);
/* Waits for it: 20 ms if it must not come, else until it does, 100 ms at most. */
bool no_tick(void);
bool tick(void);
/* IRETQ to the next instruction, with these flags. */
void iretq_to_here(uint64_t flags);

/* Tests of both suites. */
void return_from_own_fault(void);
void rdtsc_runs_forward(void);
void patched_text(void);
void error_codes_of_page_faults(void);
void null_syscall(void);
void user_code_may_not(void);
void user_popf_is_silent(void);
void alignment_check(void);
void fpu_at_the_start(void);

#endif
