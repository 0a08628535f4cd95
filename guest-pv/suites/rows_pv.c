/* Suite "rowspv" (only by name): the operations of suite "rows" as a paravirtual guest does them,
 * by hypercalls and by what is emulated for it; see rows.h. The shortest handlers replace the
 * kernel's for the time of a row. */
#include <string.h>
#include "clock.h"
#include "hypercall.h"
#include "mm.h"
#include "rows.h"
#include "suite.h"
#include "user.h"

/* Arguments are set each time: a debug hypervisor overwrites their registers on purpose. */
#define CALL(nr) "call hypercall_page + 32 * " #nr "\n\t"
#define UPDATE_VA_MAPPING(entry) "movq row_va(%%rip), %%rdi\n\tmovq " entry "(%%rip), %%rsi\n\t" \
                                 "movl $2, %%edx\n\t" CALL(14)          /* UVMF_INVLPG */
#define NEW_ROOT(op) "leaq " op "(%%rip), %%rdi\n\tmovl $1, %%esi\n\txorl %%edx, %%edx\n\t"     \
                     "movl $0x7ff0, %%r10d\n\t" CALL(26)                /* DOMID_SELF */

static uint64_t row_va __attribute__((used)), row_entry[2] __attribute__((used));
static struct mmuext_op row_root[2] __attribute__((used));
_Static_assert(sizeof(struct mmuext_op) == 24, "NEW_ROOT's distance");

LOOP(loop_hypercall, "xorl %%edi, %%edi\n\txorl %%esi, %%esi\n\t" CALL(17))
LOOP(loop_in, "inb $0x61, %%al")
LOOP(loop_out, "outb %%al, $0x80")
LOOP(loop_mask, "movb $1, 1+shared_info_page(%%rip)\n\tmovb $0, 1+shared_info_page(%%rip)\n\t"
                "testb $1, shared_info_page(%%rip)")
LOOP(loop_load, "movq (%%rcx), %%rax")
LOOP(loop_divide, "divl %%ecx")
LOOP(loop_two_entries, UPDATE_VA_MAPPING("row_entry") UPDATE_VA_MAPPING("row_entry + 8"))
LOOP(loop_two_roots, NEW_ROOT("row_root") NEW_ROOT("row_root + 24"))

