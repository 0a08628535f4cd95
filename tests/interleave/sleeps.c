/* vCPUs that sleep and wake each other, more of them than CPUs: these schedule, and the vCPUs go
 * from one to another (arch/host/schedule.c). Each vCPU has a partner and an event of its own. A
 * wake-up that is lost leaves both asleep for ever, which main.c finds: then a program has not
 * ended though all CPUs are idle. vCPUs that wait for a slow console. And vCPUs of two domains that
 * take turns on the CPUs: none may find in a TLB what another has left. */
#include <string.h>
#include "arch/arch.h"
#include "common/atomic.h"
#include "tests/interleave/interleave.h"
#include "xen/core/walk.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/input.h"

#define ROUNDS 20u
#define OP(cmd, s) call_struct(__HYPERVISOR_event_channel_op, EVTCHNOP_##cmd, &(s), sizeof(s))

/* Of domain 1: the event of each vCPU, and of its timer. */
static evtchn_port_t event_of[MAX_VCPUS], timer_of[MAX_VCPUS];

static void stop_ticks(unsigned id)
{
    current->domain->vcpu[id]->info->evtchn_upcall_mask = 1;
    (void)call(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, id, 0, 0);
}

static void prepare(struct domain *d[2])
{
    host_become(d[0]->vcpu[0]);
    for (unsigned i = 0; i < d[0]->nr_vcpus; i++) {
        struct evtchn_bind_ipi ipi = { .vcpu = i };
        struct evtchn_bind_virq virq = { .virq = VIRQ_TIMER, .vcpu = i };

        HOST_CHECK(OP(bind_ipi, ipi) == 0 && OP(bind_virq, virq) == 0, "ports of vCPU %u", i);
        event_of[i] = ipi.port;
        timer_of[i] = virq.port;
        stop_ticks(i);
    }
}

/* In guest mode: interrupts may come, and others run. */
static void in_guest(struct vcpu *v)
{
    for (unsigned i = pick(pick(2) ? 20 : 600); i > 0; i--)
        host_step();
    host_guest_waits();
    host_run_timer();
    if (v->work != 0)
        exit_to_guest_work();
}

static bool got_event(const struct vcpu *v, evtchn_port_t port)
{
    return fetch_and(&v->domain->shared->evtchn_pending[port / 64], ~(1ul << port % 64)) >>
           port % 64 & 1;
}

/* As a kernel does that has nothing to run: what has come is seen, or else SCHEDOP_block returns at
 * once. */
static void block_until(struct vcpu *v, evtchn_port_t port)
{
    for (;;) {
        (void)xchg(&v->info->evtchn_upcall_pending, 0);
        (void)xchg(&v->info->evtchn_pending_sel, 0);
        if (got_event(v, port))
            return;
        (void)call(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0);
        v->info->evtchn_upcall_mask = 1;
        in_guest(v);
    }
}

/* As Linux waits for a spinlock: the port is masked, and there is no time at which it ends. */
static void poll_until(struct vcpu *v, evtchn_port_t port)
{
    uint64_t ports = SCRATCH + (8 + v->id) * PAGE_SIZE;
    struct sched_poll poll = { .nr_ports = 1 };

    (void)fetch_or(&v->domain->shared->evtchn_mask[port / 64], 1ul << port % 64);
    guest_put(ports, &port, sizeof(port));
    set_xen_guest_handle_raw(poll.ports, (evtchn_port_t *)ports);
    while (!got_event(v, port)) {
        (void)call_struct(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll, sizeof(poll));
        in_guest(v);
    }
}

static void send_to(unsigned vcpu)
{
    struct evtchn_send s = { .port = event_of[vcpu] };

    HOST_CHECK(OP(send, s) == 0, "send");
}

static void play(struct vcpu *v, void (*wait)(struct vcpu *v, evtchn_port_t port))
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (v->id % 2 == 0)
            send_to(v->id + 1);
        in_guest(v);
        wait(v, event_of[v->id]);
        in_guest(v);
        if (v->id % 2 != 0)
            send_to(v->id - 1);
    }
}

static void blocks(struct vcpu *v)
{
    play(v, block_until);
}

static void polls(struct vcpu *v)
{
    play(v, poll_until);
}

/* Timers that fire at once, soon, or when the vCPU runs already; some are stopped first. */
static void timers(struct vcpu *v)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct vcpu_set_singleshot_timer t = { .timeout_abs_ns = 1 };

        guest_put(SCRATCH + (8 + v->id) * PAGE_SIZE, &t, sizeof(t));
        if (pick(3) == 0)
            (void)call(__HYPERVISOR_set_timer_op, host.tsc + 100000 + pick(100000), 0, 0, 0);
        if (pick(3) == 0)
            (void)call(__HYPERVISOR_vcpu_op, VCPUOP_stop_singleshot_timer, v->id, 0, 0);
        (void)got_event(v, timer_of[v->id]);
        (void)call(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, v->id,
                   SCRATCH + (8 + v->id) * PAGE_SIZE, 0);
        in_guest(v);
        block_until(v, timer_of[v->id]);
    }
}

/* Every second vCPU puts itself down, and its partner puts it up again. */
static void downs(struct vcpu *v)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (v->id % 2 != 0) {
            (void)call(__HYPERVISOR_vcpu_op, VCPUOP_down, v->id, 0, 0);
            in_guest(v);
            continue;
        }
        while (call(__HYPERVISOR_vcpu_op, VCPUOP_is_up, v->id + 1, 0, 0) == 1) {
            in_guest(v);
            (void)call(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0);
        }
        (void)call(__HYPERVISOR_vcpu_op, VCPUOP_up, v->id + 1, 0, 0);
        in_guest(v);
    }
}

