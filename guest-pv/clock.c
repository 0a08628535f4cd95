/* The paravirtual clock and software timers on VIRQ_TIMER and the vCPU's one-shot timer. thread.c
 * uses them for sleeping and for time slices, the suites for waiting. What the suites check about
 * clocks is in suites/clocks.c and suites/timers.c. */
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "trap.h"

volatile uint64_t clock_irqs;
uint32_t clock_port;
static struct timer *queue;                 /* by time */
static void (*hook)(void);

uint64_t clock_tsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

/* (ticks << shift) * mul / 2^32; the product needs 96 bits. */
static uint64_t scale(uint64_t ticks, uint32_t mul, int8_t shift)
{
    ticks = shift < 0 ? ticks >> -shift : ticks << shift;
    return (uint64_t)(((unsigned __int128)ticks * mul) >> 32);
}

/* The inverse of scale(): the factors change at a migration only, and there is none. */
uint64_t clock_tsc_hz(void)
{
    const volatile struct vcpu_time_info *t = &shared_info->vcpu_info[0].time;
    uint64_t hz = (NS_PER_S << 32) / t->tsc_to_system_mul;

    return t->tsc_shift < 0 ? hz << -t->tsc_shift : hz >> t->tsc_shift;
}

/* The version is odd while the record is being written, and differs after a write. */
uint64_t clock_ns_of(unsigned vcpu)
{
    volatile struct vcpu_time_info *t = &shared_info->vcpu_info[vcpu].time;
    uint32_t version;
    uint64_t ns;

    do {
        version = __atomic_load_n(&t->version, __ATOMIC_ACQUIRE);
        ns = t->system_time +
             scale(clock_tsc() - t->tsc_timestamp, t->tsc_to_system_mul, t->tsc_shift);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((version & 1) || version != t->version);
    return ns;
}

uint64_t clock_ns(void)
{
    return clock_ns_of(0);
}

uint64_t clock_wall_ns(void)
{
    uint32_t version;
    uint64_t ns;

    do {
        version = __atomic_load_n(&shared_info->wc_version, __ATOMIC_ACQUIRE);
        ns = ((uint64_t)shared_info->wc_sec_hi << 32 | shared_info->wc_sec) * NS_PER_S +
             shared_info->wc_nsec;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((version & 1) || version != shared_info->wc_version);
    return ns + clock_ns();
}

void clock_spin(uint64_t ns)
{
    for (uint64_t end = clock_ns() + ns; clock_ns() < end;)
        __builtin_ia32_pause();
}

static void rearm(void)
{
    struct vcpu_set_singleshot_timer op;

    if (!queue)
        return;
    op = (struct vcpu_set_singleshot_timer){ .timeout_abs_ns = queue->at_ns };
    int rc = xen_vcpu_op(VCPUOP_set_singleshot_timer, 0, &op);
    if (rc)
        panic("set_singleshot_timer(%lu): %d", queue->at_ns, rc);
}

static void on_timer(uint32_t port, void *arg)
{
    (void)port, (void)arg;
    clock_irqs++;
    if (hook) {
        hook();
        return;
    }
    while (queue && queue->at_ns <= clock_ns()) {
        struct timer *t = queue;

        queue = t->next;
        t->queued = false;
        t->fn(t->arg);
    }
    rearm();
}

static void unlink_timer(struct timer *t)
{
    struct timer **pos = &queue;

    while (*pos && *pos != t)
        pos = &(*pos)->next;
    if (*pos)
        *pos = t->next;
    t->queued = false;
}

void timer_start(struct timer *t, uint64_t at_ns, void (*fn)(void *), void *arg)
{
    bool masked = events_save_off();
    struct timer **pos = &queue;

    if (t->queued)
        unlink_timer(t);
    *t = (struct timer){ .at_ns = at_ns, .fn = fn, .arg = arg, .queued = true };
    while (*pos && (*pos)->at_ns <= at_ns)
        pos = &(*pos)->next;
    t->next = *pos;
    *pos = t;
    if (queue == t && !hook)
        rearm();
    events_restore(masked);
}

void timer_cancel(struct timer *t)
{
    bool masked = events_save_off();

    if (t->queued)
        unlink_timer(t);
    events_restore(masked);
}

void clock_hook(void (*fn)(void))
{
    bool masked = events_save_off();

    hook = fn;
    if (!fn)
        rearm();
    events_restore(masked);
}

void clock_init(void)
{
    int port;

    xen_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);   /* an error if there is none */
    port = event_bind_virq(VIRQ_TIMER, on_timer, NULL);
    if (port < 0)
        panic("VIRQ_TIMER: %d", port);
    clock_port = port;
}
