/* Measures and prints rows: see rows.h. */
#include "bare/bare.h"
#include "rows.h"
#include "suite.h"
#include "user.h"

struct loop_values loop_values;

LOOP(loop_nothing, "")

static uint64_t ticks_of(void (*loop)(uint64_t n), uint64_t n)
{
    uint64_t start = rdtsc();

    loop(n);
    return rdtsc() - start;
}

void print_row(const char *name, uint64_t ticks, uint64_t n)
{
    uint64_t tenths = (ticks * 10 + n / 2) / n;

    test_diag("row %s: %lu.%lu", name, tenths / 10, tenths % 10);
}

void row(const char *name, void (*loop)(uint64_t n), unsigned per)
{
    uint64_t empty, ticks;

    loop(ROW_REPEATS);
    loop_nothing(ROW_REPEATS);
    empty = ticks_of(loop_nothing, ROW_REPEATS);
    ticks = ticks_of(loop, ROW_REPEATS);
    print_row(name, ticks > empty ? ticks - empty : 0, ROW_REPEATS * per);
}

/* Once for translators and caches, and once more to measure it. */
void row_of_processes(uint64_t (*process)(const pfn_t *parent))
{
    pfn_t parent[SPACE_PAGES];
    uint64_t start, sum;

    for (unsigned i = 0; i < SPACE_PAGES; i++) {
        parent[i] = frame_alloc();
        *(uint64_t *)p2v(parent[i]) = i;
    }
    process(parent);
    start = rdtsc();
    sum = process(parent);
    print_row("process of 32 pages", rdtsc() - start, 1);
    EXPECT_EQ(sum, SPACE_PAGES * (SPACE_PAGES + 1) / 2);
    for (unsigned i = 0; i < SPACE_PAGES; i++)
        frame_free(parent[i]);
}

/* --- from user mode --------------------------------------------------------------------------- */

#define USER_LOOP(name, text)                                                           \
    USER_CODE static uint64_t name(uint64_t n)                                          \
    {                                                                                   \
        uint64_t start, end;                                                            \
                                                                                        \
        __asm__ volatile("rdtsc\n\tshlq $32, %%rdx\n\torq %%rdx, %%rax\n\tmovq %%rax, %0\n"     \
                         "1:\t" text "\n\tdecq %2\n\tjnz 1b\n\trdtsc\n\tshlq $32, %%rdx\n\t"    \
                         "orq %%rdx, %%rax\n\tmovq %%rax, %1"                           \
                         : "=&r"(start), "=&r"(end), "+r"(n)                            \
                         : : "rax", "rdx", "rcx", "r11", "memory", "cc");               \
        return end - start;                                                             \
    }
USER_LOOP(user_nothing, "")
USER_LOOP(user_syscall_loop, "syscall")

/* user_exit()'s own system call needs the kernel's entry back, so the user code ends by a trap. */
USER_CODE __attribute__((naked)) static void user_measure(void)
{
    __asm__("callq *%rsi\n\tint3");
}

static uint64_t last_user_rax;

static bool keep_rax(struct regs *r)
{
    last_user_rax = r->rax;
    return false;
}

static uint64_t user_ticks(uint64_t (*fn)(uint64_t n))
{
    struct regs r;
    struct user_result res;

    user_init_regs(&r, user_measure, ROW_REPEATS, (uint64_t)fn, 0);
    res = user_run_regs(&r);
    EXPECT_FAULT(res.fault, TRAP_BP, 0);
    return last_user_rax;
}

/* --- switches --------------------------------------------------------------------------------- */

struct process row_process[2], *row_current;
_Static_assert(offsetof(struct process, rbx) == PROCESS_RBX &&
               offsetof(struct process, other) == PROCESS_OTHER &&
               offsetof(struct process, space) == PROCESS_SPACE, "for asm");

/* rdi: how often. Each process counts its turns at SWITCH_VA, where each has a page of its own. */
USER_CODE __attribute__((naked)) static void user_first(void)
{
    __asm__("movq %rdi, %rbp\n\tmovq %rsi, %rbx\n\trdtsc\n\tshlq $32, %rdx\n\torq %rdx, %rax\n\t"
            "movq %rax, %r12\n1:\tincq (%rbx)\n\tsyscall\n\tdecq %rbp\n\tjnz 1b\n\t"
            "rdtsc\n\tshlq $32, %rdx\n\torq %rdx, %rax\n\tsubq %r12, %rax\n\tint3");
}
USER_CODE __attribute__((naked)) static void user_second(void)
{
    __asm__("1:\tincq (%rbx)\n\tsyscall\n\tjmp 1b");
}

static void run_switches(void)
{
    struct regs r;
    struct user_result res;

    row_current = &row_process[0];
    row_process[0].other = &row_process[1];
    row_process[1].other = &row_process[0];
    row_process[1].rip = (uint64_t)user_second;
    row_process[1].rflags = 0x202;
    row_process[1].rbx = SWITCH_VA;
    user_init_regs(&r, user_first, ROW_REPEATS, SWITCH_VA, 0);
    res = user_run_regs(&r);
    EXPECT_FAULT(res.fault, TRAP_BP, 0);
}

void row_of_switches(void (*begin)(const pfn_t *frames), void (*end)(void))
{
    trap_handler old = trap_set_handler(TRAP_BP, keep_rax);
    pfn_t frames[2] = { frame_alloc(), frame_alloc() };

    begin(frames);
    run_switches();
    run_switches();
    end();
    trap_set_handler(TRAP_BP, old);
    for (unsigned i = 0; i < 2; i++) {
        EXPECT_EQ(*(uint64_t *)p2v(frames[i]), 2 * ROW_REPEATS);
        frame_free(frames[i]);
    }
    print_row("switch of processes", last_user_rax, 2 * ROW_REPEATS);
}

/* --- system calls ----------------------------------------------------------------------------- */

void row_of_syscalls(void (*begin)(void), void (*end)(void))
{
    trap_handler old = trap_set_handler(TRAP_BP, keep_rax);
    uint64_t empty, ticks;

    user_ticks(user_nothing);
    empty = user_ticks(user_nothing);
    begin();
    user_ticks(user_syscall_loop);
    ticks = user_ticks(user_syscall_loop);
    end();
    trap_set_handler(TRAP_BP, old);
    print_row("syscall", ticks > empty ? ticks - empty : 0, ROW_REPEATS);
}
