/* Suite "events": two-level event channels of one domain: every way to bind a port, sending, the
 * masks of port and vCPU, status and closing, and ports that are not bound. Two domains are in
 * peers.c, FIFO event channels in fifo.c. */
#include <string.h>
#include "clock.h"
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "start.h"
#include "suite.h"

static volatile unsigned seen;
static volatile bool masked_in_handler;

static void on_event(port_t port, void *arg)
{
    (void)port, (void)arg;
    masked_in_handler = events_masked();
    seen++;
}

static bool port_bit(volatile xen_ulong_t *map, port_t port)
{
    return map[port / 64] >> (port % 64) & 1;
}

static void unbound_port(void)
{
    evtchn_status_t st;
    int port = event_alloc_unbound(DOMID_SELF, on_event, NULL), nobody;
    struct evtchn_alloc_unbound elsewhere = { .dom = NO_SUCH_DOMAIN, .remote_dom = DOMID_SELF };

    ASSERT(port > 0);
    ASSERT_EQ(event_status(port, &st), 0);
    EXPECT_EQ(st.status, EVTCHNSTAT_unbound);
    EXPECT_EQ(st.vcpu, 0);
    EXPECT(st.u.unbound.dom < DOMID_FIRST_RESERVED);
    EXPECT_EQ(event_send(port), 0);                     /* not connected yet: dropped */
    EXPECT(!event_pending(port));
    /* The port is reserved for another domain, so this one may not connect to it. */
    nobody = event_alloc_unbound(own_domid() + 1, on_event, NULL);
    if (EXPECT(nobody > 0)) {
        EXPECT_EQ(event_bind_interdomain(DOMID_SELF, nobody, NULL, NULL), -XEN_EINVAL);
        EXPECT_EQ(event_close(nobody), 0);
    }
    EXPECT_EQ(xen_event_channel_op(EVTCHNOP_alloc_unbound, &elsewhere), -XEN_ESRCH);
    EXPECT_EQ(event_close(port), 0);
    EXPECT_EQ(event_close(port), -XEN_EINVAL);
    ASSERT_EQ(event_status(port, &st), 0);
    EXPECT_EQ(st.status, EVTCHNSTAT_closed);
}

/* Both ends in one domain: each send arrives at the other end. */
static void connected_to_oneself(void)
{
    evtchn_status_t st;
    int a = event_alloc_unbound(DOMID_SELF, on_event, NULL), b;
    uint64_t na, nb;

    ASSERT(a > 0);
    b = event_bind_interdomain(DOMID_SELF, a, on_event, NULL);
    ASSERT(b > 0);
    EXPECT(a != b);
    ASSERT_EQ(event_status(b, &st), 0);
    EXPECT_EQ(st.status, EVTCHNSTAT_interdomain);
    EXPECT_EQ(st.u.interdomain.port, a);
    EXPECT_EQ(st.u.interdomain.dom, own_domid());
    ASSERT_EQ(event_status(a, &st), 0);
    EXPECT_EQ(st.status, EVTCHNSTAT_interdomain);
    EXPECT_EQ(st.u.interdomain.port, b);
    /* The port is connected already. */
    EXPECT_EQ(event_bind_interdomain(DOMID_SELF, a, NULL, NULL), -XEN_EINVAL);
    event_force_upcall();                               /* connecting may raise either end */
    na = event_count(a), nb = event_count(b);
    EXPECT_EQ(event_send(b), 0);
    EXPECT_EQ(event_count(a), na + 1);
    EXPECT_EQ(event_send(a), 0);
    EXPECT_EQ(event_count(b), nb + 1);
    EXPECT_EQ(event_count(a), na + 1);
    EXPECT_EQ(event_close(b), 0);
    ASSERT_EQ(event_status(a, &st), 0);                 /* waits for a new partner */
    EXPECT_EQ(st.status, EVTCHNSTAT_unbound);
    EXPECT_EQ(event_close(a), 0);
}

static void interdomain_arguments(void)
{
    int ipi = event_bind_ipi(NULL, NULL);

    ASSERT(ipi > 0);
    EXPECT_EQ(event_bind_interdomain(DOMID_SELF, ipi, NULL, NULL), -XEN_EINVAL);
    EXPECT_EQ(event_bind_interdomain(DOMID_SELF, 0, NULL, NULL), -XEN_EINVAL);
    EXPECT_EQ(event_bind_interdomain(DOMID_SELF, ~0u, NULL, NULL), -XEN_EINVAL);
    EXPECT_EQ(event_bind_interdomain(NO_SUCH_DOMAIN, 1, NULL, NULL), -XEN_ESRCH);
    EXPECT_EQ(event_close(ipi), 0);
}

