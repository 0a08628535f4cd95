/*
 * Suite "vcpu": vcpu_op: which vCPUs there are, what may not be asked for, NMIs to oneself. Timers and run
 * states are timers.c's. The kernel runs on vCPU 0 only.
 */
#include <string.h>
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"

#define MANY 8192                               /* what Linux asks for, one by one */
#define UNMAPPED ((void *)0xffffff0000001000ul)

static long is_up(unsigned vcpu)
{
    return xen_vcpu_op(VCPUOP_is_up, vcpu, NULL);
}

/* Present ones first, without a gap; then -ENOENT for every number there is. */
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
        VCPUOP_initialise, VCPUOP_up, VCPUOP_down, VCPUOP_get_runstate_info, VCPUOP_stop_periodic_timer,
        VCPUOP_set_singleshot_timer, VCPUOP_register_vcpu_info, VCPUOP_register_runstate_memory_area,
        VCPUOP_send_nmi, VCPUOP_register_vcpu_time_memory_area,
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
    void *const bad[] = { NULL, UNMAPPED, (void *)HOLE_START, (void *)0x8000000000000000, (void *)~0ul };

    for (unsigned i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
        for (unsigned j = 0; j < sizeof(bad) / sizeof(bad[0]); j++)
            EXPECT_MSG(xen_vcpu_op(cmds[i], 0, bad[j]) == -XEN_EFAULT, "command %d at %p: %ld", cmds[i],
                       bad[j], xen_vcpu_op(cmds[i], 0, bad[j]));
}

/* The one we run on is up and initialised for good. */
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
    EXPECT_EQ(xen_vcpu_op(VCPUOP_up, 1, NULL), -XEN_EINVAL);    /* nobody said what it is to run */
    ctx.ctrlreg[3] = ~0ul;                                      /* a root that cannot be */
    ctx.user_regs.cs = FLAT_KERNEL_CS;
    ctx.user_regs.ss = FLAT_KERNEL_SS;
    rc = xen_vcpu_op(VCPUOP_initialise, 1, &ctx);
    EXPECT_MSG(rc < 0, "a wild root was taken: %ld", rc);
    EXPECT_EQ(is_up(1), 0);
}

/* --- vcpu_info ---------------------------------------------------------------------------------------- */

static long register_info(mfn_t mfn, uint32_t offset)
{
    struct vcpu_register_vcpu_info op = { .mfn = mfn, .offset = offset };

    return xen_vcpu_op(VCPUOP_register_vcpu_info, 0, &op);
}

/*
 * Ours is to stay where it is, as this kernel knows no other place. So the refusals, and one registration
 * that does not move it: the shared page's own place. There is no second time.
 */
static void vcpu_info_registration(void)
{
    static const uint32_t bad[] = { PAGE_SIZE - sizeof(struct vcpu_info) + 8, PAGE_SIZE - 8, PAGE_SIZE,
                                    1, 4, 0x80000000, ~0u };
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
    port = event_bind_ipi(NULL, NULL);                  /* and events find their way as before */
    ASSERT(port > 0);
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(event_count(port), 1);
    EXPECT_EQ(event_close(port), 0);
    EXPECT_EQ(shared_info->vcpu_info[0].evtchn_upcall_mask, 0);
}

/* --- NMI ---------------------------------------------------------------------------------------------- */

static volatile unsigned nmis;

/* Another one from within waits until the iret. */
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

static void nmi_to_oneself(void)
{
    trap_handler old = trap_set_handler(TRAP_NMI, on_nmi);

    nmis = 0;
    EXPECT_EQ(xen_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    EXPECT_EQ(nmis, 2);
    events_off();                                       /* the mask does not hold it back */
    EXPECT_EQ(xen_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    EXPECT_EQ(nmis, 3);
    events_on();
    trap_set_handler(TRAP_NMI, old);
}

SUITE(vcpu, 56, 0, TEST(is_up_for_all), TEST(commands_beyond), TEST(bad_pointers), TEST(running_vcpu),
      TEST(second_vcpu), TEST(vcpu_info_registration), TEST(nmi_to_oneself));
