/* Suite "traps": every exception that the guest's kernel can raise in ring 3, with error code,
 * address and return address. Handlers, software interrupts and exceptions of user mode are in
 * entries.c. */
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "suite.h"
#include "trap_insn.h"

#define NONCANONICAL ((volatile uint64_t *)0x8000000000000123ul)
BODY(do_de, "divl %[zero]", [zero] "r"(0))
BODY(do_bp, "int3")
BODY(do_ud, "ud2")
BODY(do_hlt, "hlt")
BODY(do_lgdt, "lgdt (%%rsp)")
BODY(do_wrcr8, "movq %%rax, %%cr8")
BODY(do_load_ds, "movl %[sel], %%ds", [sel] "r"(8))
BODY(do_int_of, "int $4")
BODY(do_fninit, "fninit")

static void divide_error(void)
{
    struct fault f = run(do_de);

    EXPECT_FAULT(f, TRAP_DE, 0);
    EXPECT_EQ(f.rip, at);
    EXPECT(!f.user);
}

static void invalid_opcode(void)
{
    struct fault f = run(do_ud);

    EXPECT_FAULT(f, TRAP_UD, 0);
    EXPECT_EQ(f.rip, at);
}

/* A trap, not a fault: the frame points behind the instruction. */
static void breakpoint(void)
{
    struct fault f = run(do_bp);

    EXPECT_FAULT(f, TRAP_BP, 0);
    EXPECT_EQ(f.rip, at + 1);
}

static void overflow(void)
{
    struct fault f = run(do_int_of);

    EXPECT_FAULT(f, TRAP_OF, 0);
    EXPECT_EQ(f.rip, at + 2);
}

static void general_protection(void)
{
    struct fault f;

    EXPECT_FAULT(try_read64(NONCANONICAL, NULL), TRAP_GP, 0);
    f = run(do_hlt);
    EXPECT_FAULT(f, TRAP_GP, 0);
    EXPECT_EQ(f.rip, at);
    EXPECT_FAULT(run(do_lgdt), TRAP_GP, 0);
    f = run(do_wrcr8);
    EXPECT_MSG(f.vector == TRAP_GP || f.vector == TRAP_UD, "mov to cr8: vector %d", f.vector);
    /* This kernel's GDT is empty. The error code names the selector. */
    EXPECT_FAULT(run(do_load_ds), TRAP_GP, 8);
}

/* Error code and address of each kind; bit 2 is set for user mode of the guest, not because the
 * guest's kernel runs in ring 3. */
