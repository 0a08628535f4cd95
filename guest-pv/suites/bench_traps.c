/* The fourth file of suite "bench": traps, events, system calls and emulated instructions. The
 * handlers are as short as possible and return at once, so that the hypervisor's part is measured;
 * for that time they replace the kernel's own entries. */
#include <string.h>
#include "bench.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"
#include "tools/counts/marks.h"
#include "user.h"

#define UNMAPPED 0xffffff0000001000ul
#define ASM_FN __attribute__((naked, used)) static

/* --- The shortest handlers -------------------------------------------------------------------- */

static volatile __attribute__((used)) xen_ulong_t *event_word;  /* of evtchn_pending */

/* #PF: continues at the next instruction, which is three bytes further. */
ASM_FN void short_page_fault(void)
{
    __asm__("popq %rcx\n\tpopq %r11\n\taddq $3, 8(%rsp)\n\tmovq $0, (%rsp)\n\t"
            "jmp hypercall_page + 23 * 32");
}

ASM_FN void short_syscall(void)
{
    __asm__("popq %rcx\n\tpopq %r11\n\tpushq $0\n\tjmp hypercall_page + 23 * 32");
}

/* Clears the pending bit of the one port. */
ASM_FN void short_event(void)
{
    __asm__("popq %rcx\n\tpopq %r11\n\tmovb $0, shared_info_page(%rip)\n\t"
            "movq $0, shared_info_page + 8(%rip)\n\tpushq %rax\n\tmovq event_word(%rip), %rax\n\t"
            "movq $0, (%rax)\n\tpopq %rax\n\tpushq $0\n\tjmp hypercall_page + 23 * 32");
}

static int set_page_fault(const void *entry)
{
    struct trap_info t[2] = { { .vector = TRAP_PF, .flags = 4, .cs = FLAT_KERNEL_CS,
                                .address = (unsigned long)entry } };

    return xen_set_trap_table(t);
}

static int set_callback(unsigned type, const void *entry)
{
    struct callback_register cb = { .type = type, .flags = CALLBACKF_mask_events,
                                    .address = (unsigned long)entry };

    return xen_callback_op(CALLBACKOP_register, &cb);
}

/* --- From the kernel -------------------------------------------------------------------------- */

static int port;

static long op_event(void)
{
    return event_send(port);
}

static long op_page_fault(void)
{
    __asm__ volatile("movq (%0), %%rax" : : "c"(UNMAPPED) : "rax", "memory");
    return 0;
}

static void bench_traps(void)
{
    port = event_bind_ipi(NULL, NULL);
    ASSERT(port > 0);
    event_word = &shared_info->evtchn_pending[port / 64];
    ASSERT_EQ(set_callback(CALLBACKTYPE_event, short_event), 0);
    bench("event to self, delivered", op_event, 0, 1);
    EXPECT_EQ(trap_callbacks_install(), 0);
    EXPECT(!event_pending(port));
    EXPECT_EQ(event_close(port), 0);
    ASSERT_EQ(set_page_fault(short_page_fault), 0);
    bench("page fault bounce + iret, from kernel", op_page_fault, 0, 1);
    EXPECT_EQ(set_page_fault(trap_stub(TRAP_PF)), 0);
}

/* --- From user mode --------------------------------------------------------------------------- */

static USER_DATA uint64_t user_ticks[BENCH_SAMPLES];

/* The measured code lies between two reads of the TSC, and these between two marks, if any. ud2
 * ends the loop, because SYSCALL may not be a system call of the kernel's at that time. */
#define USER_LOOP(name, what, begin, end)                                                         \
    USER_CODE __attribute__((naked)) static void name(void)                                       \
    {                                                                                             \
        __asm__("movq %rdi, %rbx\n\tmovq %rsi, %rbp\n\tmovq %rdx, %r15\n"                         \
                "1:\t" begin                                                                      \
                "lfence\n\trdtsc\n\tshlq $32, %rdx\n\torq %rdx, %rax\n\tmovq %rax, %r13\n\t"      \
                what "\n\tlfence\n\trdtsc\n\tshlq $32, %rdx\n\torq %rdx, %rax\n\t"                \
                "subq %r13, %rax\n\t" end                                                         \
                "movq %rax, (%rbx)\n\taddq $8, %rbx\n\tdecq %rbp\n\tjnz 1b\n\tud2");              \
    }