static void ipi_to_oneself(void)
{
    evtchn_status_t st;
    struct evtchn_bind_ipi wrong = { .vcpu = 9999 };
    int port = event_bind_ipi(on_event, NULL);

    ASSERT(port > 0);
    ASSERT_EQ(event_status(port, &st), 0);
    EXPECT_EQ(st.status, EVTCHNSTAT_ipi);
    EXPECT_EQ(st.vcpu, 0);
    seen = 0;
    masked_in_handler = false;
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(seen, 1);                                 /* delivered at the end of the hypercall */
    EXPECT(masked_in_handler);
    EXPECT(!events_masked());
    EXPECT(!event_pending(port));
    EXPECT_EQ(event_close(port), 0);
    EXPECT_EQ(xen_event_channel_op(EVTCHNOP_bind_ipi, &wrong), -XEN_ENOENT);
}

static void virqs(void)
{
    static const struct {
        unsigned virq, vcpu;
        int rc;
    } bad[] = {
        { VIRQ_TIMER, 0, -XEN_EEXIST },
        { 99, 0, -XEN_EINVAL },
        { NR_VIRQS, 0, -XEN_EINVAL },
        { ~0u, 0, -XEN_EINVAL },
        { VIRQ_DEBUG, 9999, -XEN_ENOENT },
    };
    evtchn_status_t st;
    int port = event_bind_virq(VIRQ_DEBUG, on_event, NULL);

    ASSERT(port > 0);
    ASSERT_EQ(event_status(port, &st), 0);
    EXPECT_EQ(st.status, EVTCHNSTAT_virq);
    EXPECT_EQ(st.u.virq, VIRQ_DEBUG);
    EXPECT_EQ(event_bind_virq(VIRQ_DEBUG, on_event, NULL), -XEN_EEXIST);
    EXPECT_EQ(event_send(port), -XEN_EINVAL);           /* only the hypervisor raises it */
    EXPECT_EQ(event_close(port), 0);
    port = event_bind_virq(VIRQ_DEBUG, on_event, NULL); /* it can be bound again */
    EXPECT(port > 0);
    event_close(port);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct evtchn_bind_virq op = { .virq = bad[i].virq, .vcpu = bad[i].vcpu };
        long rc = xen_event_channel_op(EVTCHNOP_bind_virq, &op);

        EXPECT_MSG(rc == bad[i].rc, "virq %u of vcpu %u: %ld", bad[i].virq, bad[i].vcpu, rc);
    }
}

/* A masked port becomes pending but raises no upcall; several sends are one event. */
static void port_mask(void)
{
    int port = event_bind_ipi(on_event, NULL);

    ASSERT(port > 0);
    seen = 0;
    event_mask(port);
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(event_send(port), 0);
    event_force_upcall();
    EXPECT_EQ(seen, 0);
    EXPECT(event_pending(port));
    event_unmask(port);
    EXPECT_EQ(seen, 1);
    EXPECT(!event_pending(port));
    EXPECT(!port_bit(shared_info->evtchn_mask, port));
    event_mask(port);                                   /* no event was sent */
    event_unmask(port);
    EXPECT_EQ(seen, 1);
    event_mask(port);                                   /* cleared by hand: not delivered later */
    EXPECT_EQ(event_send(port), 0);
    EXPECT(event_clear(port));
    event_unmask(port);
    EXPECT_EQ(seen, 1);
    EXPECT_EQ(event_close(port), 0);
}

/* The vCPU's mask defers the upcall; the pending bits are set at once. */
static void upcall_mask(void)
{
    volatile struct vcpu_info *v = &shared_info->vcpu_info[0];
    int port = event_bind_ipi(on_event, NULL);

    ASSERT(port > 0);
    seen = 0;
    events_off();
    EXPECT_EQ(event_send(port), 0);
    event_force_upcall();
    EXPECT_EQ(seen, 0);
    EXPECT(event_pending(port));
    EXPECT(v->evtchn_upcall_pending);
    EXPECT(v->evtchn_pending_sel >> (port / 64) & 1);
    EXPECT(events_masked());
    events_on();
    EXPECT_EQ(seen, 1);
    EXPECT(!event_pending(port));
    EXPECT_EQ(event_close(port), 0);
}

