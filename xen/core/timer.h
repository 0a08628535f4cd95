/* One-shot software timers in nanoseconds of system time, fired from the timer interrupt of the
 * CPU. */
#ifndef XEN_TIMER_H
#define XEN_TIMER_H

#include "common/compiler.h"
#include "common/list.h"

struct timer {
    struct list_head link;          /* in deadline order; empty: not set */
    uint64_t deadline_ns;
    void (*fn)(void *arg);
    void *arg;
};

void timer_init(struct timer *t, void (*fn)(void *), void *arg);
/* Arms it anew; a past deadline: at the next interrupt. */
void timer_set(struct timer *t, uint64_t deadline_ns);
void timer_cancel(struct timer *t);
bool timer_armed(const struct timer *t);
/* Calls fn of those due; programs the hardware. */
void timers_run(void);

#endif
