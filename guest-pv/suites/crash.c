/* Suite "crash" (only by name): ends this domain, and no other, by a trap or upcall that the
 * hypervisor cannot deliver. crash=WORD on the command line chooses which; the test fails if the
 * domain still runs afterwards. Invalid arguments, which must not end the domain, are in
 * hostile.c. */
#include <string.h>
#include "console.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"
#include "user.h"

#define UNMAPPED 0xffffff0000001238ul

/* An exception with an empty trap table. */
static void no_handler(void)
{
    xen_set_trap_table(NULL);
    *(volatile uint64_t *)UNMAPPED = 1;
}

static void invalid_opcode(void)
{
    xen_set_trap_table(NULL);
    __asm__ volatile("ud2");
}

/* An exception with a handler, but without a valid stack for its frame: unmapped, read-only, the
 * hypervisor's, or not canonical. */
static void with_stack(uint64_t rsp)
{
    __asm__ volatile("movq %0, %%rsp\n\tud2" : : "r"(rsp) : "memory");
}

static void unmapped_stack(void)   { with_stack(UNMAPPED & ~0xful); }
static void read_only_stack(void)  { with_stack((uint64_t)p2v(kernel_root()) + PAGE_SIZE); }
static void hypervisors_stack(void) { with_stack(0xffff830000001000); }
static void noncanonical_stack(void) { with_stack(0x8000000000000000); }

/* The iret hypercall without a frame to return by. */
static void iret_without_frame(void)
{
    __asm__ volatile("movq %0, %%rsp\n\tmovl %1, %%eax\n\tsyscall"
                     : : "r"(UNMAPPED), "i"(__HYPERVISOR_iret) : "memory");
}

/* Returns to user mode after the user root was removed. */
static void iret_without_root(void)
{
    struct regs r;

    events_off();
    set_user_root_raw(0);
    user_init_regs(&r, NULL, 0, 0, 0);
    user_run_regs(&r);
}

/* Handlers whose address faults, again and again, until the stack is used up. */
static void endless_fault(void)
{
    struct trap_info t[2] = {
        { .vector = TRAP_PF, .flags = 4, .cs = FLAT_KERNEL_CS, .address = UNMAPPED },
    };

    xen_set_trap_table(t);
    *(volatile uint64_t *)UNMAPPED = 1;
}

/* Replaces the root by one without the kernel: the next instruction cannot be fetched, nor a frame
 * written. */
static void empty_root(void)
{
    pfn_t root = table_alloc();

    if (!mmu_pin(4, root))
        mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(root), 0);
}

/* SHUTDOWN_crash, asked for by this kernel. */
static void own_panic(void)
{
    panic("crash=panic was asked for");
}

/* --- Entries from user mode, with a kernel stack where nothing is mapped ---------------------- */

#define NO_STACK (UNMAPPED & ~0xful)
#define PROGRAM_VA ((void *)0x7000000000ul)

/* user_enter() for a kernel stack that is set already. resume_regs is in entry.S. */
__attribute__((naked)) static void enter_as_is(__attribute__((unused)) const struct regs *r,
                                               __attribute__((unused)) uint64_t *kernel_sp)
{
    __asm__("movq %rdi, %rsp\n\tjmp resume_regs");
}

/* No event may need the stack first, and none may be pending: the quick entries go to C then. */
static void run_without_stack(struct regs *r)
{
    for (unsigned i = 0; i < sizeof(shared_info->evtchn_mask) / sizeof(long); i++)
        shared_info->evtchn_mask[i] = ~0ul;
    ASSERT_EQ(xen_stack_switch(FLAT_KERNEL_SS, NO_STACK), 0);
    user_run_by(enter_as_is, r);
}

static void user_without_stack(void *fn, uint64_t a)
{
    struct regs r;

    user_init_regs(&r, fn, a, 0, 0);
    run_without_stack(&r);
}

USER_ASM void store(void)     { __asm__("movq $1, (%rdi)\n\tud2"); }
USER_ASM void int80(void)     { __asm__("int $0x80\n\tud2"); }
USER_ASM void user_ud(void)   { __asm__("ud2"); }
USER_ASM void user_call(void) { __asm__("syscall\n\tud2"); }

static void user_absent(void)   { user_without_stack(store, UNMAPPED); }
static void user_denied(void)   { user_without_stack(store, (uint64_t)store); }
static void user_int80(void)    { user_without_stack(int80, 0); }
static void user_opcode(void)   { user_without_stack(user_ud, 0); }
static void user_syscall64(void) { user_without_stack(user_call, 0); }

/* Code in a page that is not executable. The debugger clears NX in its L1 entry, whose machine
 * address is in rbx, after the fault and before the hypervisor has judged it (allow_meanwhile() in
 * tests/boot/meddle.py): the code goes on in user mode, where the kernel's memory is not mapped,
 * and faults there. */
USER_ASM void read_kernel(void)
{
    __asm__("movl $0x600d600d, %r12d\n\tmovq (%rdi), %rax\n\tud2");
}

static void user_spurious(void)
{
    pfn_t pfn = frame_alloc();
    struct regs r;

    memcpy(p2v(pfn), (const void *)read_kernel, 64);
    ASSERT_EQ(map_user(PROGRAM_VA, make_pte(pfn_to_mfn(pfn), (PTE_USER & ~PTE_RW) | PTE_NX)), 0);
    ASSERT_EQ(xen_set_trap_table(NULL), 0);
    ASSERT_EQ(trap_table_set(TRAP_PF, 0, false), 0);
    user_init_regs(&r, PROGRAM_VA, (uint64_t)p2v(pfn), 0, 0);
    r.rbx = pte_maddr(PROGRAM_VA, 1);
    run_without_stack(&r);
}

static const struct {
    const char *word;
    void (*fn)(void);
} ways[] = {
    { "fault", no_handler },
    { "ud", invalid_opcode },
    { "stack", unmapped_stack },
    { "rostack", read_only_stack },
    { "hvstack", hypervisors_stack },
    { "ncstack", noncanonical_stack },
    { "iret", iret_without_frame },
    { "userroot", iret_without_root },
    { "loop", endless_fault },
    { "root", empty_root },
    { "panic", own_panic },
    { "absent", user_absent },
    { "denied", user_denied },
    { "int80", user_int80 },
    { "userud", user_opcode },
    { "syscall", user_syscall64 },
    { "spurious", user_spurious },
};

static void crash_now(void)
{
    char word[16] = "fault";

    cmdline_get("crash", word, sizeof(word));
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (!strcmp(ways[i].word, word)) {
            test_diag("crashing by %s", word);
            console_flush();
            ways[i].fn();
            ASSERT_MSG(false, "%s: still running", word);
        }
    ASSERT_MSG(false, "crash=%s: no such way", word);
}

SUITE(crash, 98, SUITE_NAMED_ONLY, TEST(crash_now));
