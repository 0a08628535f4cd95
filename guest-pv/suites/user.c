/* Suite "user": user mode as the kernel sees it: system calls, events and faults meanwhile,
 * segment bases, and what user mode cannot see or do. The exceptions themselves are in entries.c,
 * returning is in iret.c. */
#include <string.h>
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "start.h"
#include "suite.h"
#include "thread.h"
#include "user.h"

#define NAKED USER_CODE __attribute__((naked)) static
#define RFLAGS_IF 0x200
#define RFLAGS_DF 0x400

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

/* Every register but rax, rcx and r11 keeps its value across the call; then 0 is returned. */
NAKED void user_all_registers(void)
{
    __asm__("movq $2, %rbx\n\tmovq $4, %rdx\n\tmovq $5, %rsi\n\tmovq $6, %rdi\n\tmovq $7, %rbp\n\t"
            "movq $8, %r8\n\tmovq $9, %r9\n\tmovq $10, %r10\n\tmovq $12, %r12\n\tmovq $13, %r13\n\t"
            "movq $14, %r14\n\tmovq $15, %r15\n\tmovl $16, %eax\n\tstc\n\tsyscall\n\t"
            "sbbq $6, %rax\n\txorq $2, %rbx\n\txorq $4, %rdx\n\txorq $5, %rsi\n\txorq $6, %rdi\n\t"
            "xorq $7, %rbp\n\txorq $8, %r8\n\txorq $9, %r9\n\txorq $10, %r10\n\txorq $12, %r12\n\t"
            "xorq $13, %r13\n\txorq $14, %r14\n\txorq $15, %r15\n\torq %rbx, %rax\n\torq %rdx, %rax\n\t"
            "orq %rsi, %rax\n\torq %rdi, %rax\n\torq %rbp, %rax\n\torq %r8, %rax\n\torq %r9, %rax\n\t"
            "orq %r10, %rax\n\torq %r12, %rax\n\torq %r13, %rax\n\torq %r14, %rax\n\torq %r15, %rax\n\tret");
}

static void syscall_keeps_registers(void)
{
    struct user_result res = run_catching(user_all_registers, 0, 0);

    EXPECT(res.exited);
    EXPECT_EQ(res.code, 0);                             /* 6 + 1, less 6, less the carry that was set */
    EXPECT_EQ(calls_seen, 1);
    EXPECT_EQ(caught.rdi, 6);
    EXPECT_EQ(caught.r10, 10);
    EXPECT_EQ(caught.r15, 15);
}

/* The frame: return address, flags and stack; the rcx and r11 slots hold what the CPU put there. */
NAKED void user_return_address(void)
{
    __asm__("leaq 1f(%rip), %rax\n\tmovq %rax, (%rdi)\n\tmovq %rsp, 8(%rdi)\n\tmovl $16, %eax\n\tstc\n\t"
            "syscall\n1:\tret");
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

static uint64_t sys_look(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)a, (void)b, (void)c, (void)r;
    kernel_masked = events_masked();
    kernel_rflags = __builtin_ia32_readeflags_u64();
    return 0;
}

NAKED void user_direction_flag(void)
{
    __asm__("std\n\tmovl $17, %eax\n\tsyscall\n\tpushfq\n\tcld\n\tpopq %rax\n\tret");
}

static void syscall_flags(void)
{
    struct user_result res;

    user_set_syscall(SYS_TEST + 1, sys_look);
    kernel_masked = false;
    res = user_run(user_direction_flag, 0, 0, 0);
    user_set_syscall(SYS_TEST + 1, NULL);
    EXPECT(kernel_masked);                              /* as the callback was registered */
    EXPECT_EQ(kernel_rflags & RFLAGS_DF, 0);
    EXPECT_EQ(kernel_rflags & RFLAGS_IF, RFLAGS_IF);    /* the real one is never off */
    EXPECT_EQ(res.code & RFLAGS_DF, RFLAGS_DF);
    EXPECT(!events_masked());
}

