/* The virtual interrupt flag (vcpu_info.evtchn_upcall_mask), two-level event channels of the one
 * vCPU, and the handler of each port. trap.c calls event_dispatch(); clock.c, thread.c and the
 * suites register handlers. FIFO event channels are in suites/fifo_consumer.c. */
#include "event.h"
#include "hypercall.h"
#include "trap.h"

#define NR_PORTS (sizeof(xen_ulong_t) * 8 * sizeof(xen_ulong_t) * 8)
#define WORD_BITS (sizeof(xen_ulong_t) * 8)
#define barrier() __asm__ volatile("" : : : "memory")

static struct {
    event_fn fn;
    void *arg;
    uint64_t count;
} ports[NR_PORTS];

static void (*dispatcher)(void);

static volatile struct vcpu_info *vcpu(void)
{
    return &shared_info->vcpu_info[0];
}

bool events_masked(void)
{
    return vcpu()->evtchn_upcall_mask;
}

void events_off(void)
{
    vcpu()->evtchn_upcall_mask = 1;
    barrier();
}

void event_force_upcall(void)
{
    xen_version(XENVER_version, NULL);
}

/* An event between the two statements finds the mask cleared and is delivered; one before them
 * leaves pending set. */
void events_on(void)
{
    barrier();
    vcpu()->evtchn_upcall_mask = 0;
    barrier();
    if (vcpu()->evtchn_upcall_pending)
        event_force_upcall();
}

bool events_save_off(void)
{
    bool masked = events_masked();

    events_off();
    return masked;
}

void events_restore(bool masked)
{
    if (!masked)
        events_on();
    else
        events_off();
}

static bool bit_test(volatile xen_ulong_t *map, port_t port)
{
    return map[port / WORD_BITS] >> (port % WORD_BITS) & 1;
}

void event_deliver(port_t port)
{
    if (port >= NR_PORTS)
        return;
    ports[port].count++;
    if (ports[port].fn)
        ports[port].fn(port, ports[port].arg);
}

void event_set_dispatcher(void (*fn)(void))
{
    dispatcher = fn;
}

static void dispatch_word(unsigned word)
{
    volatile xen_ulong_t *pending = &shared_info->evtchn_pending[word];
    xen_ulong_t ready;

    while ((ready = *pending & ~shared_info->evtchn_mask[word])) {
        port_t port = word * WORD_BITS + __builtin_ctzl(ready);

        __atomic_fetch_and(pending, ~(1ul << (port % WORD_BITS)), __ATOMIC_SEQ_CST);
        event_deliver(port);
    }
}

void event_dispatch(void)
{
    if (dispatcher) {
        dispatcher();
        return;
    }
    while (vcpu()->evtchn_upcall_pending) {
        vcpu()->evtchn_upcall_pending = 0;
        xen_ulong_t words = __atomic_exchange_n(&vcpu()->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

        for (; words; words &= words - 1)
            dispatch_word(__builtin_ctzl(words));
    }
}

void event_set_handler(port_t port, event_fn fn, void *arg)
{
    bool masked = events_save_off();

    ports[port].fn = fn;
    ports[port].arg = arg;
    ports[port].count = 0;                              /* ports are used again */
    events_restore(masked);
}

void event_mask(port_t port)
{
    __atomic_fetch_or(&shared_info->evtchn_mask[port / WORD_BITS], 1ul << (port % WORD_BITS),
                      __ATOMIC_SEQ_CST);
}

/* By hypercall, which clears the mask bit and raises the upcall if the port is pending, without a
 * race. */
void event_unmask(port_t port)
{
    struct evtchn_unmask op = { .port = port };

    xen_event_channel_op(EVTCHNOP_unmask, &op);
}

bool event_pending(port_t port)
{
    return bit_test(shared_info->evtchn_pending, port);
}

bool event_clear(port_t port)
{
    xen_ulong_t bit = 1ul << (port % WORD_BITS);

    return __atomic_fetch_and(&shared_info->evtchn_pending[port / WORD_BITS], ~bit,
                              __ATOMIC_SEQ_CST) & bit;
}

uint64_t event_count(port_t port)
{
    return ports[port].count;
}

/* After each bind that succeeds, the hypervisor has stored a port in *port: set its handler, then
 * unmask it. */
static int bind(int cmd, void *op, const port_t *port, event_fn fn, void *arg)
{
    long rc = xen_event_channel_op(cmd, op);

    if (rc)
        return rc;
    event_set_handler(*port, fn, arg);
    event_unmask(*port);
    return *port;
}

int event_bind_virq(unsigned virq, event_fn fn, void *arg)
{
    struct evtchn_bind_virq op = { .virq = virq };

    return bind(EVTCHNOP_bind_virq, &op, &op.port, fn, arg);
}

int event_bind_ipi(event_fn fn, void *arg)
{
    struct evtchn_bind_ipi op = { .vcpu = 0 };

    return bind(EVTCHNOP_bind_ipi, &op, &op.port, fn, arg);
}

int event_alloc_unbound(domid_t remote, event_fn fn, void *arg)
{
    struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = remote };

    return bind(EVTCHNOP_alloc_unbound, &op, &op.port, fn, arg);
}

int event_bind_interdomain(domid_t remote, port_t remote_port, event_fn fn, void *arg)
{
    struct evtchn_bind_interdomain op = { .remote_dom = remote, .remote_port = remote_port };

    return bind(EVTCHNOP_bind_interdomain, &op, &op.local_port, fn, arg);
}

int event_send(port_t port)
{
    struct evtchn_send op = { .port = port };

    return xen_event_channel_op(EVTCHNOP_send, &op);
}

int event_close(port_t port)
{
    struct evtchn_close op = { .port = port };
    int rc = xen_event_channel_op(EVTCHNOP_close, &op);

    if (!rc)
        event_set_handler(port, NULL, NULL);
    return rc;
}

int event_status(port_t port, evtchn_status_t *st)
{
    *st = (evtchn_status_t){ .dom = DOMID_SELF, .port = port };
    return xen_event_channel_op(EVTCHNOP_status, st);
}

/* All ports start masked, and a bind unmasks its port. The console's port, bound by the builder,
 * stays masked. */
void event_init(void)
{
    for (unsigned i = 0; i < sizeof(xen_ulong_t) * 8; i++)
        shared_info->evtchn_mask[i] = ~0ul;
}
