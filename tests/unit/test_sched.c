/* Timers against a sorted list; the scheduler on a clock that the test sets: shares by weight, no
 * vCPU starves, a woken vCPU runs soon, and a sleeping one wakes in time. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "support.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/walk.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/input.h"
#include "xen/pv/mmuext.h"

#define MS 1000000ull

/* --- Timers ------------------------------------------------------------------------------------ */

#define NR_TIMERS 40u
static struct timer timers[NR_TIMERS];
static uint64_t due[NR_TIMERS];         /* the model: 0 is off */
static uint64_t last_due;

static void fired(void *arg)
{
    unsigned i = (unsigned)((struct timer *)arg - timers);

    assert_true(due[i] != 0 && now_ns() >= due[i]);
    assert_true(due[i] >= last_due || due[i] == 1);
    for (unsigned j = 0; j < NR_TIMERS; j++)
        assert_true(due[j] == 0 || due[j] >= due[i]);   /* the earliest first */
    due[i] = 0;
    if (i % 8 == 0)
        timer_set(&timers[i], due[i] = now_ns() + 5 * MS);
}

static void timers_fire_in_order(void **state)
{
    (void)state;
    memset(due, 0, sizeof(due));
    for (unsigned i = 0; i < NR_TIMERS; i++)
        timer_init(&timers[i], fired, &timers[i]);
    for (unsigned round = 0; round < 5000; round++) {
        unsigned i = (unsigned)(host_random() % NR_TIMERS);

        switch (host_random() % 4) {
        case 0:
            timer_cancel(&timers[i]);
            due[i] = 0;
            break;
        case 1:
            host_advance(host_random() % (3 * MS));
            for (unsigned j = 0; j < NR_TIMERS; j++)
                assert_true(due[j] == 0 || due[j] + 2000 > now_ns());   /* nothing is overdue */
            break;
        default:
            timer_set(&timers[i], due[i] = now_ns() + 1 + host_random() % (10 * MS));
        }
        for (unsigned j = 0; j < NR_TIMERS; j++)
            assert_int_equal(timer_armed(&timers[j]), due[j] != 0);
    }
    for (unsigned i = 0; i < NR_TIMERS; i++)
        timer_cancel(&timers[i]);
    host_advance(100 * MS);
}

static void time_is_monotonic_and_right(void **state)
{
    uint64_t start = now_ns(), before = start;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now = now_ns();

        assert_true(now >= before);
        before = now;
        host_advance(MS);
    }
    assert_in_range(now_ns() - start, 1000 * MS, 1001 * MS);
    /* no timer is early, and none late */
    for (uint64_t wait = 1; wait < 1ull << 60; wait = wait * 3 / 2 + 1)
        for (unsigned i = 0; i < 100; i++) {
            uint64_t ns, then;

            host.tsc += i;
            ns = now_ns() + wait;
            then = tsc_to_ns(ns_to_tsc(ns));
            assert_in_range(then, ns, ns + 10 + (wait >> 30));
        }
}

/* --- Shares ------------------------------------------------------------------------------------ */

static uint64_t worst_gap[8];
static bool stop;

/* A vCPU that computes for ever: a tenth of a millisecond of work, then the way out of the
 * hypervisor. */
static void busy(struct vcpu *v)
{
    uint64_t last = now_ns(), *gap = &worst_gap[v->domain->id];

    while (!stop) {
        uint64_t now = now_ns();

        *gap = MAX(*gap, now - last);
        last = now;
        host_advance(MS / 10);
        if (v->work != 0 || upcall_due(v))
            exit_to_guest_work();
    }
    domain_shutdown(v->domain, SHUTDOWN_poweroff);
    exit_to_guest_work();
}

static struct domain *busy_guest(domid_t id, unsigned weight, void (*program)(struct vcpu *))
{
    struct domain *d = domain_create(id, "busy", 1, 16, weight);

    assert_non_null(d);
    host_vcpu(d->vcpu[0])->program = program;
    d->vcpu[0]->info->evtchn_upcall_mask = 1;
    domain_start(d);
    return d;
}

static void stop_them(void *arg)
{
    (void)arg;
    stop = true;
}

