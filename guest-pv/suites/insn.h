/* Runs one privileged instruction with registers in and out, and records its address. Included by
 * emulation.c and registers.c, each with instructions of its own. */
#ifndef GUEST_SUITES_INSN_H
#define GUEST_SUITES_INSN_H

#include "suite.h"

/* One instruction with rax, rcx, rdx, rdi in and rax, rdx out; `at` is where it begins. */
static struct {
    uint64_t rax, rcx, rdx, rdi;
} io;
static uint64_t at;

#define BODY(name, text)                                                                          \
    static void name(void *arg)                                                                   \
    {                                                                                             \
        uint64_t a = io.rax, c = io.rcx, d = io.rdx, di = io.rdi, start;                          \
        (void)arg;                                                                                \
        __asm__ volatile("leaq 1f(%%rip), %[start]\n\tmovq %[start], %[at]\n1:\t" text            \
                         : "+a"(a), "+c"(c), "+d"(d), "+D"(di), [start] "=&r"(start),             \
                           [at] "=m"(at)                                                          \
                         : : "memory", "cc", "rbx");                                              \
        io.rax = a, io.rcx = c, io.rdx = d, io.rdi = di;                                          \
    }

static inline struct fault run(void (*fn)(void *))
{
    at = 0;
    return try_fault(fn, NULL);
}

static inline struct fault run_a(void (*fn)(void *), uint64_t rax)
{
    io.rax = rax;
    return run(fn);
}
#endif
