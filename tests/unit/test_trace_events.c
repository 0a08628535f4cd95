/* The trace's records of events, scheduling and domains, and the counters at its end, word for
 * word. */
#include "cmocka_main.h"
#include "xen/core/cpu.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_ring.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/hypercall_counts.h"
#include "trace_records.h"

static long op(unsigned cmd, void *arg, size_t len)
{
    return hcall_struct(__HYPERVISOR_event_channel_op, cmd, arg, len);
}
#define OP(cmd, s) assert_int_equal(op(EVTCHNOP_##cmd, &(s), sizeof(s)), 0)

static void sends_are_recorded(void **state)
{
    struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = 1 };
    struct evtchn_bind_interdomain bind = { .remote_dom = 2 };
    struct evtchn_bind_virq virq = { .virq = VIRQ_DEBUG, .vcpu = 1 };
    struct evtchn_bind_ipi ipi = { .vcpu = 1 };
    struct evtchn_send port;

    (void)state;
    become(b->vcpu[0]);
    OP(alloc_unbound, alloc);           /* not the number that it has on the other side */
    OP(alloc_unbound, alloc);
    OP(alloc_unbound, alloc);
    become(a->vcpu[0]);
    bind.remote_port = alloc.port;
    OP(bind_interdomain, bind);
    assert_int_not_equal(bind.local_port, alloc.port);
    OP(bind_virq, virq);
    OP(bind_ipi, ipi);
    start(TRACE_EVENT);
    port.port = bind.local_port;
    OP(send, port);
    EXPECT(TRC_PARAGON_SEND, TRACE_SEND_PORT, bind.local_port, B0, alloc.port);
    EXPECT(CHANGE(blocked, runnable), B0);
    port.port = ipi.port;
    OP(send, port);
    EXPECT(TRC_PARAGON_SEND, TRACE_SEND_IPI, ipi.port, A1, ipi.port);
    send_guest_virq(a->vcpu[1], VIRQ_DEBUG);
    EXPECT(TRC_PARAGON_SEND, TRACE_SEND_VIRQ, VIRQ_DEBUG, A1, virq.port);
    a->console_ring->out[0] = 'x';
    a->console_ring->out_prod = 1;
    console_drain(a);
    EXPECT(TRC_PARAGON_SEND, TRACE_SEND_XEN, a->console_port, A0, a->console_port);
    send_guest_virq(a->vcpu[1], VIRQ_CONSOLE);          /* bound to nothing */
    EXPECT_END();
    become(b->vcpu[0]);         /* is not traced, but a is who gets it */
    EXPECT(CHANGE(running, blocked), A0);
    EXPECT(CHANGE(runnable, running), B0);
    port.port = alloc.port;
    OP(send, port);
    EXPECT(TRC_PARAGON_SEND, TRACE_SEND_PORT, alloc.port, A0, bind.local_port);
    send_guest_virq(a->vcpu[1], VIRQ_DEBUG);            /* as when a's timer expires */
    EXPECT(TRC_PARAGON_SEND, TRACE_SEND_VIRQ, VIRQ_DEBUG, A1, virq.port);
    EXPECT_END();
}

/* The hypervisor's work for a guest that is not traced appears in no record: neither the
 * interrupted guest's nor idle's. */
static void work_for_untraced_guests_is_not_shown(void **state)
{
    struct evtchn_bind_virq virq = { .virq = VIRQ_DEBUG };

    (void)state;
    become(b->vcpu[0]);
    OP(bind_virq, virq);
    become(a->vcpu[0]);
    start(TRACE_EVENT | TRACE_SCHED);
    send_guest_virq(b->vcpu[0], VIRQ_DEBUG);
    EXPECT(CHANGE(blocked, runnable), B0);
    become(cpus[0]->idle);
    EXPECT(CHANGE(running, blocked), A0);
    EXPECT(CHANGE(runnable, running), IDLE_WORD);
    send_guest_virq(b->vcpu[0], VIRQ_DEBUG);
    vcpu_pause(b->vcpu[0]);
    EXPECT(CHANGE(runnable, offline), B0);
    vcpu_wake(b->vcpu[0]);
    EXPECT(CHANGE(offline, runnable), B0);
    EXPECT_END();
    vcpu_wake(a->vcpu[0]);
    EXPECT(TRC_SCHED_WAKE, 1, 0);
    EXPECT(CHANGE(blocked, runnable), A0);
    EXPECT_END();
}

static void upcalls_are_recorded(void **state)
{
    struct evtchn_bind_ipi ipi = { .vcpu = 0 };
    struct vcpu *v = current;

    (void)state;
    OP(bind_ipi, ipi);
    assert_int_equal(hcall(__HYPERVISOR_set_callbacks, CODE + 0x40, CODE + 0x50, CODE + 0x60), 0);
    (void)in_kernel("", 1);
    v->info->evtchn_upcall_pending = 0;
    v->info->evtchn_upcall_mask = 0;
    start(TRACE_EVENT);
    assert_int_equal(hcall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, SCRATCH + 0x100) == 0, 0);
    guest_put(SCRATCH, &ipi.port, 4);
    assert_int_equal(hcall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, SCRATCH), 0);
    EXPECT(TRC_PARAGON_SEND, TRACE_SEND_IPI, ipi.port, A0, ipi.port);
    exit_to_guest_work();
    EXPECT(TRC_PARAGON_UPCALL, V64(CODE + 0x40));
    assert_int_equal(guest_regs(v)->rip, CODE + 0x40);
    exit_to_guest_work();               /* masked by then */
    EXPECT_END();
}

