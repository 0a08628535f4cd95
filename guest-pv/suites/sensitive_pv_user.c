/* Fifth part of suite "sensitivepv": the way back from a system call. What user code may not do is
 * the same as without a hypervisor: sensitive_user.c. */
#include "sensitive_pv.h"
#include "user.h"

static uint64_t iret_flags;

/* Returns by the hypercall itself, with 7. */
static uint64_t by_iret(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)a, (void)b, (void)c;
    __asm__ volatile("pushq %0\n\tpushq %1\n\tpushq %2\n\tpushq %3\n\tpushq %4\n\tpushq %5\n\t"
                     "movl $7, %%eax\n\tmovl $0x1111, %%ecx\n\tmovl $0x2222, %%r11d\n\t"
                     "jmp hypercall_page + %c6"
                     : : "i"(FLAT_USER_SS), "r"(r->rsp), "r"(r->rflags), "i"(FLAT_USER_CS),
                         "r"(r->rip), "m"(iret_flags), "i"(__HYPERVISOR_iret * 32)
                     : "rax", "rcx", "r11", "memory");
    __builtin_unreachable();
}

static struct user_result run_by_iret(void *fn, uint64_t flags)
{
    struct user_result res;

    iret_flags = flags;
    user_set_syscall(SYS_TEST, by_iret);
    res = user_run(fn, 0, 0, 0);
    user_set_syscall(SYS_TEST, NULL);
    return res;
}

/* The call's result, and what RCX holds after it. */
USER_ASM void user_after_return(void)
{
    __asm__("movl $16, %eax\n\tsyscall\n\tshlq $32, %rax\n\torq %rcx, %rax\n\tret");
}

TRY(sysret, "sysretq")

/* SYSRET is refused, also to the next instruction. Of the hypercall's two forms one restores RCX,
 * and the other leaves in it what SYSRET would. */
static void sysret(void)
{
    struct user_result slow = run_by_iret(user_after_return, 0);
    struct user_result fast = run_by_iret(user_after_return, VGCF_in_syscall);

    EXPECT_REFUSED(sysret);
    EXPECT(slow.exited && fast.exited);
    EXPECT_EQ(slow.code, 7ul << 32 | 0x1111);
    EXPECT_EQ(fast.code, 7ul << 32 | ((uint64_t)user_after_return + 7));
}

USER_ASM void user_selectors_after_return(void)
{
    __asm__("movl $16, %eax\n\tsyscall\n\tmovl %cs, %eax\n\tshll $16, %eax\n\tmovl %ss, %ecx\n\t"
            "orl %ecx, %eax\n\tret");
}

static void selectors_after_sysret(void)
{
    struct user_result res = run_by_iret(user_selectors_after_return, VGCF_in_syscall);

    test_diag("saw: CS %#lx, SS %#lx", res.code >> 16, res.code & 0xffff);
    EXPECT(res.exited);
    EXPECT_EQ(res.code, (uint64_t)FLAT_USER_CS << 16 | FLAT_USER_SS);
}

SUITE_PART(sensitivepv, 97, 4, TEST(null_syscall), TEST(sysret), TEST(selectors_after_sysret),
           TEST(user_code_may_not), TEST(user_popf_is_silent), TEST(alignment_check));
