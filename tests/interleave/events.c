/* Event channels of two domains of two vCPUs each, which bind, close, send to and mask the same few
 * ports at once, with bitmaps or with FIFO queues; and an event word that other vCPUs change while
 * a port is linked to it. */
#include <string.h>
#include "arch/arch.h"
#include "tests/interleave/interleave.h"
#include "xen/core/frame.h"
#include "xen/pv/evtchn_table.h"

#define ROUNDS 16u
#define PORTS 6u
#define OP(cmd, s) call_struct(__HYPERVISOR_event_channel_op, EVTCHNOP_##cmd, &(s), sizeof(s))
#define FIFO_PFN 0x30u

static void prepare(struct domain *d[2])
{
    for (unsigned i = 0; i < 2; i++) {
        struct evtchn_alloc_unbound s = { .dom = DOMID_SELF, .remote_dom = (domid_t)(2 - i) };

        host_become(d[i]->vcpu[0]);
        for (unsigned j = 0; j < PORTS / 2; j++)
            (void)OP(alloc_unbound, s);
    }
}

static void open_port(const struct domain *d)
{
    struct evtchn_alloc_unbound unbound = { .dom = DOMID_SELF,
                                            .remote_dom = pick(2) ? DOMID_SELF : 3u - d->id };
    struct evtchn_bind_interdomain inter = { .remote_dom = pick(2) ? DOMID_SELF : 3u - d->id,
                                             .remote_port = 1 + pick(PORTS) };
    struct evtchn_bind_ipi ipi = { .vcpu = pick(2) };
    struct evtchn_bind_virq virq = { .virq = pick(2) ? VIRQ_TIMER : VIRQ_DEBUG, .vcpu = pick(2) };

    switch (pick(5)) {
    case 0:
        (void)OP(alloc_unbound, unbound);
        break;
    case 1:
        (void)OP(bind_ipi, ipi);
        break;
    case 2:
        (void)OP(bind_virq, virq);
        break;
    default:
        (void)OP(bind_interdomain, inter);
    }
}

static void one_operation(const struct domain *d)
{
    struct evtchn_close close = { .port = 1 + pick(PORTS) };
    struct evtchn_send send = { .port = 1 + pick(PORTS) };
    struct evtchn_unmask unmask = { .port = 1 + pick(PORTS) };
    struct evtchn_bind_vcpu bind = { .port = 1 + pick(PORTS), .vcpu = pick(2) };
    struct evtchn_status status = { .dom = DOMID_SELF, .port = 1 + pick(PORTS) };
    struct evtchn_set_priority priority = { .port = 1 + pick(PORTS), .priority = pick(4) };
    struct evtchn_reset reset = { .dom = DOMID_SELF };

    switch (pick(12)) {
    case 0:
    case 1:
    case 2:
        open_port(d);
        break;
    case 3:
        (void)OP(close, close);
        break;
    case 4:
        (void)OP(unmask, unmask);
        break;
    case 5:
        (void)OP(bind_vcpu, bind);
        break;
    case 6:
        (void)OP(status, status);
        break;
    case 7:
        (void)OP(set_priority, priority);
        break;
    case 8:
        if (pick(4) == 0)
            (void)OP(reset, reset);
        break;
    default:
        (void)OP(send, send);
    }
}

static void ports(struct vcpu *v)
{
    for (unsigned i = 0; i < ROUNDS; i++)
        one_operation(v->domain);
}

/* Domain 2 goes over to FIFO meanwhile. */
static void change_abi(struct vcpu *v)
{
    struct evtchn_init_control control = {
        .control_gfn = mfn_of_pfn(v->domain, FIFO_PFN + v->id), .vcpu = v->id,
    };
    struct evtchn_expand_array array = { .array_gfn = mfn_of_pfn(v->domain, FIFO_PFN + 2) };
    unsigned when = pick(ROUNDS);

    for (unsigned i = 0; i < ROUNDS; i++) {
        if (i == when)
            (void)OP(init_control, control);
        if (i == when + 1)
            (void)OP(expand_array, array);
        one_operation(v->domain);
    }
}

/* E3, counted anew. */
static void check_closed(struct domain *d)
{
    for (unsigned b = 0; b < d->evtchn->nr_valid / PORTS_PER_BUCKET; b++) {
        unsigned closed = 0;

        for (unsigned i = b == 0; i < PORTS_PER_BUCKET; i++)
            closed += evtchn_lookup(d, b * PORTS_PER_BUCKET + i)->state == EVTCHNSTAT_closed;
        HOST_CHECK(closed == d->evtchn->nr_closed[b], "d%u: %u ports closed, %u counted", d->id,
                   closed, d->evtchn->nr_closed[b]);
    }
}

/* E1 and E2, counted anew. */
static void check(struct domain *d[2])
{
    check_closed(d[0]);
    check_closed(d[1]);
    for (unsigned i = 0; i < 2; i++)
        for (evtchn_port_t port = 1; port < d[i]->evtchn->nr_valid; port++) {
            const struct evtchn *e = evtchn_lookup(d[i], port), *r;

            if (e->state == EVTCHNSTAT_virq)
                HOST_CHECK(d[i]->vcpu[e->notify_vcpu]->virq_port[e->virq] == port ||
                               e->virq == VIRQ_DOM_EXC,
                           "d%u port %u, VIRQ %u", d[i]->id, port, e->virq);
            if (e->state != EVTCHNSTAT_interdomain || e->remote == NULL)
                continue;
            r = evtchn_lookup(e->remote, e->remote_port);
            HOST_CHECK(r != NULL && r->state == EVTCHNSTAT_interdomain && r->remote == d[i] &&
                           r->remote_port == port,
                       "d%u port %u is connected to d%u port %u, which is not", d[i]->id, port,
                       e->remote->id, e->remote_port);
        }
}

