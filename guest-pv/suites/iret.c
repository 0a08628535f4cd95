/* Suite "iret": the hypercall that returns from a trap, with every kind of frame, valid or not.
 * System calls of 32-bit code and debug traps are in iret_compat.c, SYSCALL of 64-bit code in
 * user.c. */
#include <string.h>
#include "event.h"
#include "hypercall.h"
#include "start.h"
#include "suite.h"
#include "user.h"


/* A frame for the hypercall, and the registers after it. */
struct iret_probe {
    struct iret_context frame;
    uint64_t rax, rcx, r11, rflags;
};

/* Makes the hypercall with the frame, whose rip and rsp lead to label 1; stores the registers. */
__attribute__((naked)) static void iret_to_kernel(__attribute__((unused)) struct iret_probe *probe)
{
    __asm__("pushq %rbx\n\tpushq %rbp\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
            "leaq 1f(%rip), %rax\n\tmovq %rax, 32(%rdi)\n\tmovq %rsp, 56(%rdi)\n\t"
            "movq %rdi, %rbx\n\tsubq $72, %rsp\n\tmovq %rdi, %rsi\n\tmovq %rsp, %rdi\n\t"
            "movl $9, %ecx\n\trep movsq\n\tmovl $23, %eax\n\tsyscall\n\tud2\n"
            "1:\tmovq %rax, 72(%rbx)\n\tmovq %rcx, 80(%rbx)\n\tmovq %r11, 88(%rbx)\n\tpushfq\n\t"
            "popq 96(%rbx)\n\tcld\n\tpopq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\t"
            "popq %rbp\n\tpopq %rbx\n\tret");
}

static struct iret_probe kernel_frame(uint64_t rflags)
{
    return (struct iret_probe){
        .frame = { .rax = 0xaaaa, .r11 = 0xbbbb, .rcx = 0xcccc, .rflags = rflags,
                   .cs = FLAT_KERNEL_CS & ~3ul, .ss = FLAT_KERNEL_SS },
    };
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
    p = kernel_frame(RFLAGS_IF | RFLAGS_IOPL | RFLAGS_VM);    /* VM and IOPL are ignored */
    iret_to_kernel(&p);
    EXPECT_EQ(p.rflags & (RFLAGS_IF | RFLAGS_IOPL | RFLAGS_VM), RFLAGS_IF);
}

/* An iret that clears the upcall mask delivers what is pending. */
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

/* --- To user mode ----------------------------------------------------------------------------- */

static USER_DATA uint64_t user_seen[3];
static uint64_t iret_flags;

/* Enters user mode by a frame of our own, with flags that user_enter() never sets. */
static uint64_t sys_iret(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    struct iret_context frame = { .rax = 0x77, .r11 = 0xbbbb, .rcx = 0xcccc, .flags = iret_flags,
                                  .rip = r->rip, .cs = FLAT_USER_CS, .rflags = r->rflags,
                                  .rsp = r->rsp, .ss = FLAT_USER_SS };

    (void)a, (void)b, (void)c;
    __asm__ volatile("movq %1, %%r12\n\tsubq $72, %%rsp\n\tmovq %%rsp, %%rdi\n\tmovl $9, %%ecx\n\t"
                     "cld\n\trep movsq\n\tmovl $23, %%eax\n\tsyscall\n\tud2"
                     : : "S"(&frame), "r"(r->r12) : "rcx", "rdi", "r12", "memory");
    __builtin_unreachable();
}

USER_ASM void user_reports_rcx_r11(void)
{
    __asm__("movq %rdi, %r12\n\tmovl $18, %eax\n\tsyscall\n\tmovq %rcx, (%r12)\n\t"
            "movq %r11, 8(%r12)\n\tmovq %rax, 16(%r12)\n\tret");
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
    iret_flags = VGCF_in_syscall;               /* rcx and r11 need not be kept, rax must */
    seen[2] = 0;
    res = user_run(user_reports_rcx_r11, (uint64_t)seen, 0, 0);
    EXPECT(res.exited);
    EXPECT_EQ(seen[2], 0x77);
    user_set_syscall(SYS_TEST + 2, NULL);
}

USER_ASM void user_returns(void)
{
    __asm__("pushfq\n\tpopq %rax\n\tret");
}

/* A frame cannot raise the privilege: IOPL and VM are ignored, selectors get RPL 3 or fault. */
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
    EXPECT_MSG(!res.exited && (res.fault.vector == TRAP_GP || res.fault.vector == TRAP_PF),
               "vector %d", res.fault.vector);
}

SUITE(iret, 53, 0, TEST(iret_within_kernel), TEST(iret_delivers_pending), TEST(iret_to_user),
      TEST(iret_frames_are_checked));