/* --- Who runs --------------------------------------------------------------------------------- */
/* Sleeping for a millisecond, with only idle to run. */
static long sleep_call(void)
{
    struct sched_poll poll = { .nr_ports = 0, .timeout = now_ns() + 1000000 };

    guest_put(SCRATCH, &poll, sizeof(poll));
    return TRACED(__HYPERVISOR_sched_op, SCHEDOP_poll, SCRATCH);
}

static void runstates_are_recorded(void **state)
{
    (void)state;
    start(TRACE_HYPERCALL);             /* recorded whatever the classes are */
    assert_int_equal(sleep_call(), 0);
    EXPECT(V2, 29 | W(1, 2, 0, 0, 0, 0), SCHEDOP_poll, V64(SCRATCH));
    EXPECT(CHANGE(running, blocked), A0);
    EXPECT(CHANGE(runnable, running), IDLE_WORD);
    EXPECT(CHANGE(blocked, runnable), A0);
    EXPECT(CHANGE(running, runnable), IDLE_WORD);
    EXPECT(CHANGE(runnable, running), A0);
    EXPECT(RESULT, 29, V64(0), ANY, 0);
    assert_int_equal(seen[next_seen - 1].who, A0);
    /* the time that it slept is included */
    assert_true(seen[next_seen - 1].words[3] >= 2400000);
    EXPECT_END();
}

static void switches_are_recorded(void **state)
{
    (void)state;
    start(TRACE_SCHED);
    assert_int_equal(sleep_call(), 0);
    EXPECT(CHANGE(running, blocked), A0);
    EXPECT(TRC_SCHED_SWITCH, 1, 0, DOMID_IDLE, 0);
    EXPECT(CHANGE(runnable, running), IDLE_WORD);
    EXPECT(TRC_SCHED_WAKE, 1, 0);
    EXPECT(CHANGE(blocked, runnable), A0);
    EXPECT(CHANGE(running, runnable), IDLE_WORD);
    EXPECT(TRC_SCHED_SWITCH, DOMID_IDLE, 0, 1, 0);
    EXPECT(CHANGE(runnable, running), A0);
    EXPECT_END();
}

/* --- The rest --------------------------------------------------------------------------------- */
static void domains_are_recorded(void **state)
{
    uint32_t name[5] = { 0 };
    struct domain *c;

    (void)state;
    memcpy(name, "guest", 5);
    start(TRACE_TRAP);
    c = guest_make(3, 1);
    EXPECT(TRC_PARAGON_DOMAIN, 3, TRACE_DOMAIN_BUILT, name[0], name[1], 0, 0, 0);
    become(cpus[0]->idle);
    strcpy(b->name, "a name of as many letters as fit");
    domain_shutdown(c, SHUTDOWN_crash);
    guest_end(c);
    guest_end(b);
    for (unsigned left = 2; left != 0; left--) {
        const struct trace_record *r;

        do
            r = next_record(__LINE__);
        while (r->event != TRC_PARAGON_DOMAIN);
        assert_int_equal(r->words[1], r->words[0] == 3 ? TRACE_DOMAIN_CRASHED : TRACE_DOMAIN_ENDED);
        assert_memory_equal(&r->words[2], r->words[0] == 3 ? "guest\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                            : "a name of as many le", 20);
    }
}

/* The hypervisor's own counters, of all guests that were counted and of no other. */
static void counters_end_the_trace(void **state)
{
    (void)state;
    trace_boot((struct trace_config){ .size = 64 << 10, .lines = 32, .wanted = true });
    start(0);
    for (unsigned i = 0; i < 5; i++)
        (void)TRACED(__HYPERVISOR_xen_version, XENVER_version);
    hypercalls_of_ended[17] += 0x300000005;
    (void)hypercall_traced(63, arguments);
    trace_end();
    for (unsigned nr = 0; nr < NR_HYPERCALLS; nr++)
        if (hypercall_count(nr) != 0)
            EXPECT(TRC_PARAGON_COUNTER, nr, V64(hypercall_count(nr)));
    EXPECT_END();
    assert_true(hypercall_count(63) != 0 && hypercall_count(17) > 0x300000000);
    trace_end();                        /* once is enough */
    EXPECT_END();
    hypercalls_of_ended[17] -= 0x300000005;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_trace(sends_are_recorded),
        with_trace(work_for_untraced_guests_is_not_shown),
        with_trace(upcalls_are_recorded),
        with_trace(runstates_are_recorded),
        with_trace(switches_are_recorded),
        with_trace(domains_are_recorded),
        with_trace(counters_end_the_trace),
    };

    return cmocka_run_group_tests_name("trace events", tests, NULL, NULL);
}