static void instructions(void)
{
    struct physdev_set_iopl iopl = { .iopl = 1 };

    row("hypercall", loop_hypercall, 1);
    ASSERT_EQ(xen_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    row("in", loop_in, 1);
    row("out", loop_out, 1);
    iopl.iopl = 0;
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    row("cli+sti", loop_mask, 1);
}

/* --- faults and system calls ------------------------------------------------------------------ */

static volatile uint64_t nr_faults __attribute__((used));

/* Bounce frames: rcx r11 [error] rip ...; the iret hypercall takes its flags in front of rip. */
__attribute__((naked, used)) static void skip_three(void)
{
    __asm__("popq %rcx\n\tpopq %r11\n\tincq nr_faults(%rip)\n\taddq $3, 8(%rsp)\n\t"
            "movq $0, (%rsp)\n\tjmp hypercall_page + 23 * 32");
}
__attribute__((naked, used)) static void skip_two(void)
{
    __asm__("popq %rcx\n\tpopq %r11\n\tincq nr_faults(%rip)\n\taddq $2, (%rsp)\n\t"
            "pushq $0\n\tjmp hypercall_page + 23 * 32");
}
__attribute__((naked, used)) static void short_syscall(void)
{
    __asm__("popq %rcx\n\tpopq %r11\n\tpushq $0\n\tjmp hypercall_page + 23 * 32");
}

static int set_trap(unsigned vector, const void *entry)
{
    struct trap_info t[2] = { { .vector = (uint8_t)vector, .flags = 4, .cs = FLAT_KERNEL_CS,
                                .address = (unsigned long)entry } };

    return xen_set_trap_table(t);
}

static void row_of_fault(const char *name, void (*loop)(uint64_t n), unsigned vector,
                         void (*fn)(void))
{
    ASSERT_EQ(set_trap(vector, fn), 0);
    nr_faults = 0;
    row(name, loop, 1);
    EXPECT_EQ(set_trap(vector, trap_stub(vector)), 0);
    EXPECT_EQ(nr_faults, 2 * ROW_REPEATS);
}

static void fault_rows(void)
{
    loop_values.rcx = 0x1000;
    row_of_fault("pgfault", loop_load, TRAP_PF, skip_three);
    loop_values.rcx = 0;
    row_of_fault("divzero", loop_divide, TRAP_DE, skip_two);
}

static void begin_syscalls(void)
{
    struct callback_register cb = { .type = CALLBACKTYPE_syscall, .flags = CALLBACKF_mask_events,
                                    .address = (unsigned long)short_syscall };

    EXPECT_EQ(xen_callback_op(CALLBACKOP_register, &cb), 0);
}
static void end_syscalls(void)
{
    EXPECT_EQ(trap_callbacks_install(), 0);
}

static void syscall_row(void)
{
    row_of_syscalls(begin_syscalls, end_syscalls);
}

/* --- page tables ------------------------------------------------------------------------------ */

static void table_rows(void)
{
    volatile uint64_t *va = va_alloc(1);
    pfn_t a = frame_alloc(), b = frame_alloc();
    pfn_t other = root_clone();

    ASSERT_EQ(map_page(va, make_pte(pfn_to_mfn(a), PTE_KERNEL)), 0);
    row_va = (uint64_t)va;
    row_entry[0] = make_pte(pfn_to_mfn(a), PTE_KERNEL);
    row_entry[1] = make_pte(pfn_to_mfn(b), PTE_KERNEL);
    row("ptemod", loop_two_entries, 2);
    *(uint64_t *)p2v(b) = 42;
    EXPECT_EQ(*va, 42);
    for (unsigned i = 0; i < 2; i++) {
        row_root[i].cmd = MMUEXT_NEW_BASEPTR;
        row_root[i].arg1.mfn = pfn_to_mfn(i ? kernel_root() : other);
    }
    row("cr3 load", loop_two_roots, 2);
    EXPECT_EQ(mmu_unpin(other), 0);
    table_free(other);
    EXPECT_EQ(unmap_page(va), 0);
    frame_free(a);
    frame_free(b);
}

#define SPACE_VA 0x7f0000000000ul       /* a slot of the user half that nothing else is in */

/* As in rows.c. Tables are filled while they are ordinary pages, and validated by the pin. */
static uint64_t process(const pfn_t *parent)
{
    pfn_t frames[3 + SPACE_PAGES], root = frame_alloc();
    uint64_t *table = p2v(root), sum = 0;

    for (unsigned i = 0; i < 3 + SPACE_PAGES; i++)
        frames[i] = frame_alloc();
    for (unsigned i = 0; i < 512; i++)
        if (i < PT_INDEX(HOLE_START, 4) || i >= PT_INDEX(HOLE_END, 4))
            table[i] = ((const volatile uint64_t *)p2v(kernel_root()))[i];
    for (unsigned level = 4, i = 0; level > 1; level--, i++) {
        table[PT_INDEX(SPACE_VA, level)] = make_pte(pfn_to_mfn(frames[i]), PTE_TABLE);
        table = p2v(frames[i]);
    }
    for (unsigned i = 0; i < SPACE_PAGES; i++) {
        memcpy(p2v(frames[3 + i]), p2v(parent[i]), PAGE_SIZE);
        table[i] = make_pte(pfn_to_mfn(frames[3 + i]), PTE_USER);
    }
    for (unsigned i = 0; i < 3; i++)
        frame_set_ro(frames[i]);
    frame_set_ro(root);
    mmu_pin(4, root);
    mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(root), 0);
    for (unsigned i = 0; i < SPACE_PAGES; i++)
        sum += ++*(volatile uint64_t *)(SPACE_VA + i * PAGE_SIZE);
    mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(kernel_root()), 0);
    mmu_unpin(root);
    table_free(root);
    for (unsigned i = 0; i < 3; i++)
        table_free(frames[i]);
    for (unsigned i = 3; i < 3 + SPACE_PAGES; i++)
        frame_free(frames[i]);
    return sum;
}

static void process_row(void)
{
    row_of_processes(process);
}

SUITE(rowspv, 98, SUITE_NAMED_ONLY, TEST(instructions), TEST(fault_rows), TEST(table_rows),
      TEST(process_row), TEST(syscall_row));
