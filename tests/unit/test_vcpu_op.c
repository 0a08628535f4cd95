/* vcpu_op of a guest, and what it registers: time, runstates, vcpu_info, further vCPUs. */
#include "cmocka_main.h"
#include "xen/core/alloc.h"
#include "xen/core/lock.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/mmuext.h"
#include "sched_fixture.h"

static uint64_t guest_time(const struct vcpu_time_info *t, uint64_t tsc)
{
    uint64_t ticks = tsc - t->tsc_timestamp;

    ticks = t->tsc_shift < 0 ? ticks >> -t->tsc_shift : ticks << t->tsc_shift;
    /* in 64 bits */
    assert_false(__builtin_mul_overflow_p(ticks, (uint64_t)t->tsc_to_system_mul, (uint64_t)0));
    return t->system_time + (ticks * t->tsc_to_system_mul >> 32);
}

/* The guest's time is exactly the hypervisor's, before and after the stamps are renewed, at the
 * very same tick. */
static void time_stamps_follow_the_clock(void **state)
{
    struct vcpu_time_info old = v->info->time;
    unsigned moves = 0;

    (void)state;
    time_move_points();
    for (unsigned i = 0; i < 4000; i++) {
        const struct vcpu_time_info *t = &v->info->time;

        host_advance(host_random() % (3 * MS));
        assert_int_equal(guest_time(t, host.tsc), tsc_to_ns(host.tsc));
        assert_int_equal(t->version & 1, 0);
        if (t->tsc_timestamp == old.tsc_timestamp)
            continue;
        moves++;
        assert_true(t->tsc_timestamp > old.tsc_timestamp && t->system_time > old.system_time);
        assert_true(t->version != old.version);
        assert_int_equal(guest_time(&old, host.tsc), tsc_to_ns(host.tsc));
        assert_int_equal(guest_time(t, t->tsc_timestamp), t->system_time);
        old = *t;
    }
    assert_in_range(moves, 5, 7);               /* in some six seconds */
}

/* vCPU 1 reads the area of vCPU 0, which sleeps meanwhile. */
static struct vcpu_runstate_info seen;

static void read_area(struct vcpu *other)
{
    guest_get(&seen, SCRATCH + 1024, sizeof(seen));
    other->info->evtchn_upcall_mask = 1;
    for (;;) {
        if (other->work != 0)
            exit_to_guest_work();
        vcpu_block();
    }
}

static void runstate_of_a_sleeping_vcpu_is_current(void **state)
{
    struct vcpu_register_runstate_memory_area area = { .addr.p = SCRATCH + 1024 };
    struct vcpu_set_singleshot_timer s = { .timeout_abs_ns = now_ns() + 3 * MS };
    struct vcpu *other = g->vcpu[1];

    (void)state;
    timer_port(0);
    assert_int_equal(hcall(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
                           VMASST_TYPE_runstate_update_flag), 0);
    guest_put(SCRATCH, &area, sizeof(area));
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0, SCRATCH),
                     0);
    host_vcpu(other)->program = read_area;
    spin_lock(&g->mm_lock);
    assert_int_equal(new_guest_root(other, v->root_kernel >> PAGE_SHIFT), 0);
    spin_unlock(&g->mm_lock);
    other->initialised = true;
    vcpu_start(other);
    vcpu_wake(other);
    guest_put(SCRATCH, &s, sizeof(s));
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, SCRATCH), 0);
    assert_int_equal(hcall(__HYPERVISOR_sched_op, SCHEDOP_block, 0), 0);
    assert_int_equal(seen.state, RUNSTATE_blocked);
    assert_int_equal(seen.state_entry_time & XEN_RUNSTATE_UPDATE, 0);
    assert_true(seen.state_entry_time != 0);
    v->info->evtchn_upcall_mask = 1;            /* the fake guest has no handler */
    exit_to_guest_work();
    guest_get(&seen, SCRATCH + 1024, sizeof(seen));
    assert_int_equal(seen.state, RUNSTATE_running);
    assert_in_range(seen.time[RUNSTATE_blocked], 2 * MS, 4 * MS);
}

