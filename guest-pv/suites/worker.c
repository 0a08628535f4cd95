/* Workers: how a vCPU becomes one, runs a function, and goes down again. What they do is in the
 * suites; their first instruction and traps are in worker_entry.S.
 *
 * A vCPU can be initialised once only. So a worker never ends: it goes down after each function,
 * and up starts the next one behind that. */
#include <malloc.h>
#include <string.h>
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"
#include "worker.h"

#define PATIENCE (60 * NS_PER_S)

struct worker workers[MAX_WORKERS];
static bool initialised[MAX_WORKERS];
static unsigned nr_started, nr_arrived;         /* by the last workers_start() */

/* Stacks are aligned to their size, and the last word of each says whose it is. */
static struct worker **owner_of(uint64_t sp)
{
    return (struct worker **)((sp | (WORKER_STACK - 1)) + 1) - 1;
}

static long vcpu_op(unsigned cmd, const struct worker *w)
{
    return xen_vcpu_op(cmd, w->id, NULL);
}

unsigned workers_nr(void)
{
    unsigned n = 0;

    while (n < MAX_WORKERS && xen_vcpu_op(VCPUOP_is_up, n + 1, NULL) >= 0)
        n++;
    return n;
}

/* All begin together, so that what is short runs on several CPUs at the same time, too. */
static void wait_for_all(void)
{
    __atomic_fetch_add(&nr_arrived, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&nr_arrived, __ATOMIC_SEQ_CST) < nr_started)
        xen_sched_op(SCHEDOP_yield, NULL);
}

_Noreturn void worker_main(struct worker *w)
{
    for (;;) {
        wait_for_all();
        w->fn(w);
        __atomic_store_n(&w->done, w->done + 1, __ATOMIC_RELEASE);
        vcpu_op(VCPUOP_down, w);
    }
}

_Noreturn void worker_trap(const uint64_t *frame)
{
    struct worker *w = *owner_of((uint64_t)frame);

    w->trap_rip = frame[1];
    w->trap_rsp = frame[4];
    for (;;)
        vcpu_op(VCPUOP_down, w);
}

static void set_trap(struct vcpu_guest_context *ctx, unsigned vector, const void *entry)
{
    ctx->trap_ctxt[vector] = (struct trap_info){ .vector = vector, .flags = 4,
                                                 .cs = FLAT_KERNEL_CS,
                                                 .address = (unsigned long)entry };
}

static bool initialise(struct worker *w)
{
    static const uint8_t with_error[] = { TRAP_TS, TRAP_NP, TRAP_SS, TRAP_GP, TRAP_PF, TRAP_AC };
    static struct vcpu_guest_context ctx;
    uint64_t stack = (uint64_t)memalign(WORKER_STACK, WORKER_STACK);

    ASSERT(stack != 0);
    *owner_of(stack) = w;
    memset(&ctx, 0, sizeof(ctx));
    ctx.flags = VGCF_in_kernel;
    ctx.user_regs.rip = (uint64_t)worker_start;
    ctx.user_regs.rsp = ctx.kernel_sp = (uint64_t)owner_of(stack) - 8;
    ctx.user_regs.rdi = (uint64_t)w;
    ctx.user_regs.cs = FLAT_KERNEL_CS;
    ctx.user_regs.ss = ctx.kernel_ss = FLAT_KERNEL_SS;
    ctx.ctrlreg[3] = pfn_to_mfn(kernel_root()) << PAGE_SHIFT;
    for (unsigned i = 0; i < 20; i++)
        set_trap(&ctx, i, worker_fault_no_error);
    for (unsigned i = 0; i < sizeof(with_error); i++)
        set_trap(&ctx, with_error[i], worker_fault);
    ctx.failsafe_callback_eip = (uint64_t)worker_failsafe;
    shared_info->vcpu_info[w->id].evtchn_upcall_mask = 1;
    initialised[w->id - 1] = EXPECT_EQ(xen_vcpu_op(VCPUOP_initialise, w->id, &ctx), 0);
    return initialised[w->id - 1];
}

bool workers_start(void (*fn)(struct worker *), void *arg)
{
    unsigned nr = workers_nr();

    nr_started = nr;
    nr_arrived = 0;
    for (unsigned i = 0; i < nr; i++) {
        struct worker *w = &workers[i];

        w->id = i + 1;
        if (!initialised[i] && !initialise(w))
            return false;
        w->fn = fn;
        w->arg = arg;
        w->trap_rip = w->count = w->faults = 0;
        w->done = 0;
        if (!EXPECT_EQ(vcpu_op(VCPUOP_up, w), 0))
            return false;
    }
    return true;
}

static bool is_down(struct worker *w)
{
    return vcpu_op(VCPUOP_is_up, w) == 0;
}

bool workers_join(void)
{
    uint64_t end = clock_ns() + PATIENCE;
    unsigned nr = workers_nr();
    bool all = true;

    for (unsigned i = 0; i < nr; i++) {
        struct worker *w = &workers[i];

        while (!is_down(w) && clock_ns() < end)
            xen_sched_op(SCHEDOP_yield, NULL);
        all &= EXPECT_MSG(is_down(w), "vCPU %u is still up", w->id);
        all &= EXPECT_MSG(w->trap_rip == 0, "vCPU %u: trap at rip %#lx, rsp %#lx", w->id,
                          w->trap_rip, w->trap_rsp);
    }
    return all;
}

int worker_poll(port_t port, uint64_t timeout_ns)
{
    struct sched_poll poll = { .nr_ports = 1, .timeout = timeout_ns };
    int rc = 0;

    set_xen_guest_handle(poll.ports, &port);
    while (!rc && !event_clear(port)) {
        if (timeout_ns != 0 && clock_ns() >= timeout_ns)
            return 1;
        rc = xen_sched_op(SCHEDOP_poll, &poll);
    }
    return rc;
}

int worker_bind_ipi(unsigned vcpu)
{
    struct evtchn_bind_ipi op = { .vcpu = vcpu };
    int rc = xen_event_channel_op(EVTCHNOP_bind_ipi, &op);

    if (rc)
        return rc;
    event_mask(op.port);
    event_clear(op.port);
    return op.port;
}
