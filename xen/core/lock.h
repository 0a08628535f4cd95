/* Spinlocks. One CPU runs today, and interrupts are off while the hypervisor runs, so a lock that
 * is taken already is a bug of the hypervisor: spin_lock panics. Names and order of the locks are
 * there for several CPUs.
 *
 * No code sleeps or calls preempt_point() while it holds a lock. A function that may sleep releases
 * the lock that its caller holds and takes it again; its comment states that. Debug builds check it
 * (LOCKS_HELD).
 *
 * Order (outer first): d->mm_lock (lower domid first), grant table (lower domid first), event
 * channels (lower domid first), FIFO queues, scheduler, timers, console. */
#ifndef XEN_LOCK_H
#define XEN_LOCK_H

#include "common/compiler.h"
#include "xen/core/bug.h"
#include "xen/core/types.h"

struct spinlock {
    uint32_t taken;
};

/* Changes and returns the number of locks that this CPU holds; always 0 in builds without DEBUG. */
#ifdef DEBUG
extern int locks_held;
#define LOCKS_HELD(change) (locks_held += (change))
#else
#define LOCKS_HELD(change) 0
#endif

static inline void spin_lock(struct spinlock *l)
{
    BUG_ON(l->taken);
    l->taken = 1;
    (void)LOCKS_HELD(1);
    barrier();
}

static inline bool spin_trylock(struct spinlock *l)
{
    if (l->taken)
        return false;
    spin_lock(l);
    return true;
}

static inline void spin_unlock(struct spinlock *l)
{
    barrier();
    (void)LOCKS_HELD(-1);
    l->taken = 0;
}

#endif