/* A port that was pending when closed is not pending for its next owner. */
static void close_clears(void)
{
    int port = event_bind_ipi(on_event, NULL), again;

    ASSERT(port > 0);
    seen = 0;
    event_mask(port);
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(event_close(port), 0);
    again = event_bind_ipi(on_event, NULL);
    ASSERT(again > 0);
    event_force_upcall();
    EXPECT_EQ(seen, 0);
    EXPECT_EQ(event_close(again), 0);
}

static long bind_vcpu(port_t port, unsigned vcpu)
{
    struct evtchn_bind_vcpu op = { .port = port, .vcpu = vcpu };

    return xen_event_channel_op(EVTCHNOP_bind_vcpu, &op);
}

static void bind_to_vcpu(void)
{
    int unbound = event_alloc_unbound(DOMID_SELF, NULL, NULL), ipi = event_bind_ipi(NULL, NULL);

    ASSERT(unbound > 0);
    ASSERT(ipi > 0);
    EXPECT_EQ(bind_vcpu(unbound, 0), 0);
    EXPECT_EQ(bind_vcpu(unbound, 9999), -XEN_ENOENT);
    EXPECT_EQ(bind_vcpu(ipi, 0), -XEN_EINVAL);     /* such a port cannot be moved to another vCPU */
    EXPECT_EQ(bind_vcpu(clock_port, 0), -XEN_EINVAL);
    EXPECT_EQ(event_close(unbound), 0);
    EXPECT_EQ(bind_vcpu(unbound, 0), -XEN_EINVAL);
    EXPECT_EQ(event_close(ipi), 0);
}

static void hostile_ports(void)
{
    static const port_t bad[] = { 1u << 17, 1u << 20, 0x7fffffff, 0x80000000, ~0u };
    evtchn_status_t st = { .dom = NO_SUCH_DOMAIN, .port = 1 };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct evtchn_unmask unmask = { .port = bad[i] };

        EXPECT_EQ(event_send(bad[i]), -XEN_EINVAL);
        EXPECT_EQ(event_close(bad[i]), -XEN_EINVAL);
        EXPECT_EQ(bind_vcpu(bad[i], 0), -XEN_EINVAL);
        EXPECT_EQ(xen_event_channel_op(EVTCHNOP_unmask, &unmask), -XEN_EINVAL);
        st.dom = DOMID_SELF, st.port = bad[i];
        EXPECT_EQ(xen_event_channel_op(EVTCHNOP_status, &st), -XEN_EINVAL);
    }
    EXPECT_EQ(event_send(0), -XEN_EINVAL);              /* port 0 is never allocated */
    EXPECT_EQ(event_close(0), -XEN_EINVAL);
    EXPECT_EQ(bind_vcpu(0, 0), -XEN_EINVAL);
    st = (evtchn_status_t){ .dom = NO_SUCH_DOMAIN, .port = 1 };
    EXPECT_EQ(xen_event_channel_op(EVTCHNOP_status, &st), -XEN_ESRCH);
}

/* Pending bits that the guest itself has set: it may write anything there. */
static void scribbled_bits(void)
{
    volatile struct vcpu_info *v = &shared_info->vcpu_info[0];
    int port = event_bind_ipi(on_event, NULL);

    ASSERT(port > 0);
    events_off();
    v->evtchn_pending_sel = ~0ul;
    v->evtchn_upcall_pending = 0xff;
    __atomic_fetch_or(&shared_info->evtchn_pending[63], ~0ul, __ATOMIC_SEQ_CST);
    events_on();
    __atomic_store_n(&shared_info->evtchn_pending[63], 0, __ATOMIC_SEQ_CST);
    EXPECT_EQ(v->evtchn_upcall_pending, 0);
    seen = 0;
    EXPECT_EQ(event_send(port), 0);
    EXPECT_EQ(seen, 1);
    EXPECT_EQ(event_close(port), 0);
}

/* All ports can be allocated, and all again after they were closed. */
static void exhaustion(void)
{
    static uint16_t ports[4096];
    unsigned n = 0, bad = 0;
    int rc;

    while (n < 4096 && (rc = event_bind_ipi(NULL, NULL)) > 0)
        ports[n++] = rc;
    EXPECT_EQ(rc, -XEN_ENOSPC);
    EXPECT(n >= 64);
    for (unsigned i = 0; i < n; i++)
        bad += event_close(ports[i]) != 0;
    EXPECT_EQ(bad, 0);
    rc = event_bind_ipi(NULL, NULL);
    EXPECT(rc > 0);
    event_close(rc);
}