static void run_for(uint64_t ns)
{
    struct timer t;

    stop = false;
    timer_init(&t, stop_them, NULL);
    timer_set(&t, now_ns() + ns);
    (void)host_run(1000 * ns);
    assert_true(stop);
}

static uint64_t time_of[8];
static void note_times(void *arg)
{
    struct domain *d;

    (void)arg;
    for_each_domain(d)
        time_of[d->id] = d->vcpu[0]->cpu_ns;
}

static void shares_follow_weights(void **state)
{
    static const unsigned weights[5] = { 0, 128, 256, 512, 1024 };
    struct timer t;
    uint64_t sum = 0;

    (void)state;
    memset(worst_gap, 0, sizeof(worst_gap));
    for (domid_t id = 1; id <= 4; id++)
        busy_guest(id, weights[id], busy);
    timer_init(&t, note_times, NULL);
    timer_set(&t, now_ns() + 3999 * MS);
    run_for(4000 * MS);
    for (unsigned id = 1; id <= 4; id++)
        sum += time_of[id];
    assert_in_range(sum, 3900 * MS, 4001 * MS);
    for (unsigned id = 1; id <= 4; id++) {
        uint64_t want = sum * weights[id] / 1920;

        if (time_of[id] < want - want / 10 || time_of[id] > want + want / 10)
            fail_msg("weight %u got %lu ms of %lu", weights[id], time_of[id] / MS, want / MS);
        assert_in_range(worst_gap[id], 1, 400 * MS);    /* nobody starves */
    }
}

/* Extreme weights do not starve the small one. */
static void the_lightest_still_runs(void **state)
{
    (void)state;
    memset(worst_gap, 0, sizeof(worst_gap));
    busy_guest(1, 1, busy);
    busy_guest(2, 65535, busy);
    run_for(4000 * MS);
    assert_true(worst_gap[1] > 0);
}

/* Sleeps, works a little, and measures how late it got the CPU. */
static uint64_t worst_latency, wakeups;

static void wake(void *arg)
{
    vcpu_wake(arg);
}

static void interactive(struct vcpu *v)
{
    struct timer t;

    timer_init(&t, wake, v);
    while (!stop) {
        uint64_t at = now_ns() + 7 * MS;

        timer_set(&t, at);
        vcpu_block();
        if (now_ns() >= at) {
            wakeups++;
            worst_latency = MAX(worst_latency, now_ns() - at);
        }
        host_advance(MS / 20);
        if (v->work != 0)
            exit_to_guest_work();
    }
    timer_cancel(&t);
    domain_shutdown(v->domain, SHUTDOWN_poweroff);
    exit_to_guest_work();
}

static void the_one_that_wakes_is_served_soon(void **state)
{
    (void)state;
    worst_latency = wakeups = 0;
    for (domid_t id = 1; id <= 4; id++)
        busy_guest(id, 256, busy);
    busy_guest(5, 256, interactive);
    run_for(2000 * MS);
    assert_in_range(wakeups, 150, 300);
    assert_in_range(worst_latency, 0, 12 * MS);
}

static void the_machine_sleeps_when_all_do(void **state)
{
    (void)state;
    worst_latency = wakeups = 0;
    busy_guest(1, 256, interactive);
    run_for(1000 * MS);
    assert_in_range(wakeups, 135, 150);
    assert_in_range(worst_latency, 0, MS / 10);
}

/* A thousand tables, pinned and full, of the domain that is current: the frame behind FREE_PFN_VA,
 * 512 times in each. */
#define NR_TABLES 1000u

static void pin_full_tables(struct domain *d)
{
    uint64_t list = guest_start_info(d)->mfn_list,
        entry = mfn_of_va(FREE_PFN_VA) << PAGE_SHIFT | PTE_P | PTE_RW;

    for (unsigned i = 0; i < NR_TABLES; i++) {
        struct mmuext_op op = { .cmd = MMUEXT_PIN_L1_TABLE };
        uint64_t *table;

        guest_get(&op.arg1.mfn, list + 8 * (d->max_frames - 1 - i), 8);
        table = mfn_to_virt(op.arg1.mfn);
        for (unsigned j = 0; j < PTES_PER_TABLE; j++)
            table[j] = entry;
        guest_put(SCRATCH, &op, sizeof(op));
        assert_int_equal(do_mmuext_op(SCRATCH, 1, 0, DOMID_SELF), 0);
    }
}

