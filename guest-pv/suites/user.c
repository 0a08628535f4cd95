/* Suite "user": user mode. Here are its system calls; events, address space and segments are in
 * user_space.c, exceptions of user mode in entries.c, the return to it in iret.c. */
#include <string.h>
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "start.h"
#include "suite.h"
#include "thread.h"
#include "user.h"


static struct regs caught;
static unsigned calls_seen;

static uint64_t sys_catch(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)b, (void)c;
    caught = *r;
    calls_seen++;
    return a + 1;
}

static struct user_result run_catching(void *fn, uint64_t a, uint64_t b)
{
    struct user_result res;

    memset(&caught, 0, sizeof(caught));
    calls_seen = 0;
    user_set_syscall(SYS_TEST, sys_catch);
    res = user_run(fn, a, b, 0);
    user_set_syscall(SYS_TEST, NULL);
    return res;
}

/* Returns 0 if the call has kept every register but rax, rcx and r11. */
USER_ASM void user_all_registers(void)
{
    __asm__("movq $2, %rbx\n\tmovq $4, %rdx\n\tmovq $5, %rsi\n\tmovq $6, %rdi\n\t"
            "movq $7, %rbp\n\tmovq $8, %r8\n\tmovq $9, %r9\n\tmovq $10, %r10\n\t"
            "movq $12, %r12\n\tmovq $13, %r13\n\tmovq $14, %r14\n\tmovq $15, %r15\n\t"
            "movl $16, %eax\n\tstc\n\tsyscall\n\tsbbq $6, %rax\n\txorq $2, %rbx\n\t"
            "xorq $4, %rdx\n\txorq $5, %rsi\n\txorq $6, %rdi\n\txorq $7, %rbp\n\txorq $8, %r8\n\t"
            "xorq $9, %r9\n\txorq $10, %r10\n\txorq $12, %r12\n\txorq $13, %r13\n\t"
            "xorq $14, %r14\n\txorq $15, %r15\n\torq %rbx, %rax\n\torq %rdx, %rax\n\t"
            "orq %rsi, %rax\n\torq %rdi, %rax\n\torq %rbp, %rax\n\torq %r8, %rax\n\t"
            "orq %r9, %rax\n\torq %r10, %rax\n\torq %r12, %rax\n\torq %r13, %rax\n\t"
            "orq %r14, %rax\n\torq %r15, %rax\n\tret");
}

static void syscall_keeps_registers(void)
{
    struct user_result res = run_catching(user_all_registers, 0, 0);

    EXPECT(res.exited);
    EXPECT_EQ(res.code, 0);                             /* 6 + 1 - 6 - the carry that was set */
    EXPECT_EQ(calls_seen, 1);
    EXPECT_EQ(caught.rdi, 6);
    EXPECT_EQ(caught.r10, 10);
    EXPECT_EQ(caught.r15, 15);
}

/* Stores what the frame must hold as rip and rsp. The CPU puts rip into rcx and rflags into r11. */
USER_ASM void user_return_address(void)
{
    __asm__("leaq 1f(%rip), %rax\n\tmovq %rax, (%rdi)\n\tmovq %rsp, 8(%rdi)\n\tmovl $16, %eax\n\t"
            "stc\n\tsyscall\n1:\tret");
}

static USER_DATA uint64_t user_seen[4];

static void syscall_frame(void)
{
    uint64_t *seen = (uint64_t *)USER_PTR(user_seen);
    struct user_result res = run_catching(user_return_address, (uint64_t)seen, 0);

    EXPECT(res.exited);
    EXPECT_EQ(caught.rip, seen[0]);
    EXPECT_EQ(caught.rsp, seen[1]);
    EXPECT_EQ(caught.rcx, seen[0]);
    EXPECT_EQ(caught.r11, caught.rflags);
    EXPECT_EQ(caught.rflags & 0x201, 0x201);            /* carry, and events are on in user mode */
    EXPECT_EQ(caught.saved_mask & 0xff, 0);
}

static bool kernel_masked;
static uint64_t kernel_rflags;

static uint64_t sys_read_flags(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)a, (void)b, (void)c, (void)r;
    kernel_masked = events_masked();
    kernel_rflags = __builtin_ia32_readeflags_u64();
    return 0;
}

USER_ASM void user_direction_flag(void)
{
    __asm__("std\n\tmovl $17, %eax\n\tsyscall\n\tpushfq\n\tcld\n\tpopq %rax\n\tret");
}

static void syscall_flags(void)
{
    struct user_result res;

    user_set_syscall(SYS_TEST + 1, sys_read_flags);
    kernel_masked = false;
    res = user_run(user_direction_flag, 0, 0, 0);
    user_set_syscall(SYS_TEST + 1, NULL);
    EXPECT(kernel_masked);                              /* as registered */
    EXPECT_EQ(kernel_rflags & RFLAGS_DF, 0);
    EXPECT_EQ(kernel_rflags & RFLAGS_IF, RFLAGS_IF);    /* the CPU's flag is never off */
    EXPECT_EQ(res.code & RFLAGS_DF, RFLAGS_DF);
    EXPECT(!events_masked());
}

/* A number that the kernel would use for a hypercall is a system call here. */
USER_ASM void user_tries_hypercall(void)
{
    __asm__("movl $17, %eax\n\txorl %edi, %edi\n\txorl %esi, %esi\n\tsyscall\n\tret");
}

static uint64_t sys_seventeen(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)a, (void)b, (void)c, (void)r;
    return 0x1717171717;
}

static void no_hypercalls_from_user(void)
{
    struct user_result res;

    _Static_assert(__HYPERVISOR_xen_version == SYS_TEST + 1, "one number, two meanings");
    user_set_syscall(SYS_TEST + 1, sys_seventeen);
    res = user_run(user_tries_hypercall, 0, 0, 0);
    user_set_syscall(SYS_TEST + 1, NULL);
    EXPECT(res.exited);
    EXPECT_EQ(res.code, 0x1717171717);
}

/* The kernel is entered on its own stack, whatever the user's rsp was. */
USER_ASM void user_wild_stack(void)
{
    __asm__("movq %rsp, %r12\n\tmovq %rdi, %rsp\n\tmovl $16, %eax\n\tsyscall\n\t"
            "movq %r12, %rsp\n\tret");
}

USER_ASM void user_wild_stack_fault(void)
{
    __asm__("movq %rdi, %rsp\n\tud2");
}

static void wild_user_stacks(void)
{
    static const uint64_t wild[] = { 0, 8, 0x8000000000000123, ~0ul, HOLE_START + 64,
                                     VIRT_BASE + 0x100000 };

    for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        struct user_result res = run_catching(user_wild_stack, wild[i], 0);

        EXPECT_EQ(calls_seen, 1);
        EXPECT_EQ(caught.rsp, wild[i]);
        EXPECT(res.exited);
        res = user_run(user_wild_stack_fault, wild[i], 0, 0);
        EXPECT_FAULT(res.fault, TRAP_UD, 0);
        EXPECT_EQ(res.fault.rsp, wild[i]);
    }
}

SUITE(user, 52, SUITE_ON_BARE, TEST_ON_BARE(syscall_keeps_registers), TEST_ON_BARE(syscall_frame),
      TEST_ON_BARE(syscall_flags), TEST_ON_BARE(no_hypercalls_from_user),
      TEST_ON_BARE(wild_user_stacks));
