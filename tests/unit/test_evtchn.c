/* Event channels: the life of each kind of port, every refusal, and no lost wake-up whatever
 * happened before. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <string.h>
#include "evtchn_fixture.h"
#include "xen/core/domain.h"
#include "xen/core/sched.h"
#include "xen/core/sched_wake.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/mmuext.h"

static evtchn_port_t alloc_for(domid_t remote)
{
    struct evtchn_alloc_unbound s = { .dom = DOMID_SELF, .remote_dom = remote };

    assert_int_equal(OP(alloc_unbound, s), 0);
    return s.port;
}

static struct evtchn_status status_of(evtchn_port_t port)
{
    struct evtchn_status s = { .dom = DOMID_SELF, .port = port };

    assert_int_equal(OP(status, s), 0);
    return s;
}

static bool bit(const unsigned long *words, evtchn_port_t port)
{
    return words[port / 64] >> port % 64 & 1;
}

static void set_mask(struct domain *d, evtchn_port_t port, bool on)
{
    d->shared->evtchn_mask[port / 64] =
        (d->shared->evtchn_mask[port / 64] & ~(1ul << port % 64)) | (unsigned long)on << port % 64;
}

static void close_port(evtchn_port_t port)
{
    struct evtchn_close s = { .port = port };

    assert_int_equal(OP(close, s), 0);
}

static long send_port(evtchn_port_t port)
{
    struct evtchn_send s = { .port = port };

    return OP(send, s);
}

static void interdomain_life(void **state)
{
    evtchn_port_t mine = alloc_for(2), theirs;
    struct evtchn_bind_interdomain bind = { .remote_dom = 1, .remote_port = mine };

    (void)state;
    assert_int_equal(status_of(mine).status, EVTCHNSTAT_unbound);
    assert_int_equal(status_of(mine).u.unbound.dom, 2);
    assert_int_equal(send_port(mine), 0);       /* no such domain yet, and no error, as on Xen */

    host_become(b->vcpu[0]);
    assert_int_equal(OP(bind_interdomain, bind), 0);
    theirs = bind.local_port;
    assert_int_equal(OP(bind_interdomain, bind), -EINVAL);      /* already bound */
    assert_int_equal(status_of(theirs).status, EVTCHNSTAT_interdomain);
    assert_int_equal(status_of(theirs).u.interdomain.dom, 1);
    assert_int_equal(status_of(theirs).u.interdomain.port, mine);
    set_mask(a, mine, false);
    a->shared->evtchn_pending[mine / 64] = 0;
    a->vcpu[0]->info->evtchn_upcall_pending = 0;
    a->vcpu[0]->info->evtchn_pending_sel = 0;
    assert_int_equal(send_port(theirs), 0);
    assert_true(bit(a->shared->evtchn_pending, mine));
    assert_int_equal(a->vcpu[0]->info->evtchn_upcall_pending, 1);
    assert_int_equal(a->vcpu[0]->info->evtchn_pending_sel, 1ul << mine / 64);
    close_port(theirs);
    host_become(a->vcpu[0]);
    assert_int_equal(status_of(mine).status, EVTCHNSTAT_unbound);
    assert_int_equal(status_of(mine).u.unbound.dom, 2);
    close_port(mine);
    assert_int_equal(status_of(mine).status, EVTCHNSTAT_closed);
}

