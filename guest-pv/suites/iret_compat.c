/* The second file of suite "iret": system calls of 32-bit code in user mode, and a debug trap that
 * comes together with a system call. */
#include <string.h>
#include "hypercall.h"
#include "suite.h"
#include "user.h"

/* --- System calls of 32-bit code -------------------------------------------------------------- */

static struct regs caught;

/* The bytes are those of 32-bit code: mov $N, %eax; then the instruction under test. */
USER_ASM void user32_int80(void)
{
    __asm__(".byte 0xb8, 0x78, 0x56, 0x34, 0x12, 0xcd, 0x80\n\tud2");
}

USER_ASM void user32_syscall(void)
{
    __asm__(".byte 0xb8, 0x10, 0, 0, 0, 0x0f, 0x05\n\tud2");
}

USER_ASM void user32_syscall_with_df(void)
{
    __asm__("std\n\t.byte 0xb8, 0x10, 0, 0, 0, 0x0f, 0x05\n\tud2");
}

USER_ASM void user32_sysenter(void)
{
    __asm__(".byte 0xb8, 0x10, 0, 0, 0, 0x0f, 0x34\n\tud2");
}

static uint64_t sys_catch(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)a, (void)b, (void)c;
    caught = *r;
    return 0;
}

static uint64_t sys_catch_and_end(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    sys_catch(a, b, c, r);
    user_end((struct user_result){ .exited = true, .fault.vector = FAULT_NONE });
}

static bool on_step(struct regs *r)
{
    (void)r;
    return true;
}

static bool on_int80(struct regs *r)
{
    caught = *r;
    return true;
}

static struct fault run32_with(void *fn, uint64_t rflags)
{
    struct regs r;

    user_init_regs(&r, fn, 0, 0, 0);
    r.cs = FLAT_USER_CS32;
    r.rflags |= rflags;
    return user_run_regs(&r).fault;
}

static struct fault run32(void *fn)
{
    return run32_with(fn, 0);
}

static void compat_int80(void)
{
    trap_handler old = trap_set_handler(0x80, on_int80);
    struct fault f;

    memset(&caught, 0, sizeof(caught));
    f = run32(user32_int80);
    trap_set_handler(0x80, old);
    EXPECT_EQ(caught.vector, 0x80);
    EXPECT_EQ(caught.rax, 0x12345678);
    EXPECT_EQ(caught.cs, FLAT_USER_CS32);
    EXPECT_EQ(caught.rip, (uint64_t)user32_int80 + 7);
    EXPECT_FAULT(f, TRAP_UD, 0);                        /* continued after it, in the same mode */
    EXPECT_EQ(f.rip, (uint64_t)user32_int80 + 7);
}

/* SYSCALL in 32-bit code exists on AMD's CPUs, with its own callback; not on Intel's. */
static void compat_syscall(void)
{
    uint64_t before = trap_count[VECTOR_SYSCALL32];
    struct fault f;

    memset(&caught, 0, sizeof(caught));
    user_set_syscall(SYS_TEST, sys_catch);
    f = run32(user32_syscall);
    user_set_syscall(SYS_TEST, NULL);
    if (trap_count[VECTOR_SYSCALL32] == before) {
        EXPECT_FAULT(f, TRAP_UD, 0);
        EXPECT_EQ(f.rip, (uint64_t)user32_syscall + 5);
        SKIP("this CPU has no 32-bit SYSCALL");
    }
    EXPECT_EQ(trap_count[VECTOR_SYSCALL32], before + 1);
    EXPECT_EQ(caught.rip, (uint64_t)user32_syscall + 7);
    EXPECT_EQ(caught.rax, SYS_TEST);
}

/* A system call clears DF for the kernel, and the return restores the user's. */
static void compat_syscall_with_df(void)
{
    uint64_t before = trap_count[VECTOR_SYSCALL32];
    struct fault f;

    user_set_syscall(SYS_TEST, sys_catch);
    f = run32(user32_syscall_with_df);
    user_set_syscall(SYS_TEST, NULL);
    EXPECT_EQ(f.rflags & RFLAGS_DF, RFLAGS_DF);
    if (trap_count[VECTOR_SYSCALL32] == before)
        SKIP("this CPU has no 32-bit SYSCALL");
    EXPECT_EQ(caught.rflags & RFLAGS_DF, RFLAGS_DF);
    EXPECT_EQ(caught.r11 & RFLAGS_DF, RFLAGS_DF);
}

/* SYSENTER exists on Intel's CPUs, with a callback whose frame has neither rip nor rsp of the user.
 * On AMD's, in long mode, it is an invalid opcode, with the fault at its own address. When a user
 * single-steps, TF is set after it, so the frame must have TF. */
