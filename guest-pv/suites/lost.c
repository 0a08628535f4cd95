/* Suite "lost" (only by name): ways for a kernel to lose its machine, chosen by how= on the command
 * line. None comes back: what has to happen is that this guest ends, says why, and nothing else
 * notices. */
#include <string.h>
#include "mm.h"
#include "sensitive.h"
#include "start.h"
#include "user.h"

/* Where nothing is mapped: each exception is lost. */
static const struct table_pointer nowhere = { PAGE_SIZE - 1, 0x7ffffffff000 };

/* Page tables where no memory is. */
static void lose_the_root(void)
{
    write_cr3(0xfffffff000);
}

/* The root is a table of each level, also where the kernel was. Not to be executed: what is in it
 * may be a program that never ends. */
static void root_of_itself(void)
{
    pfn_t pfn = frame_alloc();
    uint64_t *root = p2v(pfn);

    for (unsigned i = 0; i < 512; i++)
        root[i] = make_pte(pfn, PTE_KERNEL | PTE_NX);
    write_cr3(pfn << PAGE_SHIFT);
}

/* No stack for the exception that says so. */
static void lose_the_stack(void)
{
    __asm__ volatile("xorl %%esp, %%esp\n\tpushq $0" : : : "memory");
}

/* A page of INT3 over this function and what follows it, by one instruction. */
static void lose_the_code(void)
{
    uint8_t *code = (uint8_t *)lose_the_code;
    uint64_t n = PAGE_SIZE;

    __asm__ volatile("lidt %2\n\trep stosb"
                     : "+D"(code), "+c"(n) : "m"(nowhere), "a"(0xcc) : "memory");
}

/* The stack for traps from user mode is no address. */
USER_CODE static uint64_t trap_in_user(void)
{
    __asm__ volatile("ud2");
    return 0;
}
static void lose_the_kernel_stack(void)
{
    struct regs r;

    cli();
    set_kernel_stack(0x8000000000000000);
    user_init_regs(&r, trap_in_user, 0, 0, 0);
    __asm__ volatile("pushq %0\n\tpushq %1\n\tpushq $0x2\n\tpushq %2\n\tpushq %3\n\tiretq"
                     : : "r"((uint64_t)BARE_USER_SS), "r"(r.rsp), "r"((uint64_t)BARE_USER_CS),
                         "r"(r.rip));
}

/* The table of interrupts is a page of the kernel's text: no gate makes sense. */
static void senseless_idt(void)
{
    const struct table_pointer text = { PAGE_SIZE - 1, (uint64_t)senseless_idt };

    __asm__ volatile("lidt %0\n\tud2" : : "m"(text));
}

/* A jump to where no address can be. */
static void not_canonical(void)
{
    __asm__ volatile("lidt %0\n\tjmp *%1" : : "m"(nowhere), "r"(0x8000000000000000));
}

static void lost(void)
{
    static const struct {
        const char *how;
        void (*fn)(void);
    } ways[] = {
        { "root", lose_the_root }, { "recursion", root_of_itself }, { "stack", lose_the_stack },
        { "code", lose_the_code }, { "kernel-stack", lose_the_kernel_stack },
        { "gates", senseless_idt }, { "address", not_canonical },
    };
    char how[16] = "";

    cmdline_get("how", how, sizeof(how));
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (strcmp(ways[i].how, how) == 0)
            ways[i].fn();
    test_fail(__FILE__, __LINE__, "how=%s: not lost", how);
}

SUITE(lost, 99, SUITE_NAMED_ONLY | SUITE_NEEDS_BARE, TEST(lost));