static void bad_ports_and_domains_are_refused(void **state)
{
    struct evtchn_alloc_unbound unbound = { .dom = DOMID_SELF, .remote_dom = 77 };
    struct evtchn_bind_interdomain inter = { .remote_dom = 2, .remote_port = 5 };
    struct evtchn_bind_virq virq = { .virq = VIRQ_TIMER, .vcpu = 0 };
    struct evtchn_bind_ipi ipi = { .vcpu = 2 };
    struct evtchn_bind_vcpu bind = { .port = 1, .vcpu = 0 };
    struct evtchn_status status = { .dom = DOMID_SELF, .port = 4096 };
    struct evtchn_close close = { .port = 4000 };
    struct evtchn_unmask unmask = { .port = 1u << 20 };
    evtchn_port_t port;

    (void)state;
    assert_int_equal(OP(alloc_unbound, unbound), 0);     /* the domain may be created later */
    unbound.dom = 77;
    assert_int_equal(OP(alloc_unbound, unbound), -ESRCH);
    unbound.dom = 2;
    unbound.remote_dom = 1;
    assert_int_equal(OP(alloc_unbound, unbound), -EPERM);
    assert_int_equal(OP(bind_interdomain, inter), -EINVAL);
    inter.remote_port = ~0u;
    assert_int_equal(OP(bind_interdomain, inter), -EINVAL);
    inter.remote_dom = 77;
    assert_int_equal(OP(bind_interdomain, inter), -ESRCH);
    virq.virq = NR_VIRQS;
    assert_int_equal(OP(bind_virq, virq), -EINVAL);
    virq.virq = VIRQ_TIMER;
    virq.vcpu = 2;
    assert_int_equal(OP(bind_virq, virq), -ENOENT);
    virq.vcpu = 1;
    assert_int_equal(OP(bind_virq, virq), 0);
    assert_int_equal(OP(bind_virq, virq), -EEXIST);
    assert_int_equal(status_of(virq.port).status, EVTCHNSTAT_virq);
    assert_int_equal(status_of(virq.port).vcpu, 1);
    bind.port = virq.port;
    assert_int_equal(OP(bind_vcpu, bind), -EINVAL);     /* a per-vCPU VIRQ does not move */
    assert_int_equal(OP(bind_ipi, ipi), -ENOENT);
    assert_int_equal(send_port(virq.port), -EINVAL);
    assert_int_equal(send_port(4096), -EINVAL);
    assert_int_equal(send_port(3000), -EINVAL);
    assert_int_equal(OP(status, status), -EINVAL);
    assert_int_equal(OP(close, close), -EINVAL);
    assert_int_equal(OP(unmask, unmask), -EINVAL);
    assert_int_equal(op(99, &close, sizeof(close)), -ENOSYS);
    assert_int_equal(hcall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, HOLE_START), -EFAULT);
    assert_int_equal(hcall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, 0x1000), -EFAULT);

    /* A port reserved for the second guest cannot be bound by another domain; and it does not keep
     * its own domain from ending. */
    port = alloc_for(2);
    inter.remote_dom = DOMID_SELF;
    inter.remote_port = port;
    assert_int_equal(OP(bind_interdomain, inter), -EINVAL);
}

/* The domain's limit is the last port, even if the table has room; a closed port can be opened
 * again. */
static void ports_stop_at_the_domains_limit(void **state)
{
    evtchn_port_t port = 0;

    (void)state;
    current->domain->max_port = 200;
    while (port < 200)
        port = alloc_for(2);
    for (unsigned i = 0; i < 3; i++) {
        struct evtchn_alloc_unbound s = { .dom = DOMID_SELF, .remote_dom = 2 };

        assert_int_equal(OP(alloc_unbound, s), -ENOSPC);
    }
    close_port(77);
    assert_int_equal(alloc_for(2), 77);
}

static void runs_out_and_recovers(void **state)
{
    unsigned n = 0;

    (void)state;
    for (;; n++) {
        struct evtchn_alloc_unbound s = { .dom = DOMID_SELF, .remote_dom = 2 };
        long rc;

        guest_put(SCRATCH, &s, sizeof(s));
        rc = hypercall_table[__HYPERVISOR_event_channel_op](EVTCHNOP_alloc_unbound, SCRATCH, 0, 0,
                                                            0, 0);
        if (rc != 0) {
            assert_int_equal(rc, -ENOSPC);
            break;
        }
    }
    assert_in_range(n, 4090, 4095);
    close_port(777);
    assert_int_equal(alloc_for(2), 777);
    struct evtchn_reset reset = { .dom = DOMID_SELF };
    assert_int_equal(OP(reset, reset), 0);
    assert_int_equal(status_of(777).status, EVTCHNSTAT_closed);
}

static unsigned woken;
static void sleeper(struct vcpu *v)
{
    for (;;) {
        v->info->evtchn_upcall_mask = 1;
        if (v->info->evtchn_upcall_pending) {
            v->info->evtchn_upcall_pending = 0;
            v->info->evtchn_pending_sel = 0;
            memset(v->domain->shared->evtchn_pending, 0, sizeof(v->domain->shared->evtchn_pending));
            woken++;
        }
        v->info->evtchn_upcall_mask = 0;
        vcpu_block();
        if (v->work != 0)
            exit_to_guest_work();
    }
}

/* After any writes of the guest to its pages: once it has cleared the bits as the protocol
 * requires, the next event wakes it. */
static void ipi_wakes_a_blocked_vcpu(void **state)
{
    struct evtchn_bind_ipi ipi = { .vcpu = 1 };
    struct vcpu *v1 = a->vcpu[1];

    (void)state;
    assert_int_equal(OP(bind_ipi, ipi), 0);
    woken = 0;
    host_vcpu(v1)->program = sleeper;
    v1->root_kernel = 0;
    v1->initialised = true;
    vcpu_start(v1);
    assert_int_equal(new_guest_root(v1, a->vcpu[0]->root_kernel >> PAGE_SHIFT), 0);
    vcpu_wake(v1);
    for (unsigned round = 0; round < 200; round++) {
        unsigned before = woken;

        while (!v1->blocked)
            schedule();
        for (unsigned i = 0; i < 8; i++)
            a->shared->evtchn_mask[host_random() % 64] = host_random();
        set_mask(a, ipi.port, round % 5 == 4);
        assert_int_equal(send_port(ipi.port), 0);
        if (round % 5 == 4) {           /* masked: it sleeps on, until unmask */
            struct evtchn_unmask u = { .port = ipi.port };

            for (unsigned i = 0; i < 3; i++)
                schedule();
            assert_int_equal(woken, before);
            assert_int_equal(OP(unmask, u), 0);
        }
        assert_false(v1->blocked);
        while (woken == before)
            schedule();
    }
}