#define MARKED_LOOP(name, what) USER_LOOP(name, what, MARK_CODE(MARK_BEGIN), MARK_CODE(MARK_END))
USER_LOOP(user_nothing, "", "", "")
MARKED_LOOP(user_syscalls, "syscall")
MARKED_LOOP(user_faults, "movq (%r15), %rax")

static uint64_t *run_user(void (*fn)(void))
{
    uint64_t *ticks = (uint64_t *)USER_PTR(user_ticks);
    struct user_result res;

    memset(ticks, 0, sizeof(user_ticks));
    res = user_run(fn, (uint64_t)ticks, BENCH_SAMPLES, 0x700000);
    EXPECT_FAULT(res.fault, TRAP_UD, 0);
    return ticks;
}

static void bench_user(void)
{
    static uint64_t ticks[BENCH_SAMPLES];
    uint64_t base;

    memcpy(ticks, run_user(user_nothing), sizeof(ticks));
    base = bench_median(ticks, BENCH_SAMPLES);
    ASSERT_EQ(set_callback(CALLBACKTYPE_syscall, short_syscall), 0);
    memcpy(ticks, run_user(user_syscalls), sizeof(ticks));
    EXPECT_EQ(trap_callbacks_install(), 0);
    bench_samples("user syscall round trip", ticks, BENCH_SAMPLES, base);
    ASSERT_EQ(set_page_fault(short_page_fault), 0);
    memcpy(ticks, run_user(user_faults), sizeof(ticks));
    EXPECT_EQ(set_page_fault(trap_stub(TRAP_PF)), 0);
    bench_samples("page fault bounce + iret, from user", ticks, BENCH_SAMPLES, base);
}

/* --- Emulated instructions -------------------------------------------------------------------- */

static volatile uint64_t *slot;                 /* an L1 entry, mapped for reading */
static uint64_t values[2];
static unsigned turn;

static long op_ptwr_store(void)
{
    *slot = values[++turn & 1];
    return 0;
}

static long op_ptwr_cmpxchg(void)
{
    uint64_t old = *slot;                       /* with the bits that the hypervisor added */

    turn++;
    return !__atomic_compare_exchange_n(slot, &old, values[turn & 1], false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST);
}

static long op_cpuid(void)
{
    uint32_t a = 1, b, c = 0, d;

    __asm__ volatile("ud2\n\t.ascii \"xen\"\n\tcpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return a == 0;
}

static long op_in(void)
{
    uint8_t val;

    __asm__ volatile("inb $0x61, %0" : "=a"(val));
    return 0;
}

static long op_out(void)
{
    __asm__ volatile("outb %0, $0x80" : : "a"((uint8_t)0));
    return 0;
}

static long op_cr3(void)
{
    uint64_t cr3;

    __asm__ volatile("movq %%cr3, %0" : "=r"(cr3));
    return cr3 == 0;
}

static void page_table_stores(void)
{
    void *va = va_alloc(1);
    pfn_t a = frame_alloc(), b = frame_alloc();

    slot = (volatile uint64_t *)pte_slot(va, 1);
    values[0] = make_pte(pfn_to_mfn(a), PTE_KERNEL);
    values[1] = make_pte(pfn_to_mfn(b), PTE_KERNEL);
    ASSERT_EQ(xen_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    bench("writable page table, store", op_ptwr_store, 0, 1);
    EXPECT_EQ(pte_mfn(pte_read(va, 1)), pte_mfn(values[turn & 1]));
    bench("writable page table, cmpxchg", op_ptwr_cmpxchg, 0, 1);
    EXPECT_EQ(xen_vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables), 0);
    EXPECT_EQ(unmap_page(va), 0);
    frame_free(a);
    frame_free(b);
}

static void bench_emulation(void)
{
    struct physdev_set_iopl iopl = { .iopl = 1 };

    page_table_stores();
    bench("cpuid, forced", op_cpuid, 0, 1);
    bench("read of cr3", op_cr3, 0, 1);
    ASSERT_EQ(xen_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    bench("in", op_in, 0, 1);
    bench("out", op_out, 0, 1);
    iopl.iopl = 0;
    EXPECT_EQ(xen_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
}

SUITE_PART(bench, 95, 3, TEST(bench_traps), TEST(bench_user), TEST(bench_emulation));