static void compat_sysenter(void)
{
    uint64_t before = trap_count[VECTOR_SYSENTER];
    trap_handler old = trap_set_handler(TRAP_DB, on_step);
    struct fault f;

    memset(&caught, 0, sizeof(caught));
    user_set_syscall(SYS_TEST, sys_catch_and_end);
    f = run32(user32_sysenter);
    if (trap_count[VECTOR_SYSENTER] == before) {
        EXPECT_MSG(f.vector == TRAP_UD || f.vector == TRAP_GP, "vector %d", f.vector);
        EXPECT_EQ(f.error, 0);
        EXPECT_EQ(f.rip, (uint64_t)user32_sysenter + 5);
    } else {
        EXPECT_EQ(caught.rax, SYS_TEST);
        EXPECT_EQ(caught.rip, 0);
        EXPECT_EQ(caught.rsp, 0);
        EXPECT_EQ(caught.rflags & (RFLAGS_TF | RFLAGS_IF), RFLAGS_IF);
        run32_with(user32_sysenter, RFLAGS_TF);
        EXPECT_EQ(caught.rflags & (RFLAGS_TF | RFLAGS_IF), RFLAGS_TF | RFLAGS_IF);
    }
    user_set_syscall(SYS_TEST, NULL);
    trap_set_handler(TRAP_DB, old);
}

/* --- A debug register that watches a stack selector; for the kernel's mode see traps.c -------- */

static USER_DATA uint32_t user_stack_selector[2];

USER_ASM void user32_pop_ss(void)
{
    __asm__(".byte 0x17, 0x90, 0x0f, 0x0b");                    /* pop %ss; nop; ud2 */
}

USER_ASM void user_mov_ss_syscall(void)
{
    __asm__("movw (%rdi), %ss\n\tsyscall\n\tret");
}

USER_ASM void user_mov_ss_int80(void)
{
    __asm__("movw (%rdi), %ss\n\tint $0x80\n\tret");
}

static unsigned debug_traps;
static struct regs debug_frame;

static bool on_debug(struct regs *r)
{
    debug_frame = *r;
    debug_traps++;
    return true;
}

static void watched_stack_selector(void)
{
    trap_handler old = trap_set_handler(TRAP_DB, on_debug);
    trap_handler old_int80 = trap_set_handler(0x80, on_int80);
    volatile uint32_t *selector = (uint32_t *)USER_PTR(user_stack_selector);
    struct regs r;
    struct fault f;

    selector[0] = FLAT_USER_SS;
    debug_traps = 0;
    ASSERT_EQ(xen_set_debugreg(1, (uint64_t)selector), 0);
    ASSERT_EQ(xen_set_debugreg(7, 0x700404), 0);        /* DR1: local, reads and writes, 2 bytes */
    user_init_regs(&r, user32_pop_ss, 0, 0, 0);
    r.cs = FLAT_USER_CS32;
    r.rsp = (uint64_t)selector;
    f = user_run_regs(&r).fault;
    EXPECT_FAULT(f, TRAP_UD, 0);
    EXPECT_EQ(debug_traps, 1);
    EXPECT_EQ(debug_frame.rip, (uint64_t)user32_pop_ss + 2);
    EXPECT_EQ(debug_frame.rsp, (uint64_t)(selector + 1));
    EXPECT_EQ(debug_frame.rflags & RFLAGS_TF, 0);
    /* The system call is delivered, and the debug trap after it is dropped. */
    user_set_syscall(SYS_TEST, sys_catch);
    memset(&caught, 0, sizeof(caught));
    user_init_regs(&r, user_mov_ss_syscall, (uint64_t)selector, 0, 0);
    r.rax = SYS_TEST;
    EXPECT(user_run_regs(&r).exited);
    EXPECT_EQ(caught.rax, SYS_TEST);
    EXPECT_EQ((caught.rflags | caught.r11) & RFLAGS_TF, 0);
    memset(&caught, 0, sizeof(caught));
    EXPECT(user_run(user_mov_ss_int80, (uint64_t)selector, 0, 0).exited);
    EXPECT_EQ(caught.vector, 0x80);
    EXPECT_EQ(caught.rflags & RFLAGS_TF, 0);
    EXPECT_EQ(debug_traps, 1);
    user_set_syscall(SYS_TEST, NULL);
    EXPECT_EQ(xen_set_debugreg(7, 0x400), 0);
    EXPECT_EQ(xen_set_debugreg(1, 0), 0);
    xen_set_debugreg(6, 0xffff0ff0);
    trap_set_handler(TRAP_DB, old);
    trap_set_handler(0x80, old_int80);
}

SUITE_PART(iret, 53, 1, TEST(compat_int80), TEST(compat_syscall), TEST(compat_syscall_with_df),
           TEST(compat_sysenter), TEST(watched_stack_selector));
