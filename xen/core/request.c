/* Requests between CPUs (request.h): serving them, and waiting until another CPU has served one.
 * Called by the interrupt handler of arch/, by lock.c while it waits, and by those who ask.
 *
 * A CPU that waits is answered by number: those who ask take the next number of the CPU, and the
 * CPU publishes the last number that it saw before it did the work. The bit alone would not do: it
 * is cleared before the work, so that a request that comes meanwhile is not lost. */
#include "xen/core/request.h"
#include "xen/core/lock.h"

void (*reschedule_requested)(void);
void (*trace_requested)(void);

static uint32_t ask(struct cpu *c, struct question *a, uint32_t bit)
{
    uint32_t number = xadd(&a->wanted, 1) + 1;

    request_cpu(c, bit);
    return number;
}

static void wait_for(const struct question *a, uint32_t number)
{
    while ((int32_t)(load_acquire(&a->done) - number) < 0) {
        serve_flush_requests();
        cpu_relax();
    }
}

static void serve_flush(struct cpu *c)
{
    uint32_t number = load_acquire(&c->flush.wanted);

    arch_flush_all();
    store_release(&c->flush.done, number);
}

static void serve_trace(struct cpu *c)
{
    uint32_t number = load_acquire(&c->trace.wanted);

    trace_requested();
    store_release(&c->trace.done, number);
}

void serve_flush_requests(void)
{
    struct cpu *c;

    if (unlikely(current == NULL))
        return;
    c = this_cpu();
    if (READ_ONCE(c->requests) & REQUEST_FLUSH) {
        locked_and(&c->requests, ~REQUEST_FLUSH);
        serve_flush(c);
    }
}

static bool holding;
static uint32_t nr_held;

static void be_held(void)
{
    locked_add(&nr_held, 1);
    while (load_acquire(&holding)) {
        serve_flush_requests();
        cpu_relax();
    }
    locked_add(&nr_held, -1u);
}

void hold_cpus(void)
{
    struct cpu *c;

    ASSERT(locks_held() == 0);
    store_release(&holding, true);
    for_each_cpu(c)
        if (c != this_cpu())
            request_cpu(c, REQUEST_HOLD);
    while (load_acquire(&nr_held) != nr_cpus - 1) {
        serve_flush_requests();
        cpu_relax();
    }
}

void release_cpus(void)
{
    store_release(&holding, false);
    while (load_acquire(&nr_held) != 0)
        cpu_relax();
}

void serve_requests(void)
{
    struct cpu *c = this_cpu();
    uint32_t bits = xchg(&c->requests, 0);

    if (bits & REQUEST_FLUSH)
        serve_flush(c);
    if (bits & REQUEST_GRACE)
        store_release(&c->grace.done, load_acquire(&c->grace.wanted));
    if (bits & REQUEST_ALIVE)
        store_release(&c->alive.done, load_acquire(&c->alive.wanted));
    if (bits & REQUEST_TRACE)
        serve_trace(c);
    if (bits & REQUEST_RESCHED)
        reschedule_requested();
    if (bits & REQUEST_HOLD)
        be_held();
}

uint32_t request_flush(struct cpu *c)
{
    return ask(c, &c->flush, REQUEST_FLUSH);
}

void request_alive(struct cpu *c)
{
    (void)ask(c, &c->alive, REQUEST_ALIVE);
}

void wait_for_flush(struct cpu *c, uint32_t number)
{
    wait_for(&c->flush, number);
}

static void ask_others_and_wait(struct question *(*of)(struct cpu *c), uint32_t bit)
{
    struct cpu *c;

    ASSERT(locks_held() == 0);
    for_each_cpu(c)
        if (c != this_cpu())
            (void)ask(c, of(c), bit);
    for_each_cpu(c)
        if (c != this_cpu())
            wait_for(of(c), READ_ONCE(of(c)->wanted));
}

static struct question *grace_of(struct cpu *c)
{
    return &c->grace;
}

static struct question *trace_of(struct cpu *c)
{
    return &c->trace;
}

void grace_period(void)
{
    ask_others_and_wait(grace_of, REQUEST_GRACE);
}

void trace_cpus(void)
{
    trace_requested();
    ask_others_and_wait(trace_of, REQUEST_TRACE);
}