/* Numbers that would be hypercalls in the kernel are system calls here. */
NAKED void user_tries_hypercall(void)
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
NAKED void user_wild_stack(void)
{
    __asm__("movq %rsp, %r12\n\tmovq %rdi, %rsp\n\tmovl $16, %eax\n\tsyscall\n\tmovq %r12, %rsp\n\tret");
}

NAKED void user_wild_stack_fault(void)
{
    __asm__("movq %rdi, %rsp\n\tud2");
}

static void wild_user_stacks(void)
{
    static const uint64_t wild[] = { 0, 8, 0x8000000000000123, ~0ul, HOLE_START + 64, VIRT_BASE + 0x100000 };

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

/* --- events in user mode ---------------------------------------------------------------------- */

static USER_DATA volatile uint64_t user_go;

static USER_CODE uint64_t user_spin(uint64_t patience)
{
    uint64_t n = 0;

    while (!user_go && n < patience)
        n++;
    user_exit(user_go);
    return 0;
}

static void set_go(void *arg)
{
    (void)arg;
    *(volatile uint64_t *)USER_PTR(user_go) = 1;
}

static void event_interrupts_user(void)
{
    struct timer t = { 0 };
    struct user_result res;

    *(volatile uint64_t *)USER_PTR(user_go) = 0;
    timer_start(&t, clock_ns() + 5 * NS_PER_MS, set_go, NULL);
    res = user_run(user_spin, 1ul << 40, 0, 0);
    EXPECT(res.exited);
    EXPECT_EQ(res.code, 1);
    EXPECT(!t.queued);
}

/* An event that is pending when user mode is entered is delivered before the first instruction has
 * finished. */
NAKED void user_reads_go(void)
{
    __asm__("movq (%rdi), %rax\n\tret");
}

static void on_go(port_t port, void *arg)
{
    (void)port;
    set_go(arg);
}

static void pending_event_comes_first(void)
{
    int port = event_bind_ipi(on_go, NULL);
    struct user_result res;

    ASSERT(port > 0);
    *(volatile uint64_t *)USER_PTR(user_go) = 0;
    events_off();
    event_send(port);
    EXPECT_EQ(*(volatile uint64_t *)USER_PTR(user_go), 0);
    res = user_run(user_reads_go, (uint64_t)USER_PTR(user_go), 0, 0);
    EXPECT_EQ(res.code, 1);
    events_on();
    event_close(port);
}

/* --- address space and segments --------------------------------------------------------------- */

NAKED void user_reads(void)
{
    __asm__("movq (%rdi), %rax\n\tret");
}

/* A slot of the low half that only the kernel's root has; and the hypervisor's memory. */
static void kernel_root_only(void)
{
    static const uint64_t holes[] = { 0xffff82d040000000, 0xffff830000000000, 0xffff87fffffff000 };
    volatile uint64_t *va = (void *)0x12300000000;
    pfn_t pfn = frame_alloc();
    struct fault f;

    *(uint64_t *)p2v(pfn) = 0x5ec12e7;
    ASSERT_EQ(map_page(va, make_pte(pfn_to_mfn(pfn), PTE_USER)), 0);
    EXPECT_EQ(*va, 0x5ec12e7);
    f = user_run(user_reads, (uint64_t)va, 0, 0).fault;
    EXPECT_FAULT(f, TRAP_PF, PF_USER);
    EXPECT_EQ(f.cr2, (uint64_t)va);
    for (unsigned i = 0; i < sizeof(holes) / sizeof(holes[0]); i++) {
        f = user_run(user_reads, holes[i], 0, 0).fault;
        EXPECT_EQ(f.vector, TRAP_PF);
        EXPECT_EQ(f.cr2, holes[i]);
        EXPECT(f.user);
    }
    EXPECT_EQ(unmap_page(va), 0);
    frame_free(pfn);
}

/* User mode may read the M2P, unless the guest has asked for the opposite: then not after the next
 * load of a user root. */
static void m2p_strict(void)
{
    pfn_t root = user_root();
    struct user_result r;

    if (xen_vm_assist(VMASST_CMD_enable, VMASST_TYPE_m2p_strict) != 0)
        SKIP("the assist is not known");
    EXPECT_EQ(set_user_root(0), 0);
    EXPECT_EQ(set_user_root(root), 0);
    r = user_run(user_reads, MACH2PHYS_VIRT_START, 0, 0);
    EXPECT_EQ(r.fault.vector, TRAP_PF);
    EXPECT_EQ(r.fault.cr2, MACH2PHYS_VIRT_START);
    EXPECT_NO_FAULT(try_read64((void *)MACH2PHYS_VIRT_START, &(uint64_t){ 0 }));
    EXPECT_EQ(xen_vm_assist(VMASST_CMD_disable, VMASST_TYPE_m2p_strict), 0);
}

NAKED void user_segment_bases(void)
{
    __asm__("movq %gs:0, %rax\n\tmovq %rax, (%rdi)\n\tmovq %fs:0, %rax\n\tmovq %rax, 8(%rdi)\n\t"
            "movq %rdi, %r12\n\txorl %edi, %edi\n\tmovl $19, %eax\n\tsyscall\n\tmovq %rax, 16(%r12)\n\t"
            "movq %gs:0, %rax\n\tmovq %rax, 24(%r12)\n\tret");
}

static USER_DATA uint64_t user_gs_word = 0x1111, user_fs_word = 0x2222;

static uint64_t sys_read_gs(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)a, (void)b, (void)c, (void)r;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(a));
    return a;
}

