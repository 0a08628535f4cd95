/* One-shot software timers in nanoseconds of system time. Each is armed on the CPU that set it, and
 * fires from that CPU's timer interrupt. */
#ifndef XEN_TIMER_H
#define XEN_TIMER_H

#include "common/compiler.h"
#include "common/list.h"
#include "xen/core/lock.h"

struct timer {
    struct list_head link;          /* in deadline order */
    uint64_t deadline_ns;
    struct timer_queue *queue;      /* where it is armed; NULL: not armed */
    void (*fn)(void *arg);
    void *arg;
};

/* The timers of a CPU. */
struct timer_queue {
    struct spinlock lock;
    struct list_head armed;
    uint64_t programmed;            /* the hardware's deadline; 0: timers_run will program it */
    struct timer *firing;           /* its fn runs now, without the lock */
};
#define NO_DEADLINE UINT64_MAX

void timer_queue_init(struct timer_queue *q, unsigned cpu);
void timer_init(struct timer *t, void (*fn)(void *), void *arg);
/* Arms it anew, on this CPU; a past deadline: at the next interrupt. The caller makes sure that no
 * other CPU sets the same timer at this time; cancelling and firing are free. */
void timer_set(struct timer *t, uint64_t deadline_ns);
/* fn may still run on another CPU. */
void timer_cancel(struct timer *t);
/* When it returns, fn does not run any more, and the timer is not armed. Nothing but fn may set it
 * meanwhile. Without locks. */
void timer_end(struct timer *t);
/* Calls fn of those due; programs the hardware. */
void timers_run(void);

static inline bool timer_armed(const struct timer *t)
{
    return READ_ONCE(t->queue) != NULL;
}

#endif
