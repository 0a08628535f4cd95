/* Spinlocks. One CPU runs today and the hypervisor is never interrupted while it holds one, so a lock that is already
 * taken is a bug of ours and says so; the words, the names and the order are here for the day when more CPUs run.
 *
 * Nobody sleeps with a lock: what may sleep lets go of the one that its caller holds, and says so. Debug builds count.
 *
 * Order (outer first): domain list, d->mm_lock (lower domid first), grant table (lower domid first),
 * event channels (lower domid first), FIFO queues, scheduler, timers, console. */
#ifndef XEN_LOCK_H
#define XEN_LOCK_H

#include "common/compiler.h"
#include "xen/core/bug.h"
#include "xen/core/types.h"

struct spinlock {
    uint32_t taken;
};

/* How many this CPU holds; 0 where nobody counts. */
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