static void gs_follows_the_mode(void)
{
    static uint64_t kernel_word = 0x3333;
    volatile uint64_t *seen = (uint64_t *)USER_PTR(user_seen);

    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_KERNEL, (uint64_t)&kernel_word), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER, (uint64_t)USER_PTR(user_gs_word)), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_FS, (uint64_t)USER_PTR(user_fs_word)), 0);
    EXPECT_EQ(sys_read_gs(0, 0, 0, NULL), 0x3333);
    user_set_syscall(SYS_TEST + 3, sys_read_gs);
    EXPECT(user_run(user_segment_bases, (uint64_t)seen, 0, 0).exited);
    user_set_syscall(SYS_TEST + 3, NULL);
    EXPECT_EQ(seen[0], 0x1111);
    EXPECT_EQ(seen[1], 0x2222);
    EXPECT_EQ(seen[2], 0x3333);
    EXPECT_EQ(seen[3], 0x1111);
    EXPECT_EQ(sys_read_gs(0, 0, 0, NULL), 0x3333);
    for (int which = SEGBASE_FS; which <= SEGBASE_GS_KERNEL; which++) {
        EXPECT_EQ(xen_set_segment_base(which, 0x8000000000000000), -XEN_EINVAL);
        EXPECT_EQ(xen_set_segment_base(which, 0), 0);
    }
}

static uint16_t gs_selector(void)
{
    uint16_t selector;

    __asm__ volatile("movw %%gs, %0" : "=r"(selector));
    return selector;
}

/* User mode's GS selector is loaded with RPL 3, except null; an invalid one becomes null, without
 * an error. */
static void gs_selector_is_loaded(void)
{
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, FLAT_KERNEL_SS & ~3ul), 0);
    EXPECT_EQ(gs_selector(), FLAT_KERNEL_SS | 3);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, 2), 0);
    EXPECT_EQ(gs_selector(), 2);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, 0x28), 0);
    EXPECT_EQ(gs_selector(), 0);
    EXPECT_EQ(xen_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
}

SUITE(user, 52, 0, TEST(syscall_keeps_registers), TEST(syscall_frame), TEST(syscall_flags),
      TEST(no_hypercalls_from_user), TEST(wild_user_stacks), TEST(event_interrupts_user),
      TEST(pending_event_comes_first), TEST(kernel_root_only), TEST(m2p_strict), TEST(gs_follows_the_mode),
      TEST(gs_selector_is_loaded));
