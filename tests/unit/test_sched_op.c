/* sched_op of a guest: poll, block, shutdown, watchdog. */
#include "cmocka_main.h"
#include "xen/core/time.h"
#include "xen/pv/evtchn.h"
#include "sched_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guest(poll_times_out_and_is_woken),
        with_guest(block_ends_with_the_timer),
        with_guest(any_shutdown_reason_ends_the_domain),
        with_guest(shutdown_reason_has_8_bits),
        with_guest(watchdog_without_time_is_refused),
    };

    return cmocka_run_group_tests_name("sched_op", tests, NULL, NULL);
}
