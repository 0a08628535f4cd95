/* Third part of suite "sensitivepv": the registers of the descriptor tables, and of the task. */
#include "mm.h"
#include "sensitive_pv.h"
#include "user.h"

TRY(lgdt, "lgdt -16(%%rsp)")
TRY(lidt, "lidt -16(%%rsp)")
TRY(lldt, "lldt %%ax")
TRY(ltr, "ltr %%ax")
TRY(int3, "int3")

static struct table_pointer sgdt(void)
{
    struct table_pointer p = { 0, 0 };

    __asm__ volatile("sgdt %0" : "=m"(p));
    return p;
}
static struct table_pointer sidt(void)
{
    struct table_pointer p = { 0, 0 };

    __asm__ volatile("sidt %0" : "=m"(p));
    return p;
}

/* The table that SGDT names is the hypervisor's, which the kernel can neither move nor read; part
 * of it are the descriptors that a hypercall loads. */
static void lgdt_and_sgdt(void)
{
    struct table_pointer before = sgdt(), after;
    uint32_t limit;
    bool none = lsl(SEL(5), &limit), loaded;

    EXPECT_REFUSED(lgdt);
    gdt_begin();
    EXPECT_EQ(gdt_set(5, DATA_32 | D_LIMIT(0x123)), 0);
    loaded = lsl(SEL(5), &limit);
    after = sgdt();
    gdt_end();
    test_diag("saw: base %#lx limit %#x, then %#lx %#x", before.base, before.limit, after.base,
              after.limit);
    EXPECT(!none && loaded);
    EXPECT_EQ(after.base, before.base);
    EXPECT_EQ(after.limit, before.limit);
    EXPECT(after.limit >= FIRST_RESERVED_GDT_BYTE);
    EXPECT_FAULT(try_read64((void *)(after.base + FIRST_RESERVED_GDT_BYTE), NULL), TRAP_PF,
                 ANY_ERROR);
}

/* So is the table that SIDT names. Handlers are registered by hypercall: here INT3's, which is that
 * of another vector for a moment. */
static void lidt_and_sidt(void)
{
    struct trap_info mine[2] = { { .vector = TRAP_BP, .flags = 3 | 4, .cs = FLAT_KERNEL_CS,
                                   .address = (unsigned long)trap_stub(0x91) } };
    struct table_pointer before = sidt(), after;
    trap_handler old = trap_set_handler(0x91, NULL);

    EXPECT_REFUSED(lidt);
    EXPECT_EQ(xen_set_trap_table(mine), 0);
    EXPECT_FAULT(try_fault(try_int3, NULL), 0x91, 0);
    after = sidt();
    trap_set_handler(0x91, old);
    EXPECT_EQ(trap_table_set(TRAP_BP, 3, false), 0);
    test_diag("saw: base %#lx limit %#x", after.base, after.limit);
    EXPECT_EQ(after.base, before.base);
    EXPECT_EQ(after.limit, before.limit);
    EXPECT_FAULT(try_read64((void *)after.base, NULL), TRAP_PF, ANY_ERROR);
}

/* They read the real registers: the hypervisor's task, a CR0 that is like the virtual one, and
 * of the LDT whether there is one. */
static void sldt_str_and_smsw(void)
{
    uint64_t ldt = ~0ul, tr = task_register(), msw = 0;

    __asm__ volatile("sldt %0\n\tsmsw %1" : "=r"(ldt), "=r"(msw));
    test_diag("saw: LDT %#lx, TR %#lx, MSW %#lx, CR0 %#lx", ldt, tr, msw, read_cr0());
    EXPECT_EQ(ldt & 0xffff, 0);
    EXPECT(tr >= FIRST_RESERVED_GDT_BYTE && !(tr & 7));
    EXPECT_EQ(msw & 0xffff, read_cr0() & 0xffff);
}

static void load_es(void *selector)
{
    __asm__ volatile("movl %k0, %%es" : : "r"(selector) : "memory");
}

static uint64_t stack_of_call;

static uint64_t note_stack(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)a, (void)b, (void)c;
    stack_of_call = (uint64_t)(r + 1);
    return 0;
}
static uint64_t switch_stack(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)b, (void)c, (void)r;
    return (uint64_t)xen_stack_switch(FLAT_KERNEL_SS, a);
}
USER_CODE static uint64_t user_two_calls(uint64_t stack)
{
    return user_syscall(SYS_TEST, stack, 0, 0) | user_syscall(SYS_TEST + 1, 0, 0, 0);
}

/* An LDT by mmuext_op; and what a task register is for, the kernel's stack, by stack_switch. */
static void ltr_and_lldt(void)
{
    static uint8_t stack[8192] __attribute__((aligned(16)));
    uint64_t *page = p2v(table_alloc());
    struct user_result res;
    uint32_t limit = 0;
    bool with;

    EXPECT_REFUSED(lldt);
    EXPECT_REFUSED(ltr);
    EXPECT_EQ(xen_update_descriptor(v2maddr(&page[3]), DATA_32 | D_LIMIT(0x321)), 0);
    ASSERT_EQ(mmuext(MMUEXT_SET_LDT, (uint64_t)page, 512), 0);
    EXPECT_NO_FAULT(try_fault(load_es, (void *)(SEL(3) | 4ul)));
    with = lsl(SEL(3) | 4, &limit);
    load_es(NULL);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    EXPECT(with);
    EXPECT_EQ(limit, 0x321);
    EXPECT(!lsl(SEL(3) | 4, &limit));
    table_free(v2p(page));
    user_set_syscall(SYS_TEST, switch_stack);
    user_set_syscall(SYS_TEST + 1, note_stack);
    res = user_run(user_two_calls, (uint64_t)(stack + sizeof(stack)), 0, 0);
    user_set_syscall(SYS_TEST, NULL);
    user_set_syscall(SYS_TEST + 1, NULL);
    EXPECT(res.exited);
    EXPECT_EQ(res.code, 0);
    EXPECT_EQ(stack_of_call, (uint64_t)(stack + sizeof(stack)));
}

SUITE_PART(sensitivepv, 97, 2, TEST(lgdt_and_sgdt), TEST(lidt_and_sidt), TEST(sldt_str_and_smsw),
           TEST(ltr_and_lldt));
