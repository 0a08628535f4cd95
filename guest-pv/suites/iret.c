/* Suite "iret": the hypercall that returns from a trap, with every kind of frame, valid or not;
 * and 32-bit code in user mode. */
#include <string.h>
#include "event.h"
#include "hypercall.h"
#include "start.h"
#include "suite.h"
#include "user.h"

#define NAKED USER_CODE __attribute__((naked)) static
#define RFLAGS_TF 0x100
#define RFLAGS_IF 0x200
#define RFLAGS_DF 0x400
#define RFLAGS_IOPL 0x3000
#define RFLAGS_VM 0x20000

/* Returns through the frame, which leads to the label; the probe keeps rax, rcx and r11 as they
 * were there. */
struct iret_probe {
    struct iret_context frame;
    uint64_t rax, rcx, r11, rflags;
};

__attribute__((naked)) static void iret_to_kernel(__attribute__((unused)) struct iret_probe *probe)
{
    __asm__("pushq %rbx\n\tpushq %rbp\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
            "leaq 1f(%rip), %rax\n\tmovq %rax, 32(%rdi)\n\tmovq %rsp, 56(%rdi)\n\tmovq %rdi, %rbx\n\t"
            "subq $72, %rsp\n\tmovq %rdi, %rsi\n\tmovq %rsp, %rdi\n\tmovl $9, %ecx\n\trep movsq\n\t"
            "movl $23, %eax\n\tsyscall\n\tud2\n"
            "1:\tmovq %rax, 72(%rbx)\n\tmovq %rcx, 80(%rbx)\n\tmovq %r11, 88(%rbx)\n\tpushfq\n\t"
            "popq 96(%rbx)\n\tcld\n\tpopq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbp\n\t"
            "popq %rbx\n\tret");
}

static struct iret_probe kernel_frame(uint64_t rflags)
{
    return (struct iret_probe){ .frame = { .rax = 0xaaaa, .r11 = 0xbbbb, .rcx = 0xcccc, .rflags = rflags,
                                           .cs = FLAT_KERNEL_CS & ~3ul, .ss = FLAT_KERNEL_SS } };
}

static void iret_within_kernel(void)
{
    struct iret_probe p = kernel_frame(RFLAGS_IF | 1);

    events_off();
    iret_to_kernel(&p);
    EXPECT_EQ(p.rax, 0xaaaa);
    EXPECT_EQ(p.rcx, 0xcccc);
    EXPECT_EQ(p.r11, 0xbbbb);
    EXPECT_EQ(p.rflags & 1, 1);
    EXPECT(!events_masked());                           /* the frame's IF is the virtual one */
    p = kernel_frame(0);
    iret_to_kernel(&p);
    EXPECT(events_masked());
    EXPECT_EQ(p.rflags & (RFLAGS_IF | 1), RFLAGS_IF);
    events_on();
    p = kernel_frame(RFLAGS_IF | RFLAGS_IOPL | RFLAGS_VM);        /* VM and IOPL are not to be had */
    iret_to_kernel(&p);
    EXPECT_EQ(p.rflags & (RFLAGS_IF | RFLAGS_IOPL | RFLAGS_VM), RFLAGS_IF);
}

/* An iret that opens the mask delivers what was held back. */
static void iret_delivers_pending(void)
{
    int port = event_bind_ipi(NULL, NULL);
    struct iret_probe p = kernel_frame(RFLAGS_IF);

    ASSERT(port > 0);
    events_off();
    event_send(port);
    EXPECT_EQ(event_count(port), 0);
    iret_to_kernel(&p);
    EXPECT_EQ(event_count(port), 1);
    event_close(port);
}

/* --- to user mode ----------------------------------------------------------------------------- */

static USER_DATA uint64_t user_seen[3];
static uint64_t iret_flags;

/* Enters user mode by a frame of our own, with flags that user_enter() never sets. */
static uint64_t sys_iret(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    struct iret_context frame = { .rax = 0x77, .r11 = 0xbbbb, .rcx = 0xcccc, .flags = iret_flags,
                                  .rip = r->rip, .cs = FLAT_USER_CS, .rflags = r->rflags, .rsp = r->rsp,
                                  .ss = FLAT_USER_SS };

    (void)a, (void)b, (void)c;
    __asm__ volatile("movq %1, %%r12\n\tsubq $72, %%rsp\n\tmovq %%rsp, %%rdi\n\tmovl $9, %%ecx\n\tcld\n\t"
                     "rep movsq\n\tmovl $23, %%eax\n\tsyscall\n\tud2"
                     : : "S"(&frame), "r"(r->r12) : "rcx", "rdi", "r12", "memory");
    __builtin_unreachable();
}