static void other_vcpus_come_up(void **state)
{
    static struct vcpu_guest_context c;     /* large */

    (void)state;
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 1, 0), 0);
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 3, 0), -ENOENT);
    /* not initialised */
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_up, 1, 0) < 0, 1);
    memset(&c, 0, sizeof(c));
    c.flags = VGCF_in_kernel;
    c.user_regs.rip = GUEST_BASE + 0x80;
    c.user_regs.rsp = SCRATCH + 0x4000;
    c.user_regs.rflags = 0x3200;
    c.user_regs.cs = FLAT_KERNEL_CS64;
    c.user_regs.ss = FLAT_KERNEL_SS64;
    c.kernel_sp = SCRATCH + 0x4000;
    c.kernel_ss = FLAT_KERNEL_SS64;
    c.ctrlreg[3] = v->root_kernel;
    guest_put(SCRATCH, &c, sizeof(c));
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, SCRATCH), 0);
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, SCRATCH), -EEXIST);
    assert_int_equal(guest_regs(g->vcpu[1])->rip, GUEST_BASE + 0x80);
    assert_int_equal(guest_regs(g->vcpu[1])->cs & 3, 3);
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_up, 1, 0), 0);
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 1, 0), 1);
    c.ctrlreg[3] = (uint64_t)mfn_of_va(SCRATCH) << PAGE_SHIFT;     /* no page table */
    guest_put(SCRATCH, &c, sizeof(c));
    assert_true(hcall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 2, SCRATCH) < 0);
    c.ctrlreg[3] = v->root_kernel;
    /* begins in user mode: it must have a user root, and frame 0 is none */
    c.flags = 0;
    for (c.ctrlreg[1] = 0; c.ctrlreg[1] < PAGE_SIZE; c.ctrlreg[1] += PAGE_SIZE - 1) {
        guest_put(SCRATCH, &c, sizeof(c));
        assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 2, SCRATCH), -EINVAL);
    }
    c.flags = VGCF_in_kernel;
    c.ctrlreg[1] = 0;
    c.user_regs.rsp = 1ull << 63;
    guest_put(SCRATCH, &c, sizeof(c));
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 2, SCRATCH), -EINVAL);
    c.user_regs.rsp = SCRATCH + 0x4000;
    c.kernel_sp = 1ull << 47;
    guest_put(SCRATCH, &c, sizeof(c));
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 2, SCRATCH), -EINVAL);
    c.kernel_sp = SCRATCH + 0x4000;
    for (unsigned i = 0; i < 3; i++) {          /* bad addresses of an LDT without entries, too */
        c.ldt_base = (uint64_t[]){ SCRATCH + 8, HOLE_START, 1ull << 63 }[i];
        guest_put(SCRATCH, &c, sizeof(c));
        assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 2, SCRATCH), -EINVAL);
    }
    c.ldt_base = 0;
    c.flags |= VGCF_i387_valid;
    memset(&c.fpu_ctxt, 0x5a, sizeof(c.fpu_ctxt));
    c.debugreg[4] = 0xf;                        /* not a register of its own: DR4 is DR6 */
    c.debugreg[6] = 1ull << 32;                 /* refused, so that it stays as after reset */
    c.debugreg[7] = 0x401;
    /* entry code pushes there without a check: it may not lie in the hole */
    c.kernel_sp = HOLE_START + (3ull << 40);
    guest_put(SCRATCH, &c, sizeof(c));
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 2, SCRATCH), 0);
    assert_true(guest_range_ok(g->vcpu[2]->kernel_sp, 1) &&
                guest_range_ok(g->vcpu[2]->kernel_sp - 56, 1));
    assert_memory_equal(host_vcpu(g->vcpu[2])->fpu_image, &c.fpu_ctxt, sizeof(c.fpu_ctxt));
    assert_int_equal(g->vcpu[2]->debugreg[6] & 0xf, 0);
    assert_int_equal(g->vcpu[2]->debugreg[7], 0x401);
    assert_int_equal(host_vcpu(g->vcpu[1])->fpu_image[0], 0);
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_down, 1, 0), 0);
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 1, 0), 0);
}

static void vcpu_info_moves_without_loss(void **state)
{
    struct vcpu_register_vcpu_info reg = {
        .mfn = mfn_of_va(FREE_PFN_VA), .offset = PAGE_SIZE - 56,
    };
    struct vcpu_info *old = v->info;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        reg.offset = (uint32_t[]){ PAGE_SIZE - 56, 4, ~0u }[i];
        guest_put(SCRATCH, &reg, sizeof(reg));
        assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, SCRATCH),
                         -XEN_ENXIO);
    }
    reg.offset = PAGE_SIZE - 64;
    for (unsigned i = 0; i < 2; i++) {
        reg.mfn = i ? max_mfn : v->root_kernel >> PAGE_SHIFT;
        guest_put(SCRATCH, &reg, sizeof(reg));
        assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, SCRATCH),
                         -EINVAL);
    }
    assert_ptr_equal(v->info, old);
    reg.mfn = mfn_of_va(FREE_PFN_VA);
    guest_put(SCRATCH, &reg, sizeof(reg));
    old->evtchn_pending_sel = 5;
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, SCRATCH), 0);
    assert_ptr_equal(v->info, (char *)mfn_to_virt(reg.mfn) + PAGE_SIZE - 64);
    assert_true(v->info->evtchn_upcall_pending &&
                (v->info->evtchn_pending_sel & 5) == 5); /* nothing is lost */
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, SCRATCH), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guest(time_stamps_follow_the_clock),
        with_guest(runstate_of_a_sleeping_vcpu_is_current),
        with_guest(other_vcpus_come_up),
        with_guest(vcpu_info_moves_without_loss),
    };

    return cmocka_run_group_tests_name("vcpu_op", tests, NULL, NULL);
}
