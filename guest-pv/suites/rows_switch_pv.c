/* Suite "rowspv": a switch between two processes in user mode, as a paravirtual Linux does it: two
 * new roots in one hypercall, that of the kernel and that of user mode; see rows.h. rows_switch.c
 * has it for a kernel that has the machine to itself. */
#include "hypercall.h"
#include "mm.h"
#include "rows.h"
#include "suite.h"
#include "user.h"

enum { KERNEL_ROOT, USER_ROOT, L3, L2, L1, NR_TABLES };

static pfn_t tables[2][NR_TABLES];
static struct mmuext_op ops[2][2];

/* The frame is rcx r11 rip cs rflags rsp ss; the hypercalls are mmuext_op and iret. */
__attribute__((naked, used)) static void switch_processes(void)
{
    __asm__("popq %%rcx\n\tpopq %%r11\n\tmovq row_current(%%rip), %%rax\n\t"
            "movq (%%rsp), %%rcx\n\tmovq %%rcx, (%%rax)\n\t"
            "movq 16(%%rsp), %%rcx\n\tmovq %%rcx, 8(%%rax)\n\t"
            "movq 24(%%rsp), %%rcx\n\tmovq %%rcx, 16(%%rax)\n\t"
            "movq %%rbx, %c0(%%rax)\n\tmovq %%rbp, %c0+8(%%rax)\n\tmovq %%r12, %c0+16(%%rax)\n\t"
            "movq %%r13, %c0+24(%%rax)\n\tmovq %%r14, %c0+32(%%rax)\n\t"
            "movq %%r15, %c0+40(%%rax)\n\t"
            "movq %c1(%%rax), %%rbx\n\tmovq %%rbx, row_current(%%rip)\n\t"
            "movq %c2(%%rbx), %%rdi\n\tmovl $2, %%esi\n\txorl %%edx, %%edx\n\t"
            "movl $0x7ff0, %%r10d\n\tcall hypercall_page + 26 * 32\n\tmovq %%rbx, %%rax\n\t"
            "movq (%%rax), %%rcx\n\tmovq %%rcx, (%%rsp)\n\t"
            "movq 8(%%rax), %%rcx\n\tmovq %%rcx, 16(%%rsp)\n\t"
            "movq 16(%%rax), %%rcx\n\tmovq %%rcx, 24(%%rsp)\n\t"
            "movq %c0+40(%%rax), %%r15\n\tmovq %c0+32(%%rax), %%r14\n\t"
            "movq %c0+24(%%rax), %%r13\n\tmovq %c0+16(%%rax), %%r12\n\t"
            "movq %c0+8(%%rax), %%rbp\n\tmovq %c0(%%rax), %%rbx\n\t"
            "pushq $0\n\tjmp hypercall_page + 23 * 32"
            : : "i"(PROCESS_RBX), "i"(PROCESS_OTHER), "i"(PROCESS_SPACE));
}

static void fill_entry(pfn_t table, unsigned level, pfn_t below)
{
    ((uint64_t *)p2v(table))[PT_INDEX(SWITCH_VA, level)] =
        make_pte(pfn_to_mfn(below), PTE_USER);
}

/* Two roots, copies of the present ones, and in both this frame at SWITCH_VA. Tables are filled
 * while they are ordinary pages. */
static void make_space(pfn_t *table, pfn_t frame)
{
    const pfn_t from[] = { kernel_root(), user_root() };

    for (unsigned i = 0; i < NR_TABLES; i++)
        table[i] = frame_alloc();
    for (unsigned i = KERNEL_ROOT; i <= USER_ROOT; i++) {
        for (unsigned slot = 0; slot < 512; slot++)
            if (slot < PT_INDEX(HOLE_START, 4) || slot >= PT_INDEX(HOLE_END, 4))
                ((uint64_t *)p2v(table[i]))[slot] =
                    ((const volatile uint64_t *)p2v(from[i]))[slot];
        fill_entry(table[i], 4, table[L3]);
    }
    fill_entry(table[L3], 3, table[L2]);
    fill_entry(table[L2], 2, table[L1]);
    fill_entry(table[L1], 1, frame);
    for (unsigned i = 0; i < NR_TABLES; i++)
        EXPECT_EQ(frame_set_ro(table[i]), 0);
    for (unsigned i = KERNEL_ROOT; i <= USER_ROOT; i++)
        EXPECT_EQ(mmu_pin(4, table[i]), 0);
}

static void load_roots(pfn_t kernel, pfn_t user)
{
    EXPECT_EQ(mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(kernel), 0), 0);
    EXPECT_EQ(mmuext(MMUEXT_NEW_USER_BASEPTR, pfn_to_mfn(user), 0), 0);
}

static void begin(const pfn_t *frames)
{
    struct callback_register cb = { .type = CALLBACKTYPE_syscall, .flags = CALLBACKF_mask_events,
                                    .address = (unsigned long)switch_processes };

    for (unsigned i = 0; i < 2; i++) {
        make_space(tables[i], frames[i]);
        ops[i][0].cmd = MMUEXT_NEW_BASEPTR;
        ops[i][0].arg1.mfn = pfn_to_mfn(tables[i][KERNEL_ROOT]);
        ops[i][1].cmd = MMUEXT_NEW_USER_BASEPTR;
        ops[i][1].arg1.mfn = pfn_to_mfn(tables[i][USER_ROOT]);
        row_process[i].space = (uint64_t)ops[i];
    }
    EXPECT_EQ(xen_callback_op(CALLBACKOP_register, &cb), 0);
    load_roots(tables[0][KERNEL_ROOT], tables[0][USER_ROOT]);
}

static void end(void)
{
    load_roots(kernel_root(), user_root());
    EXPECT_EQ(trap_callbacks_install(), 0);
    for (unsigned i = 0; i < 2; i++) {
        EXPECT_EQ(mmu_unpin(tables[i][KERNEL_ROOT]), 0);
        EXPECT_EQ(mmu_unpin(tables[i][USER_ROOT]), 0);
        for (unsigned k = 0; k < NR_TABLES; k++)
            table_free(tables[i][k]);
    }
}

static void switch_row(void)
{
    row_of_switches(begin, end);
}

SUITE_PART(rowspv, 98, 1, TEST(switch_row));