/* Freeing it takes an interrupt window for every few tables, each of which lasts a millisecond
 * here. Meanwhile the other domain has its half of the CPU, and never waits longer than one slice;
 * and the freeing ends, although the other domain never sleeps. */
static void a_domain_ends_beside_others(void **state)
{
    struct domain *dying = guest_make_sized(1, 1, GUEST_FRAMES + NR_TABLES, 256);
    uint64_t free_before = nr_free_frames(), windows, begin;

    (void)state;
    work_budget = 100000;
    host_become(dying->vcpu[0]);
    pin_full_tables(dying);
    host_become(boot_cpu.idle);
    stop = false;
    memset(worst_gap, 0, sizeof(worst_gap));
    busy_guest(2, 256, busy);
    host.window_ticks = 2400000;
    windows = host.windows;
    begin = now_ns();
    domain_shutdown(dying, SHUTDOWN_poweroff);
    while (domain_count() == 2)
        (void)host_run(MS);
    windows = host.windows - windows;
    assert_in_range(windows, NR_TABLES / 8, 2 * NR_TABLES);
    assert_in_range(now_ns() - begin, windows * MS * 3 / 2, windows * MS * 3);
    assert_in_range(worst_gap[2], MS, 12 * MS);
    assert_true(nr_free_frames() > free_before + GUEST_FRAMES + NR_TABLES - 200);
    host.window_ticks = 0;
    run_for(MS);
}

static void stop_now(void *arg)
{
    (void)arg;
    stop = true;
}

/* Its last output goes over a slow line; then its end must not wait for the busy domain to
 * sleep. */
static void a_domain_with_last_words_ends_beside_a_busy_one(void **state)
{
    struct domain *dying = guest_make_sized(1, 1, GUEST_FRAMES, 256);
    struct xencons_interface *ring = dying->console_ring;
    struct timer end;

    (void)state;
    stop = false;
    host_become(boot_cpu.idle);
    console_input_start();
    busy_guest(2, 256, busy);
    host.byte_ticks = 208333;           /* 11520 bytes a second */
    for (unsigned i = 0; i < 600; i++)
        ring->out[ring->out_prod++ % sizeof(ring->out)] = i % 20 == 19 ? '\n' : 'x';
    domain_shutdown(dying, SHUTDOWN_poweroff);
    timer_init(&end, stop_now, NULL);
    timer_set(&end, now_ns() + 4000 * MS);
    for (unsigned i = 0; i < 4000 && !stop && domain_count() == 2; i++)
        (void)host_run(MS);
    assert_false(stop);
    assert_int_equal(domain_count(), 1);
    timer_cancel(&end);
    stop = true;
}

/* --- What a guest asks for --------------------------------------------------------------------- */

static struct domain *g;
static struct vcpu *v;

static int one_guest(void **state)
{
    machine_up(state);
    g = guest_make(1, 3);
    v = g->vcpu[0];
    host_become(v);
    return 0;
}

static evtchn_port_t timer_port(unsigned vcpu)
{
    struct evtchn_bind_virq b = { .virq = VIRQ_TIMER, .vcpu = vcpu };

    assert_int_equal(hcall_struct(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &b, sizeof(b)),
                     0);
    return b.port;
}

static void poll_times_out_and_is_woken(void **state)
{
    evtchn_port_t port = timer_port(0);
    struct sched_poll poll = { .nr_ports = 1, .timeout = now_ns() + 5 * MS };
    uint64_t start = now_ns();

    (void)state;
    guest_put(SCRATCH + 512, &port, sizeof(port));
    set_xen_guest_handle_raw(poll.ports, (evtchn_port_t *)(SCRATCH + 512));
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll, sizeof(poll)), 0);
    assert_in_range(now_ns() - start, 4 * MS, 6 * MS);

    start = now_ns();
    assert_int_equal(hcall(__HYPERVISOR_set_timer_op, start + 2 * MS), 0);
    poll.timeout = start + 500 * MS;
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll, sizeof(poll)), 0);
    assert_in_range(now_ns() - start, 2 * MS, 3 * MS);
    assert_true(evtchn_port_pending(g, port));
    /* at once */
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll, sizeof(poll)), 0);
    poll.nr_ports = 129;
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll, sizeof(poll)),
                     -EINVAL);
    poll.nr_ports = 1;
    set_xen_guest_handle_raw(poll.ports, (evtchn_port_t *)HOLE_START);
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll, sizeof(poll)),
                     -EFAULT);
}