static void page_fault(void)
{
    static uint64_t page[512] __attribute__((aligned(4096)));
    struct fault f = try_read64(UNMAPPED, NULL);

    EXPECT_FAULT(f, TRAP_PF, 0);
    EXPECT_EQ(f.cr2, (uint64_t)UNMAPPED);
    f = try_write64(UNMAPPED, 1);
    EXPECT_FAULT(f, TRAP_PF, PF_WRITE);
    EXPECT_EQ(f.cr2, (uint64_t)UNMAPPED);
    f = try_exec((void *)UNMAPPED);
    /* On a CPU without NX, PF_INSN depends on whether the hypervisor uses SMEP. */
    f.error &= pte_nx ? ~0u : ~(uint32_t)PF_INSN;
    EXPECT_FAULT(f, TRAP_PF, pte_nx ? PF_INSN : 0);
    EXPECT_EQ(f.rip, (uint64_t)UNMAPPED);
    ASSERT_EQ(frame_set_ro(v2p(page)), 0);
    EXPECT_NO_FAULT(try_read64(&page[5], NULL));
    f = try_write64(&page[5], 1);
    EXPECT_FAULT(f, TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_EQ(f.cr2, (uint64_t)&page[5]);
    ASSERT_EQ(map_page(page, make_pte(v2mfn(page), PTE_KERNEL | PTE_NX)), 0);
    EXPECT_NO_FAULT(try_write64(&page[5], 1));
    if (pte_nx)
        EXPECT_FAULT(try_exec(page), TRAP_PF, PF_PRESENT | PF_INSN);
    ASSERT_EQ(frame_set_rw(v2p(page)), 0);
}

/* The guest cannot read the hypervisor's hole, mapped or not. */
static void hypervisor_hole(void)
{
    static const uint64_t holes[] = { 0xffff828000000000, 0xffff82d040000000, 0xffff830000000000,
                                      0xffff87fffffff000 };

    for (unsigned i = 0; i < sizeof(holes) / sizeof(holes[0]); i++) {
        struct fault f = try_read64((void *)holes[i], NULL);

        EXPECT_EQ(f.vector, TRAP_PF);
        EXPECT_EQ(f.cr2, holes[i]);
        EXPECT_EQ(f.error & (PF_USER | PF_WRITE | PF_RSVD), 0);
        f = try_write64((void *)holes[i], 0);
        EXPECT_EQ(f.vector, TRAP_PF);
    }
    /* The M2P is read-only. */
    EXPECT_FAULT(try_write64((void *)HOLE_START, 0), TRAP_PF, ANY_ERROR);
}

/* Events are off, as compiled code may use SSE, which would raise the exception. */
static void do_fninit_ts(void *arg)
{
    events_off();
    xen_fpu_taskswitch(1);
    do_fninit(arg);
}

static void do_fninit_ts_cleared(void *arg)
{
    events_off();
    xen_fpu_taskswitch(1);
    xen_fpu_taskswitch(0);
    do_fninit(arg);
}

static void device_not_available(void)
{
    struct fault f = run(do_fninit_ts);

    EXPECT_FAULT(f, TRAP_NM, 0);
    EXPECT_EQ(f.rip, at);
    EXPECT_NO_FAULT(run(do_fninit));                    /* delivering #NM cleared TS */
    EXPECT_NO_FAULT(run(do_fninit_ts_cleared));
}

static void do_mf(void *arg)
{
    uint16_t cw = 0x037b;                               /* divide by zero unmasked */

    (void)arg;
    __asm__ volatile("fninit\n\tfldcw %0\n\tfld1\n\tfldz\n\tfdivrp\n\tfwait" : : "m"(cw));
}

static uint32_t xm_csr;

static void do_xm(void *arg)
{
    uint32_t csr = 0x1d80;                              /* divide by zero unmasked */
    float one = 1, zero = 0;

    (void)arg;
    __asm__ volatile("ldmxcsr %0\n\tmovss %1, %%xmm0\n\tdivss %2, %%xmm0"
                     : : "m"(csr), "m"(one), "m"(zero) : "xmm0");
    __asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(xm_csr) : "m"((uint32_t){ 0x1f80 }));
}

static void floating_point(void)
{
    EXPECT_FAULT(try_fault(do_mf, NULL), TRAP_MF, 0);
}

static void simd_floating_point(void)
{
    struct fault f;

    xm_csr = 0;
    f = try_fault(do_xm, NULL);
    /* Some emulators record an unmasked exception but do not raise it, which no hypervisor can
     * correct. */
    if (f.vector == FAULT_NONE && (xm_csr & 0x204) == 4)
        SKIP("this machine records SIMD exceptions without raising them");
    EXPECT_FAULT(f, TRAP_XM, 0);
}

/* --- Debug ------------------------------------------------------------------------------------ */

static volatile unsigned steps;
static volatile uint64_t step_rip[8], step_dr6;

static bool on_step(struct regs *r)
{
    step_dr6 = xen_get_debugreg(6);
    if (steps < 8)
        step_rip[steps] = r->rip;
    if (++steps >= 3)
        r->rflags &= ~0x100ul;
    return true;
}

static void single_step(void)
{
    uint64_t start;
    trap_handler old = trap_set_handler(TRAP_DB, on_step);

    steps = 0;
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tleaq 1f(%%rip), %0\n\tpopfq\n"
                     "1:\tnop\n\tnop\n\tnop\n\tnop" : "=r"(start) : : "cc", "memory");
    trap_set_handler(TRAP_DB, old);
    EXPECT_EQ(steps, 3);
    EXPECT_EQ(step_rip[0], start + 1);
    EXPECT_EQ(step_rip[1], start + 2);
    EXPECT_EQ(step_rip[2], start + 3);
    EXPECT(step_dr6 & 0x4000);                          /* BS */
}

static void data_breakpoint(void)
{
    static volatile uint64_t watched;
    trap_handler old = trap_set_handler(TRAP_DB, on_step);

    steps = 0;
    ASSERT_EQ(xen_set_debugreg(0, (uint64_t)&watched), 0);
    ASSERT_EQ(xen_set_debugreg(7, 0x90401), 0);         /* DR0: local, write, 8 bytes */
    watched = 1;
    EXPECT_EQ(xen_set_debugreg(7, 0x400), 0);
    watched = 2;
    trap_set_handler(TRAP_DB, old);
    EXPECT_EQ(steps, 1);
    EXPECT(step_dr6 & 1);
    EXPECT_EQ(xen_get_debugreg(0), (uint64_t)&watched);
    EXPECT(xen_set_debugreg(0, HOLE_START) < 0);        /* in the hypervisor's part */
    EXPECT_EQ(xen_set_debugreg(0, 0), 0);
    xen_set_debugreg(6, 0xffff0ff0);
}

