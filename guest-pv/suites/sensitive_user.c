/* Fourth part of suite "sensitive": system calls, and what user code may not do. */
#include "event.h"
#include "sensitive.h"
#include "user.h"

static uint64_t answer(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)r;
    return a + b + c;
}
USER_CODE static uint64_t user_asks(void)
{
    return user_syscall(SYS_TEST, 1, 2, 3);
}

void null_syscall(void)
{
    struct user_result res;

    user_set_syscall(SYS_TEST, answer);
    res = user_run(user_asks, 0, 0, 0);
    user_set_syscall(SYS_TEST, NULL);
    EXPECT(res.exited);
    EXPECT_EQ(res.code, 6);
}

/* A system call that goes back by SYSRET itself. */
static uint64_t by_sysret(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    register uint64_t flags __asm__("r11") = r->rflags;

    (void)a, (void)b, (void)c;
    events_on();
    __asm__ volatile("cli\n\tmovq %1, %%rsp\n\tmovl $7, %%eax\n\tsysretq"
                     : : "c"(r->rip), "S"(r->rsp), "r"(flags) : "memory");
    __builtin_unreachable();
}

USER_CODE static uint64_t user_after_sysret(void)
{
    uint64_t result = user_syscall(SYS_TEST, 1, 2, 3), cs;

    __asm__ volatile("movq %%cs, %0" : "=r"(cs));
    return result << 32 | (cs & 3);
}

static void sysret(void)
{
    struct user_result res;

    user_set_syscall(SYS_TEST, by_sysret);
    res = user_run(user_after_sysret, 0, 0, 0);
    user_set_syscall(SYS_TEST, NULL);
    EXPECT(res.exited);
    EXPECT_EQ(res.code, 7ul << 32 | 3);
}

USER_CODE static uint64_t user_selectors_after_sysret(void)
{
    uint64_t cs, ss;

    user_syscall(SYS_TEST, 1, 2, 3);
    __asm__ volatile("movq %%cs, %0\n\tmovq %%ss, %1" : "=r"(cs), "=r"(ss));
    return cs << 16 | ss;
}

static void selectors_after_sysret(void)
{
    struct user_result res;

    user_set_syscall(SYS_TEST, by_sysret);
    res = user_run(user_selectors_after_sysret, 0, 0, 0);
    user_set_syscall(SYS_TEST, NULL);
    test_diag("saw: CS %#lx, SS %#lx", res.code >> 16, res.code & 0xffff);
    EXPECT_EQ(res.code, (uint64_t)BARE_USER_CS << 16 | BARE_USER_SS);
}

/* --- what it may not do ----------------------------------------------------------------------- */

#define USER_TRY(name, text)                                                            \
    USER_CODE __attribute__((naked)) static void user_##name(void)                      \
    {                                                                                   \
        __asm__("xorl %eax, %eax\n\txorl %ecx, %ecx\n\txorl %edx, %edx\n\t" text "\n\tret"); \
    }
USER_TRY(cli, "cli")
USER_TRY(sti, "sti")
USER_TRY(hlt, "hlt")
USER_TRY(in, "inb $0x80, %al")
USER_TRY(out, "outb %al, $0x80")
USER_TRY(cr3, "movq %cr3, %rax")
USER_TRY(dr7, "movq %dr7, %rax")
USER_TRY(rdmsr, "movl $0xc0000080, %ecx\n\trdmsr")
USER_TRY(lgdt, "lgdt -16(%rsp)")
USER_TRY(ltr, "ltr %ax")
USER_TRY(clts, "clts")
USER_TRY(invlpg, "invlpg (%rsp)")
USER_TRY(wbinvd, "wbinvd")
USER_TRY(swapgs, "swapgs")
USER_TRY(sysret, "sysretq")
USER_TRY(int90, "int $0x90")

void user_code_may_not(void)
{
    static const struct {
        const char *name;
        void (*fn)(void);
        uint32_t error;
    } tries[] = {
        { "cli", user_cli, 0 }, { "sti", user_sti, 0 }, { "hlt", user_hlt, 0 },
        { "in", user_in, 0 }, { "out", user_out, 0 }, { "mov cr3", user_cr3, 0 },
        { "mov dr7", user_dr7, 0 }, { "rdmsr", user_rdmsr, 0 }, { "lgdt", user_lgdt, 0 },
        { "ltr", user_ltr, 0 }, { "clts", user_clts, 0 }, { "invlpg", user_invlpg, 0 },
        { "wbinvd", user_wbinvd, 0 }, { "swapgs", user_swapgs, 0 }, { "sysret", user_sysret, 0 },
        { "int 0x90", user_int90, 0x90 * 8 + 2 },
    };

    for (unsigned i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        struct user_result res = user_run(tries[i].fn, 0, 0, 0);

        /* An emulator is known that has 16 n + 2 for INT n. */
        if (res.fault.vector == TRAP_GP && tries[i].error && res.fault.error == 0x90 * 16 + 2)
            continue;
        EXPECT_MSG(res.fault.vector == TRAP_GP && res.fault.error == tries[i].error,
                   "%s: vector %d error %#x", tries[i].name, res.fault.vector, res.fault.error);
    }
}

USER_CODE static uint64_t user_popf(void)
{
    uint64_t flags;

    __asm__ volatile("pushq $0x3000\n\tpopfq\n\tpushfq\n\tpopq %0"
                     : "=r"(flags) : : "memory", "cc");
    return flags;
}

/* User code's POPF leaves IF and IOPL alone, and says nothing. */
void user_popf_is_silent(void)
{
    struct user_result res = user_run(user_popf, 0, 0, 0);

    EXPECT(res.exited);
    EXPECT_EQ(res.code & 0x3200, RFLAGS_IF);
}

USER_CODE static uint64_t user_misaligned(void)
{
    static USER_DATA uint64_t words[2];

    __asm__ volatile("pushfq\n\torl $0x40000, (%%rsp)\n\tpopfq" : : : "memory", "cc");
    return *(volatile uint64_t *)((char *)words + 1);
}

void alignment_check(void)
{
    struct user_result res = user_run(user_misaligned, 0, 0, 0);

    if (res.exited)
        SKIP("this CPU makes no alignment checks, as emulators do");
    EXPECT_FAULT(res.fault, TRAP_AC, 0);
}

SUITE_PART(sensitive, 01, 3, TEST(null_syscall), TEST(sysret), TEST(selectors_after_sysret),
           TEST(user_code_may_not), TEST(user_popf_is_silent), TEST(alignment_check));
