/* Suite "clocks": the times that the hypervisor writes into the guest's memory: system time and
 * wall clock in the shared page, registered copies of them, and the vCPU's time in each run state.
 * Timers are in timers.c. */
#include <public/arch-x86/cpuid.h>
#include <string.h>
#include "clock.h"
#include "hypercall.h"
#include "sensitive_pv.h"
#include "start.h"
#include "suite.h"
#include "thread.h"

static void time_info(void)
{
    volatile struct vcpu_time_info *t = &shared_info->vcpu_info[0].time;
    uint32_t version = t->version;
    uint64_t last = clock_ns(), end = last + 50 * NS_PER_MS, backwards = 0;

    EXPECT_EQ(version & 1, 0);
    EXPECT(t->tsc_to_system_mul != 0);
    EXPECT(t->tsc_shift > -32 && t->tsc_shift < 32);
    EXPECT(t->tsc_timestamp <= clock_tsc());
    EXPECT(t->system_time <= clock_ns());
    while (last < end) {
        uint64_t now = clock_ns();

        backwards += now < last;
        last = now;
    }
    EXPECT_EQ(backwards, 0);
    thread_sleep(2 * NS_PER_MS);                        /* the vCPU blocks and runs again */
    EXPECT(clock_ns() >= last + 2 * NS_PER_MS);
    EXPECT_EQ(t->version & 1, 0);
    EXPECT((int32_t)(t->version - version) >= 0);
}

/* The stamps must be recent, as a kernel multiplies the ticks since then in 64 bits. Time never
 * goes back when they are renewed. */
static void stamps_move(void)
{
    volatile struct vcpu_time_info *t = &shared_info->vcpu_info[0].time;
    uint64_t stamp = t->tsc_timestamp, system = t->system_time;
    uint64_t last = clock_ns(), end = last + 3 * NS_PER_S;
    uint64_t backwards = 0, ticks;
    uint32_t version = t->version;

    while (t->tsc_timestamp == stamp && last < end) {
        uint64_t now = clock_ns();

        backwards += now < last;
        last = now;
    }
    EXPECT_EQ(backwards, 0);
    EXPECT(clock_ns() >= last && clock_ns() - last < NS_PER_S / 2);
    EXPECT(t->tsc_timestamp > stamp);
    EXPECT(t->system_time > system);
    EXPECT(t->version != version && !(t->version & 1));
    ticks = clock_tsc() - t->tsc_timestamp;
    ticks = t->tsc_shift < 0 ? ticks >> -t->tsc_shift : ticks << t->tsc_shift;
    EXPECT_EQ((uint64_t)((unsigned __int128)ticks * t->tsc_to_system_mul >> 64), 0);
}

static void wallclock(void)
{
    uint64_t a, b;

    EXPECT_EQ(shared_info->wc_version & 1, 0);
    EXPECT(shared_info->wc_nsec < NS_PER_S);
    a = clock_wall_ns();
    clock_spin(NS_PER_MS);
    b = clock_wall_ns();
    EXPECT(b - a >= NS_PER_MS);
    EXPECT(a / NS_PER_S > 978307200 && a / NS_PER_S < 7258118400); /* in this century or the next */
}

static void time_area(void)
{
    static volatile struct vcpu_time_info area;
    volatile struct vcpu_time_info *t = &shared_info->vcpu_info[0].time;
    struct vcpu_register_time_memory_area op = { .addr.p = (uint64_t)&area };
    long rc = xen_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &op);

    if (rc == -XEN_ENOSYS)
        SKIP("there is no second copy of the time");
    ASSERT_EQ(rc, 0);
    EXPECT_EQ(area.tsc_to_system_mul, t->tsc_to_system_mul);
    EXPECT_EQ(area.tsc_shift, t->tsc_shift);
    EXPECT_EQ(area.system_time, t->system_time);
    EXPECT_EQ(area.tsc_timestamp, t->tsc_timestamp);
    EXPECT_EQ(area.version & 1, 0);
    op.addr.p = HOLE_START;
    EXPECT_EQ(xen_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &op), -XEN_EFAULT);
    op.addr.p = 0;
    EXPECT_EQ(xen_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &op), 0);
}

static uint64_t runstate_sum(struct vcpu_runstate_info *rs)
{
    EXPECT_EQ(xen_vcpu_op(VCPUOP_get_runstate_info, 0, rs), 0);
    return rs->time[0] + rs->time[1] + rs->time[2] + rs->time[3];
}