static unsigned changing;       /* vCPUs inside a call that changes a timer or stops a vCPU */

static void prepare_periods(struct domain *d[2])
{
    prepare(d);
    changing = 0;
}

/* Of every vCPU at any time, and of the one that is about to go on in the guest. */
static void check_periods(const struct vcpu *self)
{
    const struct timer *t = &self->periodic;
    const struct vcpu *v;
    unsigned i;

    for_each_vcpu(self->domain, v, i)
        HOST_CHECK(!timer_armed(&v->periodic) || v->on_cpu != NULL,
                   "v%u does not run, and its periodic timer does", i);
    if (changing != 0 || self->work != 0)
        return;
    HOST_CHECK(self->up, "v%u runs, and is down", self->id);
    if (self->periodic_ns != 0)
        HOST_CHECK(timer_armed(t) && t->deadline_ns <= self->periodic_last + self->periodic_ns,
                   "v%u runs without a tick to come", self->id);
}

static void change(unsigned cmd, unsigned id, const struct vcpu *by)
{
    struct vcpu_set_periodic_timer op = { .period_ns = pick(2) ? 1000000 : 1000000000 };
    uint64_t arg = SCRATCH + (8 + by->id) * PAGE_SIZE;

    guest_put(arg, &op, sizeof(op));
    changing++;
    (void)call(__HYPERVISOR_vcpu_op, cmd, id, arg, 0);
    changing--;
}

/* The even ones change the timers of the odd ones, put them down and up again. */
static void periods(struct vcpu *v)
{
    static const unsigned cmds[] = { VCPUOP_set_periodic_timer, VCPUOP_set_periodic_timer,
                                     VCPUOP_stop_periodic_timer, VCPUOP_down, VCPUOP_up };

    for (unsigned i = 0; i < 2 * ROUNDS; i++) {
        if (v->id % 2 == 0)
            change(cmds[pick(ARRAY_SIZE(cmds))], 1 + 2 * pick(v->domain->nr_vcpus / 2), v);
        else if (pick(4) == 0)
            (void)call(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0);
        in_guest(v);
        check_periods(v);
    }
    for (unsigned id = 1; v->id % 2 == 0 && id < v->domain->nr_vcpus; id += 2)
        change(VCPUOP_up, id, v);
}

/* Each vCPU has a page of user mode, whose translations are global. */
static mfn_t page_of[2][MAX_VCPUS];

static long map_page(unsigned id, mfn_t mfn)
{
    return call(__HYPERVISOR_update_va_mapping, FREE_PFN_VA + id * PAGE_SIZE,
                mfn << PAGE_SHIFT | PTE_P | PTE_RW | PTE_US, 0, 0);
}

static void prepare_tenants(struct domain *d[2])
{
    for (unsigned i = 0; i < 2; i++) {
        host_become(d[i]->vcpu[0]);
        for (unsigned id = 0; id < d[i]->nr_vcpus; id++) {
            page_of[i][id] = unmapped_frame();
            HOST_CHECK(map_page(id, page_of[i][id]) == 0, "page of vCPU %u", id);
            stop_ticks(id);
        }
    }
}

/* Another frame for its page, and no flush of its own. The old one may go to the other domain. */
static void replace_page(const struct vcpu *v)
{
    mfn_t *mfn = &page_of[v->domain->id - 1][v->id], old = *mfn, new = get_frame_anew();

    if (new == INVALID_MFN)
        return;
    HOST_CHECK(map_page(v->id, new) == 0, "page of vCPU %u", v->id);
    *mfn = new;
    give_frame_back(old);
}

static void tenants(struct vcpu *v)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        guest_store(FREE_PFN_VA + pick(v->domain->nr_vcpus) * PAGE_SIZE, i);
        if (pick(3) == 0)
            replace_page(v);
        (void)call(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0);
        in_guest(v);
    }
}

/* A line so slow that a writer waits for each of its lines, and another CPU may send them. */
static void prepare_writers(struct domain *d[2])
{
    host_become(d[0]->vcpu[0]);
    for (unsigned id = 0; id < d[0]->nr_vcpus; id++)
        stop_ticks(id);
    console_input_start();
    host.byte_ticks = 30;
}

static void writers(struct vcpu *v)
{
    uint64_t va = SCRATCH + (2 + v->id) * PAGE_SIZE;
    char text[40];

    memset(text, 'a' + (int)v->id, sizeof(text));
    text[sizeof(text) - 1] = '\n';
    guest_put(va, text, sizeof(text));
    for (unsigned i = 0; i < ROUNDS; i++) {
        HOST_CHECK(call(__HYPERVISOR_console_io, CONSOLEIO_write, sizeof(text), va, 0) == 0,
                   "a line of vCPU %u", v->id);
        in_guest(v);
    }
}

const struct scenario sleep_scenarios[] = {
    { "blocks", { 6 }, prepare, { blocks }, NULL },
    { "polls", { 6 }, prepare, { polls }, NULL },
    { "timers", { 4 }, prepare, { timers }, NULL },
    { "downs", { 4 }, prepare, { downs }, NULL },
    { "periods", { 4 }, prepare_periods, { periods }, NULL },
    { "writers", { 3 }, prepare_writers, { writers }, NULL },
    { "tenants", { 2, 2 }, prepare_tenants, { tenants, tenants }, NULL },
    { NULL },
};