static void block_ends_with_the_timer(void **state)
{
    uint64_t start = now_ns();
    struct vcpu_set_singleshot_timer s = { .timeout_abs_ns = start + 3 * MS };

    (void)state;
    timer_port(0);
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_yield, &s, 0), 0);
    guest_put(SCRATCH, &s, sizeof(s));
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, SCRATCH), 0);
    assert_int_equal(hcall(__HYPERVISOR_sched_op, SCHEDOP_block, 0), 0);
    assert_in_range(now_ns() - start, 3 * MS, 4 * MS);
    assert_int_equal(v->info->evtchn_upcall_mask, 0);      /* block unmasks */
    assert_int_equal(v->info->evtchn_upcall_pending, 1);
    s.timeout_abs_ns = 1;
    s.flags = VCPU_SSHOTTMR_future;
    guest_put(SCRATCH, &s, sizeof(s));
    assert_int_equal(hcall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, SCRATCH), 0);
}

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
static void time_stamps_move(void **state)
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

static void runstate_of_who_sleeps(void **state)
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
    other->initialised = other->up = true;
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

/* Shutdown reasons without a name are kept, cut to 8 bits. */
static void any_shutdown_reason_ends_the_domain(void **state)
{
    struct sched_shutdown op = { .reason = 0x1ff };

    (void)state;
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_shutdown_code, &op, sizeof(op)),
                     0);
    op.reason = 6;
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_shutdown_code, &op, sizeof(op)),
                     0);
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &op, sizeof(op)), 0);
    assert_int_equal(g->state, DOM_SHUTDOWN);
    assert_int_equal(g->shutdown_code, 255);
}

static void shutdown_reason_has_8_bits(void **state)
{
    struct sched_shutdown op = { .reason = 0x106 };

    (void)state;
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &op, sizeof(op)), 0);
    assert_int_equal(g->shutdown_code, 6);
}

static void watchdog_without_time_is_refused(void **state)
{
    struct sched_watchdog op = { .id = 3 };

    (void)state;
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &op, sizeof(op)),
                     -EINVAL);
    op.id = 1;
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &op, sizeof(op)),
                     -EINVAL);
    op = (struct sched_watchdog){ .timeout = 100 };
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &op, sizeof(op)), 1);
    op = (struct sched_watchdog){ .id = 1 };
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &op, sizeof(op)), 0);
    op.id = 0;
    assert_int_equal(hcall_struct(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &op, sizeof(op)), 1);
    host_advance(MS);
    assert_int_equal(g->state, DOM_SHUTDOWN);
    assert_int_equal(g->shutdown_code, SHUTDOWN_watchdog);
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

static void vcpu_info_moves(void **state)
{
    struct vcpu_register_vcpu_info reg =
        { .mfn = mfn_of_va(FREE_PFN_VA), .offset = PAGE_SIZE - 56 };
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

#define with_guest(test) cmocka_unit_test_setup_teardown(test, one_guest, machine_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_machine(timers_fire_in_order),
        with_machine(time_is_monotonic_and_right),
        with_machine(shares_follow_weights),
        with_machine(the_lightest_still_runs),
        with_machine(the_one_that_wakes_is_served_soon),
        with_machine(the_machine_sleeps_when_all_do),
        with_machine(a_domain_ends_beside_others),
        with_machine(a_domain_with_last_words_ends_beside_a_busy_one),
        with_guest(poll_times_out_and_is_woken),
        with_guest(block_ends_with_the_timer),
        with_guest(time_stamps_move),
        with_guest(runstate_of_who_sleeps),
        with_guest(any_shutdown_reason_ends_the_domain),
        with_guest(shutdown_reason_has_8_bits),
        with_guest(watchdog_without_time_is_refused),
        with_guest(other_vcpus_come_up),
        with_guest(vcpu_info_moves),
    };

    return cmocka_run_group_tests_name("sched", tests, NULL, NULL);
}
