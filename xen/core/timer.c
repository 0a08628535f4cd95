/* Software timers: a list in order of deadlines, and the hardware timer, which is programmed for
 * the first of them. The timer interrupt calls timers_run; scheduler, vCPU timers, watchdogs and
 * others set and cancel timers.
 *
 * A list is enough: a vCPU has three timers, a domain two, and seldom more than one of them is
 * armed. The hardware is programmed only when the earliest deadline becomes earlier. When it
 * becomes later or is cancelled, one interrupt comes too early, which is cheaper than to program
 * the hardware at each change. */
#include "arch/arch.h"
#include "xen/core/irqsoff.h"
#include "xen/core/lock.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"

#define NONE UINT64_MAX

static struct spinlock timer_lock = SPINLOCK(LOCK_TIMER, 0);
static struct list_head armed = LIST_HEAD_INIT(armed);
/* The hardware's deadline; 0: timers_run runs and will program it. */
static uint64_t programmed = NONE;

void timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
    list_init(&t->link);
    t->fn = fn;
    t->arg = arg;
}

bool timer_armed(const struct timer *t)
{
    return t->link.next != NULL && !list_empty(&t->link);
}

static inline struct timer *first_timer(void)
{
    return list_entry(armed.next, struct timer, link);
}

static void program(uint64_t deadline_ns)
{
    programmed = deadline_ns;
    arch_timer_program(ns_to_tsc(deadline_ns));
}

void timer_set(struct timer *t, uint64_t deadline_ns)
{
    struct list_head *at;

    spin_lock(&timer_lock);
    if (timer_armed(t))
        list_del(&t->link);
    t->deadline_ns = deadline_ns;
    for (at = armed.next; at != &armed; at = at->next)
        if (list_entry(at, struct timer, link)->deadline_ns > deadline_ns)
            break;
    list_add_tail(&t->link, at);
    if (deadline_ns < programmed)
        program(deadline_ns);
    spin_unlock(&timer_lock);
}

void timer_cancel(struct timer *t)
{
    if (!timer_armed(t))
        return;
    spin_lock(&timer_lock);
    list_del(&t->link);
    spin_unlock(&timer_lock);
}

/* The clock is read once: a timer that fires and is armed again for a short time cannot make the
 * loop endless. */
void timers_run(void)
{
    unsigned before = irqsoff_begin(IRQSOFF_TIMER);
    uint64_t now = now_ns();

    spin_lock(&timer_lock);
    programmed = 0;
    while (!list_empty(&armed) && first_timer()->deadline_ns <= now) {
        struct timer *t = first_timer();

        list_del(&t->link);
        spin_unlock(&timer_lock);
        t->fn(t->arg);
        spin_lock(&timer_lock);
    }
    if (list_empty(&armed))
        programmed = NONE;
    else
        program(first_timer()->deadline_ns);
    spin_unlock(&timer_lock);
    irqsoff_end(before);
}
