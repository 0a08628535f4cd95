/* Names a CPU that takes no interrupts any more: it waits for something with interrupts off, or has
 * stopped. Each second the first CPU asks all others for a sign of life, by a request; one that has
 * not answered for WATCHDOG_SECONDS is a panic, which also shows where each CPU is. Debug builds
 * only, as it interrupts guests. A lock that is waited for too long is found earlier, by lock.c.
 * Called by main.c. */
#include "xen/core/bug.h"
#include "xen/core/cpu.h"
#include "xen/core/request.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/watchdog.h"

#ifdef DEBUG
#define INTERVAL_NS 1000000000ull

static struct timer next_round;

/* One question a second: so the number of those not answered is the time. */
static void ask_all(void *unused)
{
    struct cpu *c;

    (void)unused;
    for_each_cpu(c) {
        if (c == this_cpu())
            continue;
        if (c->alive.wanted - load_acquire(&c->alive.done) >= WATCHDOG_SECONDS)
            panic("CPU %u has taken no interrupt for %u s", c->id, WATCHDOG_SECONDS);
        request_alive(c);
    }
    timer_set(&next_round, now_ns() + INTERVAL_NS);
}

void watchdog_start(void)
{
    if (nr_cpus == 1)
        return;
    timer_init(&next_round, ask_all, NULL);
    ask_all(NULL);
}
#else
void watchdog_start(void)
{
}
#endif