static void bind_vcpu_moves_delivery(void **state)
{
    evtchn_port_t port = alloc_for(DOMID_SELF), peer;
    struct evtchn_bind_interdomain inter = { .remote_dom = DOMID_SELF, .remote_port = port };
    struct evtchn_bind_vcpu move = { .vcpu = 1 };

    (void)state;
    assert_int_equal(OP(bind_interdomain, inter), 0);
    peer = inter.local_port;
    move.port = port;
    set_mask(a, port, false);
    assert_int_equal(OP(bind_vcpu, move), 0);
    a->vcpu[0]->info->evtchn_upcall_pending = a->vcpu[1]->info->evtchn_upcall_pending = 0;
    a->vcpu[0]->info->evtchn_pending_sel = 0;
    assert_int_equal(send_port(peer), 0);
    assert_int_equal(a->vcpu[1]->info->evtchn_upcall_pending, 1);
    assert_int_equal(a->vcpu[0]->info->evtchn_pending_sel, 0);
    move.vcpu = 2;
    assert_int_equal(OP(bind_vcpu, move), -ENOENT);
}

/* Random operations of two domains against a model of which port is whose. */
static void random_operations_agree_with_a_model(void **state)
{
    static enum { FREE, UNBOUND, BOUND } kind[2][4096];
    static evtchn_port_t peer[2][4096];
    struct domain *d[2] = { a, b };

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct evtchn_reset reset = { .dom = DOMID_SELF };

        host_become(d[i]->vcpu[0]);
        assert_int_equal(OP(reset, reset), 0);
    }
    memset(kind, 0, sizeof(kind));
    for (unsigned round = 0; round < 3000; round++) {
        unsigned me = host_random() % 2, other = 1 - me;
        evtchn_port_t port = 1 + (evtchn_port_t)(host_random() % 20);

        host_become(d[me]->vcpu[0]);
        switch (host_random() % 4) {
        case 0: {
            evtchn_port_t lowest = 1;

            while (kind[me][lowest] != FREE)
                lowest++;
            assert_int_equal(alloc_for(d[other]->id), lowest);
            kind[me][lowest] = UNBOUND;
            break;
        }
        case 1: {
            struct evtchn_bind_interdomain s = { .remote_dom = d[other]->id, .remote_port = port };
            long rc = OP(bind_interdomain, s);

            assert_int_equal(rc, kind[other][port] == UNBOUND ? 0 : -EINVAL);
            if (rc != 0)
                break;
            kind[me][s.local_port] = kind[other][port] = BOUND;
            peer[me][s.local_port] = port;
            peer[other][port] = s.local_port;
            break;
        }
        case 2: {
            struct evtchn_close s = { .port = port };

            if (kind[me][port] == FREE)
                break;
            assert_int_equal(OP(close, s), 0);
            if (kind[me][port] == BOUND)
                kind[other][peer[me][port]] = UNBOUND;
            kind[me][port] = FREE;
            break;
        }
        default:
            if (kind[me][port] != BOUND)
                break;
            memset(d[other]->shared->evtchn_pending, 0, sizeof(d[other]->shared->evtchn_pending));
            assert_int_equal(send_port(port), 0);
            assert_true(bit(d[other]->shared->evtchn_pending, peer[me][port]));
        }
    }
}

static void a_dying_peer_leaves_unbound_ports(void **state)
{
    evtchn_port_t mine = alloc_for(2);
    struct evtchn_bind_interdomain s = { .remote_dom = 1, .remote_port = mine };

    (void)state;
    host_become(b->vcpu[0]);
    assert_int_equal(OP(bind_interdomain, s), 0);
    guest_end(b);
    host_become(a->vcpu[0]);
    assert_int_equal(status_of(mine).status, EVTCHNSTAT_unbound);
    assert_int_equal(send_port(mine), 0);
    audit();
}

#define with_guests(test) cmocka_unit_test_setup_teardown(test, two_guests, machine_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guests(interdomain_life),
        with_guests(bad_ports_and_domains_are_refused),
        with_guests(ports_stop_at_the_domains_limit),
        with_guests(runs_out_and_recovers),
        with_guests(ipi_wakes_a_blocked_vcpu),
        with_guests(bind_vcpu_moves_delivery),
        cmocka_unit_test_setup_teardown(random_operations_agree_with_a_model, two_low_guests,
                                        machine_down),
        with_guests(a_dying_peer_leaves_unbound_ports),
    };

    return cmocka_run_group_tests_name("evtchn", tests, NULL, NULL);
}