static void reset(void)
{
    struct evtchn_reset op = { .dom = NO_SUCH_DOMAIN };
    evtchn_status_t st;
    int port;

    EXPECT_EQ(xen_event_channel_op(EVTCHNOP_reset, &op), -XEN_ESRCH);
    if (!is_dom0())
        SKIP("a reset of our own would close the console's port too");
    port = event_bind_ipi(NULL, NULL);
    op.dom = DOMID_SELF;
    ASSERT_EQ(xen_event_channel_op(EVTCHNOP_reset, &op), 0);
    clock_init();                                       /* its port was closed, too */
    EXPECT_EQ(event_status(port == (int)clock_port ? port + 1 : port, &st), 0);
    EXPECT_EQ(st.status, EVTCHNSTAT_closed);
}

/* The upcall comes between a hypercall and the next instruction, which finds every register but rax
 * as it was before. rdi and rsi are the call's arguments. Returns the hypercall's result; *changed:
 * 0 if none has changed. */
static long send_and_compare(port_t port, uint64_t *changed)
{
    static struct { uint64_t rsp, rbp; } kept;
    struct evtchn_send send = { .port = port };
    register uint64_t diff __asm__("rbx");
    long rc;

    __asm__ volatile("movq %%rbp, %[rbp]\n\tmovq %%rsp, %[rsp]\n\t"
                     "movq $2, %%rbx\n\tmovq $4, %%rdx\n\tmovq $7, %%rbp\n\tmovq $8, %%r8\n\t"
                     "movq $9, %%r9\n\tmovq $10, %%r10\n\tmovq $12, %%r12\n\tmovq $13, %%r13\n\t"
                     "movq $14, %%r14\n\tmovq $15, %%r15\n\t"
                     "call hypercall_page + %c[call]\n\t"
                     "xorq $2, %%rbx\n\txorq $4, %%rdx\n\txorq $7, %%rbp\n\txorq $8, %%r8\n\t"
                     "xorq $9, %%r9\n\txorq $10, %%r10\n\txorq $12, %%r12\n\txorq $13, %%r13\n\t"
                     "xorq $14, %%r14\n\txorq $15, %%r15\n\txorq %[cmd], %%rdi\n\t"
                     "orq %%rdx, %%rbx\n\torq %%rbp, %%rbx\n\torq %%r8, %%rbx\n\t"
                     "orq %%r9, %%rbx\n\torq %%r10, %%rbx\n\t"
                     "orq %%r12, %%rbx\n\torq %%r13, %%rbx\n\t"
                     "orq %%r14, %%rbx\n\torq %%r15, %%rbx\n\torq %%rdi, %%rbx\n\t"
                     "movq %[rbp], %%rbp\n\tcmpq %%rsp, %[rsp]\n\tje 1f\n\torq $1, %%rbx\n1:"
                     : "=a"(rc), "=&b"(diff), [rbp] "=m"(kept.rbp), [rsp] "=m"(kept.rsp)
                     : "D"((uint64_t)EVTCHNOP_send), "S"(&send), "m"(send),
                       [call] "i"(__HYPERVISOR_event_channel_op * 32), [cmd] "i"(EVTCHNOP_send)
                     : "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory",
                       "cc");
    *changed = diff;
    return rc;
}

static void send_keeps_registers(port_t port)
{
    uint64_t changed = 1;

    seen = 0;
    EXPECT_EQ(send_and_compare(port, &changed), 0);
    EXPECT_EQ(seen, 1);
    EXPECT_EQ(changed, 0);
}

/* With architectural_iopl the hypervisor takes another way to the handler. */
static void upcall_keeps_registers(void)
{
    int port = event_bind_ipi(on_event, NULL);

    ASSERT(port > 0);
    send_keeps_registers((port_t)port);
    EXPECT_EQ(xen_vm_assist(VMASST_CMD_enable, VMASST_TYPE_architectural_iopl), 0);
    send_keeps_registers((port_t)port);
    EXPECT_EQ(xen_vm_assist(VMASST_CMD_disable, VMASST_TYPE_architectural_iopl), 0);
    EXPECT_EQ(event_close(port), 0);
}

SUITE(events, 50, 0, TEST(unbound_port), TEST(connected_to_oneself), TEST(interdomain_arguments),
      TEST(ipi_to_oneself), TEST(virqs), TEST(port_mask), TEST(upcall_mask), TEST(close_clears),
      TEST(bind_to_vcpu), TEST(hostile_ports), TEST(scribbled_bits), TEST(exhaustion), TEST(reset),
      TEST(upcall_keeps_registers));