/* A data breakpoint on the operand of MOV SS: the trap comes after the next instruction. If that
 * one enters the hypervisor, the trap is raised there and dropped. */
static uint16_t stack_selector = FLAT_KERNEL_SS;
static volatile unsigned breakpoints;
static volatile uint64_t breakpoint_rflags;

static bool on_one_step(struct regs *r)
{
    step_dr6 = xen_get_debugreg(6);
    step_rip[0] = r->rip;
    breakpoint_rflags = r->rflags;
    steps++;
    return true;
}

static bool on_breakpoint(struct regs *r)
{
    breakpoint_rflags = r->rflags;
    breakpoints++;
    return true;
}

#define LOAD_SS(next, ...)                                                      \
    __asm__ volatile("leaq 1f(%%rip), %0\n\tmovw %1, %%ss\n\t" next "\n1:\tnop" \
                     : "=&r"(after) : "m"(stack_selector) __VA_ARGS__ : "cc", "memory")

static void watched_stack_selector(void)
{
    trap_handler old = trap_set_handler(TRAP_DB, on_one_step);
    trap_handler old_bp = trap_set_handler(TRAP_BP, on_breakpoint);
    uint64_t after, flags, result = __HYPERVISOR_xen_version, command = XENVER_version;

    steps = breakpoints = 0;
    xen_set_debugreg(6, 0xffff0ff0);
    ASSERT_EQ(xen_set_debugreg(0, (uint64_t)&stack_selector), 0);
    ASSERT_EQ(xen_set_debugreg(7, 0x70401), 0);         /* DR0: local, reads and writes, 2 bytes */
    LOAD_SS("nop");
    EXPECT_EQ(steps, 1);
    EXPECT_EQ(step_rip[0], after);
    EXPECT_EQ(step_dr6 & 0x400f, 1);
    EXPECT_EQ(breakpoint_rflags & 0x100, 0);
    LOAD_SS("int3");
    EXPECT_EQ(steps, 1);
    EXPECT_EQ(breakpoints, 1);
    EXPECT_EQ(breakpoint_rflags & 0x100, 0);
    __asm__ volatile("movw %2, %%ss\n\tsyscall\n\tmovq %%r11, %1"
                     : "+a"(result), "=r"(flags)
                     : "m"(stack_selector), "D"(command), "S"(0ul)
                     : "rcx", "r11", "cc", "memory");
    EXPECT_EQ(result, xen_version(XENVER_version, NULL));
    EXPECT_EQ(steps, 1);
    __asm__ volatile("movw %1, %%ss\n\tpushfq\n\tpopq %0"
                     : "=r"(flags) : "m"(stack_selector) : "cc", "memory");
    EXPECT_EQ(steps, 2);
    EXPECT_EQ(flags & 0x100, 0);
    EXPECT_EQ(step_dr6 & 0x400f, 1);
    /* The kernel sets TF itself. */
    __asm__ volatile("pushfq\n\tpushfq\n\torq $0x100, (%%rsp)\n\tmovw %0, %%ss\n\tpopfq\n\tpopfq"
                     : : "m"(stack_selector) : "cc", "memory");
    EXPECT_EQ(steps, 4);
    EXPECT_EQ(xen_set_debugreg(7, 0x400), 0);
    LOAD_SS("nop");
    EXPECT_EQ(steps, 4);
    trap_set_handler(TRAP_BP, old_bp);
    trap_set_handler(TRAP_DB, old);
    EXPECT_EQ(xen_set_debugreg(0, 0), 0);
    xen_set_debugreg(6, 0xffff0ff0);
}

SUITE(traps, 12, SUITE_ON_BARE, TEST_ON_BARE(divide_error), TEST_ON_BARE(invalid_opcode),
      TEST_ON_BARE(breakpoint), TEST_ON_BARE(overflow), TEST(general_protection),
      TEST_ON_BARE(page_fault), TEST(hypervisor_hole), TEST(device_not_available),
      TEST_ON_BARE(floating_point), TEST_ON_BARE(simd_floating_point), TEST_ON_BARE(single_step),
      TEST(data_breakpoint), TEST(watched_stack_selector));
