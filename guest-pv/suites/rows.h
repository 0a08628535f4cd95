/* Rows of the table of costs: what all files of it share (rows_measure.c). A row is printed as a
 * comment, with its name and its ticks of the TSC per operation, which under -icount shift=0 are
 * instructions: those of the kernel, and of the vmm and hypervisor below it. rows.c has the rows
 * of a kernel that has the machine to itself, rows_pv.c the same operations as a paravirtual guest
 * does them, rows_work.c those that are the same for both. */
#ifndef GUEST_SUITES_ROWS_H
#define GUEST_SUITES_ROWS_H

#include <stdint.h>
#include "mm.h"

#define ROW_REPEATS 1000ul

/* A loop of n operations, which begins with these values in rcx, rdx, rsi and rdi. */
extern struct loop_values {
    uint64_t rcx, rdx, rsi, rdi;
} loop_values;
#define LOOP(name, text)                                                                \
    static void name(uint64_t n)                                                        \
    {                                                                                   \
        struct loop_values v = loop_values;                                             \
        uint64_t rax = 0;                                                               \
                                                                                        \
        __asm__ volatile("1:\t" text "\n\tdecq %0\n\tjnz 1b"                            \
                         : "+r"(n), "+a"(rax), "+c"(v.rcx), "+d"(v.rdx), "+S"(v.rsi),   \
                           "+D"(v.rdi) : : "memory", "cc", "r8", "r10", "r11");         \
    }

/* Runs the loop once for translators and caches, and once more to measure it; an empty loop is
 * subtracted. per: operations in a turn of it. */
void row(const char *name, void (*loop)(uint64_t n), unsigned per);
/* System calls from user mode, which begin() leads to a handler that returns at once. */
void row_of_syscalls(void (*begin)(void), void (*end)(void));
/* Two processes of one kernel: what it keeps of one while the other runs. */
struct process {
    uint64_t rip, rflags, rsp, rbx, rbp, r12, r13, r14, r15;
    struct process *other;
    uint64_t space;             /* the root for CR3; PV: the address of the two mmuext_ops */
};
#define PROCESS_RBX 24          /* offsets */
#define PROCESS_OTHER 72
#define PROCESS_SPACE 80
extern struct process row_process[2], *row_current;
#define SWITCH_VA 0x7f0000000000ul      /* a page of each process; nothing else is in its L4 slot */
/* begin() makes the address spaces, with these frames at SWITCH_VA, loads that of row_process[0],
 * and leads system calls to a handler that switches to the other process; end() undoes all that. */
void row_of_switches(void (*begin)(const pfn_t *frames), void (*end)(void));
/* process() copies an address space of SPACE_PAGES pages like the parent's, changes each page of
 * the copy, destroys it, and returns the sum of the pages' first words. */
#define SPACE_PAGES 32u
void row_of_processes(uint64_t (*process)(const pfn_t *parent));
/* ticks: of n operations. */
void print_row(const char *name, uint64_t ticks, uint64_t n);

#endif
