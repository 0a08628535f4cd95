/* Suite "rows": a switch between two processes in user mode, each with its own address space; see
 * rows.h. rows_switch_pv.c has it for a paravirtual guest. */
#include <string.h>
#include "mm.h"
#include "rows.h"
#include "sensitive.h"
#include "user.h"

#define MSR_LSTAR 0xc0000082u
#define NR_TABLES 4u                    /* the root, and one of each level below it */

static pfn_t tables[2][NR_TABLES];
static uint64_t lstar;

/* The system call of both. What a compiler expects a call to keep is kept. */
__attribute__((naked, used)) static void switch_processes(void)
{
    __asm__("movq row_current(%%rip), %%rax\n\t"
            "movq %%rcx, (%%rax)\n\tmovq %%r11, 8(%%rax)\n\tmovq %%rsp, 16(%%rax)\n\t"
            "movq %%rbx, %c0(%%rax)\n\tmovq %%rbp, %c0+8(%%rax)\n\tmovq %%r12, %c0+16(%%rax)\n\t"
            "movq %%r13, %c0+24(%%rax)\n\tmovq %%r14, %c0+32(%%rax)\n\t"
            "movq %%r15, %c0+40(%%rax)\n\t"
            "movq %c1(%%rax), %%rax\n\tmovq %%rax, row_current(%%rip)\n\t"
            "movq %c2(%%rax), %%rcx\n\tmovq %%rcx, %%cr3\n\t"
            "movq %c0+40(%%rax), %%r15\n\tmovq %c0+32(%%rax), %%r14\n\t"
            "movq %c0+24(%%rax), %%r13\n\tmovq %c0+16(%%rax), %%r12\n\t"
            "movq %c0+8(%%rax), %%rbp\n\tmovq %c0(%%rax), %%rbx\n\t"
            "movq 16(%%rax), %%rsp\n\tmovq 8(%%rax), %%r11\n\tmovq (%%rax), %%rcx\n\tsysretq"
            : : "i"(PROCESS_RBX), "i"(PROCESS_OTHER), "i"(PROCESS_SPACE));
}

/* The kernel's root, and below it this frame at SWITCH_VA. */
static uint64_t make_space(pfn_t *table, pfn_t frame)
{
    for (unsigned i = 0; i < NR_TABLES; i++)
        table[i] = frame_alloc();
    memcpy(p2v(table[0]), p2v(kernel_root()), PAGE_SIZE);
    for (unsigned level = 4, i = 0; level > 0; level--, i++) {
        pfn_t below = level > 1 ? table[i + 1] : frame;

        ((uint64_t *)p2v(table[i]))[PT_INDEX(SWITCH_VA, level)] = make_pte(below, PTE_USER);
    }
    return table[0] << PAGE_SHIFT;
}

static void begin(const pfn_t *frames)
{
    for (unsigned i = 0; i < 2; i++)
        row_process[i].space = make_space(tables[i], frames[i]);
    lstar = rdmsr(MSR_LSTAR);
    wrmsr(MSR_LSTAR, (uint64_t)switch_processes);
    write_cr3(row_process[0].space);
}

static void end(void)
{
    write_cr3(kernel_root() << PAGE_SHIFT);
    wrmsr(MSR_LSTAR, lstar);
    for (unsigned i = 0; i < 2 * NR_TABLES; i++)
        frame_free(tables[i / NR_TABLES][i % NR_TABLES]);
}

static void switch_row(void)
{
    row_of_switches(begin, end);
}

SUITE_PART(rows, 96, 1, TEST(switch_row));
