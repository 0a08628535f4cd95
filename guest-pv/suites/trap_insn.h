/* Functions for try_fault() that execute one instruction and record its address. Included by
 * traps.c and entries.c, each with instructions of its own; insn.h is for instructions with
 * results. */
#ifndef GUEST_SUITES_TRAP_INSN_H
#define GUEST_SUITES_TRAP_INSN_H

#include "suite.h"

#define UNMAPPED     ((volatile uint64_t *)0xffffff0000001238ul)

static uint64_t at;                     /* where the instruction under test begins */
#define AT "leaq 1f(%%rip), %%rax\n\tmovq %%rax, %[at]\n1:\t"
#define BODY(name, text, ...)                                                           \
    static void name(void *arg)                                                         \
    {                                                                                   \
        (void)arg;                                                                      \
        __asm__ volatile(AT text : [at] "=m"(at) : __VA_ARGS__                          \
                         : "rax", "rdx", "rcx", "memory", "cc");                        \
    }

static inline struct fault run(void (*fn)(void *))
{
    at = 0;
    return try_fault(fn, NULL);
}
#endif
