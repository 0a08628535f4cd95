/* Suite "vcpu": vcpu_op: which vCPUs there are, requests that are refused, NMIs to oneself. Timers
 * and run states are in timers.c and clocks.c. The kernel runs on vCPU 0 only. */
#include <string.h>
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"

#define MANY 8192                               /* Linux asks for so many */
#define UNMAPPED ((void *)0xffffff0000001000ul)

static long is_up(unsigned vcpu)
{
    return xen_vcpu_op(VCPUOP_is_up, vcpu, NULL);
}

/* vCPUs that exist come first, without a gap; then -ENOENT for every number. */
static void is_up_for_all(void)
{
    unsigned n = 1, wrong = 0;

    EXPECT_EQ(is_up(0), 1);
    while (n < MANY && is_up(n) >= 0)
        n++;
    EXPECT(n < MANY);
    for (unsigned i = n; i < MANY; i++)
        wrong += is_up(i) != -XEN_ENOENT;
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(is_up(~0u), -XEN_ENOENT);
    EXPECT_EQ(is_up(0x80000000), -XEN_ENOENT);
}

static void commands_beyond(void)
{
    static const int cmds[] = {
        VCPUOP_initialise, VCPUOP_up, VCPUOP_down, VCPUOP_get_runstate_info,
        VCPUOP_stop_periodic_timer, VCPUOP_set_singleshot_timer, VCPUOP_register_vcpu_info,
        VCPUOP_register_runstate_memory_area, VCPUOP_send_nmi,
        VCPUOP_register_vcpu_time_memory_area,
    };

    for (unsigned i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
        EXPECT_EQ(xen_vcpu_op(cmds[i], 9999, UNMAPPED), -XEN_ENOENT);
    EXPECT_EQ(xen_vcpu_op(99, 0, UNMAPPED), -XEN_ENOSYS);
    EXPECT_EQ(xen_vcpu_op(-1, 0, UNMAPPED), -XEN_ENOSYS);
}

static void bad_pointers(void)
{
    static const int cmds[] = {
        VCPUOP_get_runstate_info, VCPUOP_set_singleshot_timer, VCPUOP_set_periodic_timer,
        VCPUOP_register_vcpu_info, VCPUOP_register_runstate_memory_area,
    };
    void *const bad[] = { NULL, UNMAPPED, (void *)HOLE_START, (void *)0x8000000000000000,
                          (void *)~0ul };

    for (unsigned i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
        for (unsigned j = 0; j < sizeof(bad) / sizeof(bad[0]); j++)
            EXPECT_MSG(xen_vcpu_op(cmds[i], 0, bad[j]) == -XEN_EFAULT, "command %d at %p: %ld",
                       cmds[i], bad[j], xen_vcpu_op(cmds[i], 0, bad[j]));
}

/* vCPU 0 is up, and cannot be initialised again. */
static void running_vcpu(void)
{
    static struct vcpu_guest_context ctx;

    EXPECT_EQ(xen_vcpu_op(VCPUOP_up, 0, NULL), 0);
    EXPECT_EQ(xen_vcpu_op(VCPUOP_initialise, 0, &ctx), -XEN_EEXIST);
    EXPECT_EQ(xen_vcpu_op(VCPUOP_initialise, 0, UNMAPPED), -XEN_EFAULT);
}

static void second_vcpu(void)
{
    static struct vcpu_guest_context ctx;
    long rc;

    if (is_up(1) == -XEN_ENOENT)
        SKIP("one vCPU");
    EXPECT_EQ(is_up(1), 0);
    EXPECT_EQ(xen_vcpu_op(VCPUOP_up, 1, NULL), -XEN_EINVAL);    /* not initialised */
    ctx.ctrlreg[3] = ~0ul;                                      /* no valid root */
    ctx.user_regs.cs = FLAT_KERNEL_CS;
    ctx.user_regs.ss = FLAT_KERNEL_SS;
    rc = xen_vcpu_op(VCPUOP_initialise, 1, &ctx);
    EXPECT_MSG(rc < 0, "a wild root was taken: %ld", rc);
    EXPECT_EQ(is_up(1), 0);
}

/* The second vCPU stores its FPU state; then it goes down. */
static volatile struct {
    uint32_t done;
    uint16_t fcw;
    uint32_t mxcsr, unused;
    uint64_t xmm5;
} found;

__attribute__((naked)) static void second_entry(void)
{
    __asm__("fnstcw %c[fcw]+found(%%rip)\n\tstmxcsr %c[mxcsr]+found(%%rip)\n\t"
            "movq %%xmm5, %c[xmm5]+found(%%rip)\n\tmovl $1, found(%%rip)\n"
            "1:\tmovl %[down], %%edi\n\tmovl $1, %%esi\n\txorl %%edx, %%edx\n\t"
            "movl %[vcpu_op], %%eax\n\tsyscall\n\tjmp 1b"
            : : [fcw] "i"(__builtin_offsetof(__typeof__(found), fcw)),
                [mxcsr] "i"(__builtin_offsetof(__typeof__(found), mxcsr)),
                [xmm5] "i"(__builtin_offsetof(__typeof__(found), xmm5)),
                [down] "i"(VCPUOP_down), [vcpu_op] "i"(__HYPERVISOR_vcpu_op));
}

/* It starts with the FPU state that it is given, also if that has a bit of MXCSR set that no CPU
 * has. */
static void second_vcpu_starts(void)
{
    static struct vcpu_guest_context ctx;
    static char stack[1024];
    uint16_t fcw = 0x27f;
    uint32_t mxcsr = 0x80009f80;
    uint64_t xmm5 = 0x123456789abcdef0;

    if (is_up(1) == -XEN_ENOENT)
        SKIP("one vCPU");
    ctx.flags = VGCF_in_kernel | VGCF_i387_valid;
    memcpy(&ctx.fpu_ctxt.x[0], &fcw, sizeof(fcw));
    memcpy(&ctx.fpu_ctxt.x[24], &mxcsr, sizeof(mxcsr));
    memcpy(&ctx.fpu_ctxt.x[160 + 5 * 16], &xmm5, sizeof(xmm5));
    ctx.user_regs.rip = (uint64_t)second_entry;
    ctx.user_regs.rsp = ctx.kernel_sp = (uint64_t)(stack + sizeof(stack));
    ctx.user_regs.cs = FLAT_KERNEL_CS;
    ctx.user_regs.ss = ctx.kernel_ss = FLAT_KERNEL_SS;
    ctx.ctrlreg[3] = pfn_to_mfn(kernel_root()) << PAGE_SHIFT;
    ASSERT_EQ(xen_vcpu_op(VCPUOP_initialise, 1, &ctx), 0);
    ASSERT_EQ(xen_vcpu_op(VCPUOP_up, 1, NULL), 0);
    for (uint64_t end = clock_ns() + NS_PER_S; is_up(1) && clock_ns() < end;)
        xen_sched_op(SCHEDOP_yield, NULL);
    EXPECT_EQ(found.done, 1);
    EXPECT_EQ(is_up(1), 0);
    EXPECT_EQ(found.fcw, fcw);
    EXPECT_EQ(found.mxcsr, (uint16_t)mxcsr);
    EXPECT_EQ(found.xmm5, xmm5);
}

/* --- vcpu_info -------------------------------------------------------------------------------- */

static long register_info(mfn_t mfn, uint32_t offset)
{
    struct vcpu_register_vcpu_info op = { .mfn = mfn, .offset = offset };

    return xen_vcpu_op(VCPUOP_register_vcpu_info, 0, &op);
}

/* This kernel uses vcpu_info in the shared page only. So the tests are requests that are refused,
 * and one registration at the place where it is. A second registration is refused. */
static void vcpu_info_registration(void)
{
    static const uint32_t bad[] = { PAGE_SIZE - sizeof(struct vcpu_info) + 8, PAGE_SIZE - 8,
                                    PAGE_SIZE, 1, 4, 0x80000000, ~0u };
    mfn_t shared = start_info->shared_info >> PAGE_SHIFT;
    pfn_t pfn = frame_alloc();
    int port;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        EXPECT_MSG(register_info(pfn_to_mfn(pfn), bad[i]) < 0, "offset %#x was taken", bad[i]);
    EXPECT(register_info(~0ul, 0) < 0);
    EXPECT(register_info(1ul << 40, 0) < 0);
    EXPECT(register_info(pfn_to_mfn(kernel_root()), 0) < 0);
    EXPECT_EQ(register_info(shared, 0), 0);
    EXPECT_EQ(register_info(pfn_to_mfn(pfn), 0), -XEN_EINVAL);
    frame_free(pfn);
    port = event_bind_ipi(NULL, NULL);                  /* events are still delivered */
    ASSERT(port > 0);
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(event_count(port), 1);
    EXPECT_EQ(event_close(port), 0);
    EXPECT_EQ(shared_info->vcpu_info[0].evtchn_upcall_mask, 0);
}

/* --- NMI -------------------------------------------------------------------------------------- */

static volatile unsigned nmis;

/* A second NMI, raised in the handler, waits until the iret. */
static bool on_nmi(struct regs *r)
{
    unsigned before;

    (void)r;
    before = ++nmis;
    if (nmis == 1) {
        EXPECT_EQ(xen_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
        EXPECT_EQ(nmis, before);
    }
    return true;
}

static void do_nothing(void *arg)
{
    (void)arg;
}

static void nmi_to_oneself(void)
{
    trap_handler old = trap_set_handler(TRAP_NMI, on_nmi);

    nmis = 0;
    EXPECT_EQ(xen_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    EXPECT_EQ(nmis, 2);
    events_off();                                       /* the upcall mask does not defer an NMI */
    EXPECT_EQ(xen_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    EXPECT_EQ(nmis, 3);
    events_on();
    trap_set_handler(TRAP_NMI, old);
}

/* An NMI without a handler is lost, so it does not end or prevent a block. */
static void nmi_without_a_handler(void)
{
    struct timer t = { 0 };
    uint64_t start;

    ASSERT_EQ(xen_nmi_op(XENNMI_unregister_callback, NULL), 0);
    EXPECT_EQ(xen_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    start = clock_ns();
    events_off();           /* the timer's event must not come before block, which sets events on */
    timer_start(&t, start + 50 * NS_PER_MS, do_nothing, NULL);
    EXPECT_EQ(xen_sched_op(SCHEDOP_block, NULL), 0);
    EXPECT(clock_ns() - start >= 50 * NS_PER_MS);
    timer_cancel(&t);
    nmis = 1;
    EXPECT_EQ(trap_table_install(), 0);
    EXPECT_EQ(xen_vcpu_op(VCPUOP_is_up, 0, NULL), 1);   /* it is not delivered later */
    EXPECT_EQ(nmis, 1);
}

SUITE(vcpu, 56, 0, TEST(is_up_for_all), TEST(commands_beyond), TEST(bad_pointers),
      TEST(running_vcpu), TEST(second_vcpu), TEST(second_vcpu_starts), TEST(vcpu_info_registration),
      TEST(nmi_to_oneself), TEST(nmi_without_a_handler));