/* Every nanosecond is counted in one of the four states. */
static void runstate_adds_up(void)
{
    const uint64_t slack = NS_PER_MS / 10;
    struct vcpu_runstate_info a, b;
    uint64_t t[4], first, second;

    t[0] = clock_ns();
    first = runstate_sum(&a);
    b = a;
    t[1] = clock_ns();
    EXPECT_EQ(a.state, RUNSTATE_running);
    EXPECT((a.state_entry_time & ~XEN_RUNSTATE_UPDATE) <= t[1] + slack);
    clock_spin(2 * NS_PER_MS);
    for (unsigned n = 0; n < 50 && b.time[RUNSTATE_blocked] <= a.time[RUNSTATE_blocked]; n++) {
        /* If this vCPU did not run for that long, the thread did not block: try again. */
        thread_sleep(20 * NS_PER_MS);
        runstate_sum(&b);
    }
    t[2] = clock_ns();
    second = runstate_sum(&b);
    t[3] = clock_ns();
    EXPECT_MSG(second - first + slack >= t[2] - t[1], "%lu counted, at least %lu went by",
               second - first, t[2] - t[1]);
    EXPECT_MSG(second - first <= t[3] - t[0] + slack, "%lu counted, at most %lu went by",
               second - first, t[3] - t[0]);
    EXPECT(b.time[RUNSTATE_running] > a.time[RUNSTATE_running]);
    EXPECT(b.time[RUNSTATE_blocked] > a.time[RUNSTATE_blocked]);
    EXPECT(b.state_entry_time > a.state_entry_time);
}

static void runstate_area(void)
{
    static volatile struct vcpu_runstate_info area;
    struct vcpu_register_runstate_memory_area op = { .addr.p = (uint64_t)&area };
    struct vcpu_runstate_info rs;
    uint64_t blocked;

    xen_vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag);
    area.state = 77;
    ASSERT_EQ(xen_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op), 0);
    EXPECT_EQ(area.state, RUNSTATE_running);
    blocked = area.time[RUNSTATE_blocked];
    thread_sleep(5 * NS_PER_MS);
    EXPECT_EQ(area.state, RUNSTATE_running);
    EXPECT(area.time[RUNSTATE_blocked] > blocked);
    EXPECT_EQ(area.state_entry_time & XEN_RUNSTATE_UPDATE, 0);
    runstate_sum(&rs);
    EXPECT(rs.time[RUNSTATE_blocked] >= area.time[RUNSTATE_blocked]);
    op.addr.p = HOLE_START;
    EXPECT_EQ(xen_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op), -XEN_EFAULT);
    op.addr.p = 0xffffff0000001000;                     /* unmapped: not written, and no error */
    xen_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op);
    thread_sleep(NS_PER_MS);
    op.addr.p = 0;
    EXPECT_EQ(xen_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op), 0);
    xen_vm_assist(VMASST_CMD_disable, VMASST_TYPE_runstate_update_flag);
}

#define INVARIANT_TSC (1u << 8)
#define HOST_TSC_IS_RELIABLE 2u
#define NEVER_EMULATE 2u

/* The command line says whether this machine's TSC may be reported as constant: tsc=unstable; with
 * the system time, tsc=stable; by CPUID, too, tsc=invariant. */
static void tsc_promise(void)
{
    volatile struct vcpu_time_info *t = &shared_info->vcpu_info[0].time;
    bool invariant, stable;
    char wanted[16];

    if (!cmdline_get("tsc", wanted, sizeof(wanted)))
        SKIP("nobody says what is right (tsc=)");
    invariant = strcmp(wanted, "invariant") == 0;
    stable = invariant || strcmp(wanted, "stable") == 0;
    EXPECT_EQ(t->flags & XEN_PVCLOCK_TSC_STABLE_BIT, stable ? XEN_PVCLOCK_TSC_STABLE_BIT : 0);
    EXPECT_EQ(forced_cpuid_of(XEN_CPUID_LEAF(3), 0).a & HOST_TSC_IS_RELIABLE,
              stable ? HOST_TSC_IS_RELIABLE : 0);
    EXPECT_EQ(forced_cpuid_of(XEN_CPUID_LEAF(3), 0).b, invariant ? NEVER_EMULATE : 0);
    EXPECT_EQ(forced_cpuid_of(0x80000007, 0).d, invariant ? INVARIANT_TSC : 0);
}

SUITE(clocks, 51, SUITE_ON_BARE, TEST_ON_BARE(time_info), TEST(stamps_move), TEST(wallclock),
      TEST(time_area), TEST(runstate_adds_up), TEST(runstate_area), TEST(tsc_promise));