NAKED void user_reports_rcx_r11(void)
{
    __asm__("movq %rdi, %r12\n\tmovl $18, %eax\n\tsyscall\n\tmovq %rcx, (%r12)\n\tmovq %r11, 8(%r12)\n\t"
            "movq %rax, 16(%r12)\n\tret");
}

static void iret_to_user(void)
{
    volatile uint64_t *seen = (uint64_t *)USER_PTR(user_seen);
    struct user_result res;

    user_set_syscall(SYS_TEST + 2, sys_iret);
    iret_flags = 0;
    seen[0] = seen[1] = seen[2] = 0;
    res = user_run(user_reports_rcx_r11, (uint64_t)seen, 0, 0);
    EXPECT(res.exited);
    EXPECT_EQ(seen[0], 0xcccc);
    EXPECT_EQ(seen[1], 0xbbbb);
    EXPECT_EQ(seen[2], 0x77);
    iret_flags = VGCF_in_syscall;                       /* gives up rcx and r11, but nothing else */
    seen[2] = 0;
    res = user_run(user_reports_rcx_r11, (uint64_t)seen, 0, 0);
    EXPECT(res.exited);
    EXPECT_EQ(seen[2], 0x77);
    user_set_syscall(SYS_TEST + 2, NULL);
}

NAKED void user_returns(void)
{
    __asm__("pushfq\n\tpopq %rax\n\tret");
}

/* A frame cannot raise the privilege: rflags are filtered, selectors get RPL 3 or fault. */
static void iret_frames_are_checked(void)
{
    static const uint16_t bad_cs[] = { 0x13, 0x1003, 0xffff, 0xe02b };
    struct user_result res;
    struct regs r;

    user_init_regs(&r, user_returns, 0, 0, 0);
    r.rflags = RFLAGS_IF | RFLAGS_IOPL | RFLAGS_VM;
    res = user_run_regs(&r);
    EXPECT(res.exited);
    EXPECT_EQ(res.code & (RFLAGS_IF | RFLAGS_IOPL | RFLAGS_VM), RFLAGS_IF);
    for (unsigned i = 0; i < sizeof(bad_cs) / sizeof(bad_cs[0]); i++) {
        user_init_regs(&r, user_returns, 0, 0, 0);
        r.cs = bad_cs[i];
        res = user_run_regs(&r);
        EXPECT_MSG(!res.exited && res.fault.vector == TRAP_GP, "cs %#x: vector %d", bad_cs[i],
                   res.fault.vector);
        EXPECT_MSG(res.fault.error == (bad_cs[i] & 0xfffcu), "cs %#x: error %#x", bad_cs[i],
                   res.fault.error);
    }
    user_init_regs(&r, (void *)0x8000000000000000, 0, 0, 0);
    res = user_run_regs(&r);
    EXPECT_MSG(!res.exited && (res.fault.vector == TRAP_GP || res.fault.vector == TRAP_PF), "vector %d",
               res.fault.vector);
}

/* --- 32-bit user code ------------------------------------------------------------------------- */

static struct regs caught;

/* Encoded alike for both sizes: mov $0x12345678, %eax; then the call under test. */
NAKED void user32_int80(void)
{
    __asm__(".byte 0xb8, 0x78, 0x56, 0x34, 0x12, 0xcd, 0x80\n\tud2");
}

NAKED void user32_syscall(void)
{
    __asm__(".byte 0xb8, 0x10, 0, 0, 0, 0x0f, 0x05\n\tud2");
}

NAKED void user32_syscall_with_df(void)
{
    __asm__("std\n\t.byte 0xb8, 0x10, 0, 0, 0, 0x0f, 0x05\n\tud2");
}

NAKED void user32_sysenter(void)
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
    EXPECT_FAULT(f, TRAP_UD, 0);                        /* and on behind it, in the same mode */
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

/* After a system call, DF is the user's again, whatever it was in the kernel. */
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

/* --- the debug trap of a stack selector that is watched; the kernel's own are traps.c's ------- */

static USER_DATA uint32_t user_stack_selector[2];

NAKED void user32_pop_ss(void)
{
    __asm__(".byte 0x17, 0x90, 0x0f, 0x0b");                    /* pop %ss; nop; ud2 */
}

NAKED void user_mov_ss_syscall(void)
{
    __asm__("movw (%rdi), %ss\n\tsyscall\n\tret");
}

NAKED void user_mov_ss_int80(void)
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
    trap_handler old = trap_set_handler(TRAP_DB, on_debug), old_int80 = trap_set_handler(0x80, on_int80);
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
    /* the system call comes first, and is the only entry */
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

SUITE(iret, 53, 0, TEST(iret_within_kernel), TEST(iret_delivers_pending), TEST(iret_to_user),
      TEST(iret_frames_are_checked), TEST(compat_int80), TEST(compat_syscall),
      TEST(compat_syscall_with_df), TEST(compat_sysenter), TEST(watched_stack_selector));
