/* Suite "rows" (only by name): single operations of a kernel that has the machine to itself; see
 * rows.h. A row fails when its operation does something else than it should. */
#include <string.h>
#include "mm.h"
#include "rows.h"
#include "sensitive.h"
#include "user.h"

#define MSR_LSTAR 0xc0000082u

LOOP(loop_in, "inb $0x71, %%al")
LOOP(loop_out, "outb %%al, $0x80")
LOOP(loop_cr8, "movq %%rax, %%cr8")
LOOP(loop_popf, "pushfq\n\tcli\n\tpopfq")
LOOP(loop_cli_sti, "cli\n\tsti")
LOOP(loop_load, "movq (%%rcx), %%rax")
LOOP(loop_divide, "divl %%ecx")
LOOP(loop_iretq, "movq %%rsp, %%rcx\n\tpushq $0\n\tpushq %%rcx\n\tpushfq\n\tpushq $0x10\n\t"
                 "leaq 2f(%%rip), %%rcx\n\tpushq %%rcx\n\tiretq\n2:")
LOOP(loop_two_entries, "movq %%rsi, (%%rcx)\n\tinvlpg (%%rdx)\n\t"
                       "movq %%rdi, (%%rcx)\n\tinvlpg (%%rdx)")
LOOP(loop_two_roots, "movq %%rsi, %%cr3\n\tmovq (%%rcx), %%rax\n\t"
                     "movq %%rdi, %%cr3\n\tmovq (%%rcx), %%rax")

static void instructions(void)
{
    row("in", loop_in, 1);
    row("out", loop_out, 1);
    row("cr8wr", loop_cr8, 1);
    row("pushf+cli+popf", loop_popf, 1);
    row("cli+sti", loop_cli_sti, 1);
    row("iretq", loop_iretq, 1);
    EXPECT(read_flags() & RFLAGS_IF);
    EXPECT_EQ(read_cr8(), 0);
}

/* --- faults, by the shortest handlers --------------------------------------------------------- */

static volatile uint64_t nr_faults __attribute__((used));

__attribute__((naked, used)) static void skip_three(void)
{
    __asm__("incq nr_faults(%rip)\n\taddq $3, 8(%rsp)\n\taddq $8, %rsp\n\tiretq");
}
__attribute__((naked, used)) static void skip_two(void)
{
    __asm__("incq nr_faults(%rip)\n\taddq $2, (%rsp)\n\tiretq");
}

struct gate {
    uint16_t low, selector, flags, middle;
    uint32_t high, reserved;
};

/* The gate of a vector leads to fn while the loop runs. */
static void row_of_fault(const char *name, void (*loop)(uint64_t n), unsigned vector,
                         void (*fn)(void))
{
    struct gate *gate = (struct gate *)bare_idt.base + vector;
    uint64_t to = (uint64_t)fn;
    struct gate was;

    was = *gate;
    gate->low = (uint16_t)to;
    gate->middle = (uint16_t)(to >> 16);
    gate->high = (uint32_t)(to >> 32);
    nr_faults = 0;
    row(name, loop, 1);
    *gate = was;
    EXPECT_EQ(nr_faults, 2 * ROW_REPEATS);
}

static void fault_rows(void)
{
    loop_values.rcx = 0x1000;           /* nothing is mapped there */
    row_of_fault("pgfault", loop_load, TRAP_PF, skip_three);
    loop_values.rcx = 0;
    row_of_fault("divzero", loop_divide, TRAP_DE, skip_two);
}

/* --- page tables ------------------------------------------------------------------------------ */

static void table_rows(void)
{
    volatile uint64_t *va = va_alloc(1);
    pfn_t a = frame_alloc(), b = frame_alloc();
    pfn_t other = root_clone();

    ASSERT_EQ(map_page(va, make_pte(a, PTE_KERNEL)), 0);
    loop_values = (struct loop_values){
        .rcx = DIRECT_BASE + pte_maddr(va, 1), .rdx = (uint64_t)va,
        .rsi = make_pte(a, PTE_KERNEL), .rdi = make_pte(b, PTE_KERNEL),
    };
    row("ptemod", loop_two_entries, 2);
    *(uint64_t *)p2v(b) = 42;
    EXPECT_EQ(*va, 42);
    loop_values = (struct loop_values){
        .rcx = (uint64_t)va, .rsi = other << PAGE_SHIFT, .rdi = kernel_root() << PAGE_SHIFT,
    };
    row("cr3 load", loop_two_roots, 2);
    EXPECT_EQ(read_cr3(), kernel_root() << PAGE_SHIFT);
    EXPECT_EQ(unmap_page(va), 0);
    table_free(other);
    frame_free(a);
    frame_free(b);
}

/* --- an address space ------------------------------------------------------------------------- */

#define SPACE_VA 0x7f0000000000ul       /* a slot of the user half that nothing else is in */

static void copy_page(void *to, const void *from)
{
    memcpy(to, from, PAGE_SIZE);
}

/* A root with the kernel's entries and 32 pages, copies of others; each written once while it is
 * loaded; and all of it freed again. As fork, a run and exit do. */
static uint64_t process(const pfn_t *parent)
{
    pfn_t frames[3 + SPACE_PAGES], root;
    uint64_t *table, sum = 0;

    for (unsigned i = 0; i < 3 + SPACE_PAGES; i++)
        frames[i] = frame_alloc();
    root = frame_alloc();
    copy_page(p2v(root), p2v(kernel_root()));
    table = p2v(root);
    for (unsigned level = 4, i = 0; level > 1; level--, i++) {
        table[PT_INDEX(SPACE_VA, level)] = make_pte(frames[i], PTE_TABLE);
        table = p2v(frames[i]);
    }
    for (unsigned i = 0; i < SPACE_PAGES; i++) {
        copy_page(p2v(frames[3 + i]), p2v(parent[i]));
        table[i] = make_pte(frames[3 + i], PTE_USER);
    }
    write_cr3(root << PAGE_SHIFT);
    for (unsigned i = 0; i < SPACE_PAGES; i++)
        sum += ++*(volatile uint64_t *)(SPACE_VA + i * PAGE_SIZE);
    write_cr3(kernel_root() << PAGE_SHIFT);
    for (unsigned i = 0; i < 3 + SPACE_PAGES; i++)
        frame_free(frames[i]);
    frame_free(root);
    return sum;
}

static void process_row(void)
{
    row_of_processes(process);
}

/* --- from user mode --------------------------------------------------------------------------- */

__attribute__((naked, used)) static void short_syscall(void)
{
    __asm__("sysretq");
}

static uint64_t lstar;

static void begin_syscalls(void)
{
    lstar = rdmsr(MSR_LSTAR);
    wrmsr(MSR_LSTAR, (uint64_t)short_syscall);
}
static void end_syscalls(void)
{
    wrmsr(MSR_LSTAR, lstar);
}

static void syscall_row(void)
{
    row_of_syscalls(begin_syscalls, end_syscalls);
}

SUITE(rows, 96, SUITE_NAMED_ONLY | SUITE_NEEDS_BARE, TEST(instructions), TEST(fault_rows),
      TEST(table_rows), TEST(process_row), TEST(syscall_row));
