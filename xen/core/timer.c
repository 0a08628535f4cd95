/* Software timers: for each CPU a list in order of deadlines, and its hardware timer, which is
 * programmed for the first of them. The timer interrupt calls timers_run; scheduler, vCPU timers,
 * watchdogs and others set and cancel timers.
 *
 * A list is enough: a vCPU and a domain have three timers each, a CPU one, and few of them are
 * armed. The hardware is programmed only when the earliest deadline becomes earlier. When it
 * becomes later or is cancelled, one interrupt comes too early, which is cheaper than to program
 * the hardware at each change.
 *
 *   M1  t->queue is the queue that t is on, and changes only under that queue's lock */
#include "arch/arch.h"
#include "xen/core/cpu.h"
#include "xen/core/irqsoff.h"
#include "xen/core/lock.h"
#include "xen/core/request.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"

void timer_queue_init(struct timer_queue *q, unsigned cpu)
{
    spin_lock_init(&q->lock, LOCK_TIMER, cpu);
    list_init(&q->armed);
    q->programmed = NO_DEADLINE;
    q->firing = NULL;
}

void timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
    t->queue = NULL;
    t->fn = fn;
    t->arg = arg;
}

static inline struct timer *first_timer(const struct timer_queue *q)
{
    return list_entry(q->armed.next, struct timer, link);
}

static void program(struct timer_queue *q, uint64_t deadline_ns)
{
    q->programmed = deadline_ns;
    arch_timer_program(ns_to_tsc(deadline_ns));
}

/* The link need not be an empty list afterwards: queue tells whether the timer is armed. */
static inline void disarm(struct timer *t)
{
    list_unlink(&t->link);
    WRITE_ONCE(t->queue, NULL);
}

/* Between the look and the lock the timer may have fired, or been set on another CPU. */
void timer_cancel(struct timer *t)
{
    struct timer_queue *q;

    while ((q = READ_ONCE(t->queue)) != NULL) {
        spin_lock(&q->lock);
        if (likely(t->queue == q))
            disarm(t);
        spin_unlock(&q->lock);
    }
}

/* Under q's lock the timer is on q, or its fn runs there, or it is neither, and then it stays so:
 * only fn still sets it, on the CPU where it runs. */
static void end_on(struct timer_queue *q, struct timer *t)
{
    spin_lock(&q->lock);
    while (unlikely(q->firing == t)) {
        spin_unlock(&q->lock);
        serve_flush_requests();
        cpu_relax();
        spin_lock(&q->lock);
    }
    if (READ_ONCE(t->queue) == q)
        disarm(t);
    spin_unlock(&q->lock);
}

void timer_end(struct timer *t)
{
    struct cpu *c;

    for_each_cpu(c)
        end_on(&c->timers, t);
}

static void __attribute__((noinline)) program_and_unlock(struct timer_queue *q,
                                                         uint64_t deadline_ns)
{
    program(q, deadline_ns);
    spin_unlock(&q->lock);
}

/* q's lock is held, and is released; t is armed on no other queue. */
static inline void set_here(struct timer_queue *q, struct timer *t, uint64_t deadline_ns)
{
    struct list_head *at;

    if (t->queue != NULL)
        list_unlink(&t->link);
    WRITE_ONCE(t->queue, q);
    t->deadline_ns = deadline_ns;
    for (at = q->armed.next; at != &q->armed; at = at->next)
        if (list_entry(at, struct timer, link)->deadline_ns > deadline_ns)
            break;
    list_add_tail(&t->link, at);
    if (deadline_ns < q->programmed)
        program_and_unlock(q, deadline_ns);
    else
        spin_unlock(&q->lock);
}

static void __attribute__((noinline, cold)) set_slowly(struct timer *t, uint64_t deadline_ns)
{
    struct timer_queue *q = &this_cpu()->timers;

    if (READ_ONCE(t->queue) != q)
        timer_cancel(t);
    spin_lock(&q->lock);
    set_here(q, t, deadline_ns);
}

void timer_set(struct timer *t, uint64_t deadline_ns)
{
    struct timer_queue *q = &this_cpu()->timers, *was = READ_ONCE(t->queue);

    if (unlikely((was != q && was != NULL) || !spin_lock_free(&q->lock)))
        set_slowly(t, deadline_ns);
    else
        set_here(q, t, deadline_ns);
}

/* The clock is read once: a timer that fires and is armed again for a short time cannot make the
 * loop endless. */
void timers_run(void)
{
    unsigned before = irqsoff_begin(IRQSOFF_TIMER);
    struct timer_queue *q = &this_cpu()->timers;
    uint64_t now = now_ns();

    spin_lock(&q->lock);
    q->programmed = 0;
    while (!list_empty(&q->armed) && first_timer(q)->deadline_ns <= now) {
        struct timer *t = first_timer(q);

        disarm(t);
        q->firing = t;
        spin_unlock(&q->lock);
        t->fn(t->arg);
        spin_lock(&q->lock);
        q->firing = NULL;
    }
    if (list_empty(&q->armed))
        q->programmed = NO_DEADLINE;
    else
        program(q, first_timer(q)->deadline_ns);
    spin_unlock(&q->lock);
    irqsoff_end(before);
}