/* Domain 1 sends once on each of its connected ports, while domain 2 goes over to FIFO. */
static evtchn_port_t from[PORTS / 2], to[PORTS / 2];

static void prepare_connected(struct domain *d[2])
{
    for (unsigned i = 0; i < PORTS / 2; i++) {
        struct evtchn_alloc_unbound unbound = { .dom = DOMID_SELF, .remote_dom = 1 };
        struct evtchn_bind_interdomain inter = { .remote_dom = 2 };

        host_become(d[1]->vcpu[0]);
        HOST_CHECK(OP(alloc_unbound, unbound) == 0, "alloc_unbound");
        inter.remote_port = to[i] = unbound.port;
        host_become(d[0]->vcpu[0]);
        HOST_CHECK(OP(bind_interdomain, inter) == 0, "bind_interdomain");
        from[i] = inter.local_port;
    }
}

/* Both ends of connected ports are closed and connected again. */
static void ends(struct vcpu *v)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        evtchn_port_t *mine = v->domain->id == 1 ? from : to;
        unsigned which = pick(2);
        struct evtchn_close close = { .port = mine[which] };
        struct evtchn_alloc_unbound unbound = { .dom = DOMID_SELF, .remote_dom = 1 };
        struct evtchn_bind_interdomain inter = { .remote_dom = 2, .remote_port = to[which] };

        if (pick(2))
            (void)OP(close, close);
        else if (v->domain->id == 2 && OP(alloc_unbound, unbound) == 0)
            to[which] = unbound.port;
        else if (v->domain->id == 1 && OP(bind_interdomain, inter) == 0)
            from[which] = inter.local_port;
    }
}

static void send_once(struct vcpu *v)
{
    (void)v;
    for (unsigned i = pick(8); i > 0; i--)
        (void)call(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
    for (unsigned i = 0; i < PORTS / 2; i++) {
        struct evtchn_send s = { .port = from[i] };

        HOST_CHECK(OP(send, s) == 0, "send");
    }
}

static void only_change_abi(struct vcpu *v)
{
    struct evtchn_init_control control = {
        .control_gfn = mfn_of_pfn(v->domain, FIFO_PFN), .vcpu = 0,
    };
    struct evtchn_expand_array array = { .array_gfn = mfn_of_pfn(v->domain, FIFO_PFN + 2) };

    memset(mfn_to_virt(control.control_gfn), 0, PAGE_SIZE);
    memset(mfn_to_virt(array.array_gfn), 0, PAGE_SIZE);
    HOST_CHECK(OP(init_control, control) == 0, "init_control");
    HOST_CHECK(OP(expand_array, array) == 0, "expand_array");
}

/* No event is lost: each port's word has it. */
static void check_all_sent(struct domain *d[2])
{
    for (unsigned i = 0; i < PORTS / 2; i++)
        HOST_CHECK(d[1]->evtchn->fifo->nr_pages == 1 && d[1]->evtchn->abi->is_pending(d[1], to[i]),
                   "the event of port %u is lost", to[i]);
    check(d);
}

/* --- A word that the guest changes all the time ----------------------------------------------- */

#define LINKED (1u << EVTCHN_FIFO_LINKED)
#define BUSY (1u << EVTCHN_FIFO_BUSY)
#define NO_FLAG (1u << EVTCHN_FIFO_LINK_BITS)

static evtchn_port_t ends_of_queue[2];  /* the second is linked behind the first */
static event_word_t *words;
static bool all_sent;

static void prepare_busy(struct domain *d[2])
{
    host_become(d[0]->vcpu[0]);
    only_change_abi(d[0]->vcpu[0]);
    for (unsigned i = 0; i < 2; i++) {
        struct evtchn_bind_ipi ipi = { .vcpu = 0 };

        HOST_CHECK(OP(bind_ipi, ipi) == 0, "port %u", i);
        ends_of_queue[i] = ipi.port;
    }
    words = mfn_to_virt(mfn_of_pfn(d[0], FIFO_PFN + 2));
    all_sent = false;
}

/* Others change the first word by locked instructions, which leave BUSY as it is; when it asks them
 * not to, they go on, and may take the port off. */
static void change_word(event_word_t *word)
{
    while (!READ_ONCE(all_sent)) {
        if ((READ_ONCE(*word) & BUSY) && pick(4) == 0)
            locked_and(word, ~LINKED);
        else
            (void)__atomic_fetch_xor(word, NO_FLAG, __ATOMIC_SEQ_CST);
        host_step();
    }
}

static void busy(struct vcpu *v)
{
    event_word_t *first = &words[ends_of_queue[0]];

    if (v->id != 0) {
        change_word(first);
        return;
    }
    for (unsigned i = 0; i < 8 * ROUNDS; i++) {
        struct evtchn_send send[2] = { { ends_of_queue[0] }, { ends_of_queue[1] } };

        WRITE_ONCE(*first, 0);
        WRITE_ONCE(words[ends_of_queue[1]], 0);
        HOST_CHECK(OP(send, send[0]) == 0 && OP(send, send[1]) == 0, "send");
        HOST_CHECK(!(READ_ONCE(*first) & BUSY), "the guest is still asked not to change a word");
    }
    all_sent = true;
}

const struct scenario event_scenarios[] = {
    { "ports", { 2, 2 }, prepare, { ports, ports }, check },
    { "ports-fifo", { 2, 2 }, prepare, { ports, change_abi }, check },
    { "ends", { 2, 2 }, prepare_connected, { ends, ends }, check },
    { "busy", { 4 }, prepare_busy, { busy }, NULL },
    { "to-fifo", { 1, 1 }, prepare_connected, { send_once, only_change_abi }, check_all_sent },
    { NULL },
};
