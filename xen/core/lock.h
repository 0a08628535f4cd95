/* Spinlocks: a word that one CPU sets, while others read it until it is clear. They are not fair:
 * where CPUs are overcommitted, by a hypervisor below or an emulator, each hand-over of a fair lock
 * would wait for a CPU that does not run. Interrupts are off while the hypervisor runs, so no
 * handler finds a lock that its own CPU holds.
 *
 * A CPU that waits for a lock serves requests to flush its TLB (request.h): the holder may be
 * waiting for that.
 *
 * Invariants, which debug builds check (lock.c)
 *   L1  a lock is taken only while the CPU holds none of its class or of an inner one; two of the
 *       same class only by rising id. Classes are listed below, outer first
 *   L2  no code sleeps, calls preempt_point() or returns to a guest while it holds a lock. A
 *       function that may sleep releases the lock that its caller holds and takes it again; its
 *       comment states that
 *   L3  a CPU does not wait for a lock longer than 10 s */
#ifndef XEN_LOCK_H
#define XEN_LOCK_H

#include "common/atomic.h"
#include "xen/core/bug.h"
#include "xen/core/types.h"

enum lock_class {
    LOCK_NO_CLASS,              /* not initialised: a bug */
    LOCK_MM,                    /* d->mm_lock; id: the domid */
    LOCK_GRANT,                 /* a grant table; the domid */
    LOCK_EVTCHN,                /* a domain's event channels; the domid */
    LOCK_FIFO,                  /* its FIFO queues; the domid */
    LOCK_LIFE,                  /* which of its vCPUs are up, and how it ends; the domid */
    LOCK_QUEUE,                 /* a CPU's queue of vCPUs; the CPU */
    LOCK_TIMER,                 /* a CPU's timers; the CPU */
    LOCK_CLOCK,                 /* the point in the guests' vcpu_time_info */
    LOCK_RING,                  /* the ring of a domain's frames; the domid */
    LOCK_HEAP,                  /* free frames */
    LOCK_LINE,                  /* a domain's line and ring of the console; the domid */
    LOCK_CONSOLE,               /* the machine's console */
    LOCK_PCI,                   /* configuration space, and what interrupts are sent where */
    LOCK_LINEAR,                /* a domain's linear L4 entries; the domid */
    LOCK_FRAME_MEMORY,          /* which parts of frame table and M2P are mapped */
};

struct spinlock {
    uint32_t taken;
#ifdef DEBUG
    uint16_t class, id;
    uint16_t holder;            /* the CPU that took it last, */
    const void *rip;            /* and where */
#endif
};

/* A static lock's initialiser. */
#ifdef DEBUG
#define SPINLOCK(lock_class, number) { .class = (lock_class), .id = (number) }
#else
#define SPINLOCK(lock_class, number) { 0 }
#endif

static inline void spin_lock_init(struct spinlock *l, enum lock_class class, unsigned id)
{
    l->taken = 0;
#ifdef DEBUG
    l->class = (uint16_t)class;
    l->id = (uint16_t)id;
#else
    (void)class, (void)id;
#endif
}

/* Checks, empty in builds without DEBUG. lock_taken: waited is false for spin_trylock, which cannot
 * make a CPU wait, and whose order is therefore free. */
#ifdef DEBUG
void lock_taken(struct spinlock *l, bool waited);
void lock_released(struct spinlock *l);
unsigned locks_held(void);              /* by this CPU; 0 in builds without DEBUG */
void locks_forget(void);                /* a test goes on after a panic */
struct cpu;
void locks_show(const struct cpu *c);   /* those that c holds, which has stopped, or panics */
#else
static inline void lock_taken(struct spinlock *l, bool waited)
{
    (void)l, (void)waited;
}

static inline void lock_released(struct spinlock *l)
{
    (void)l;
}

static inline unsigned locks_held(void)
{
    return 0;
}
#endif

void spin_wait(struct spinlock *l) __attribute__((cold));     /* the slow part of spin_lock */

static inline void spin_lock(struct spinlock *l)
{
    if (unlikely(fetch_or(&l->taken, 1) & 1))
        spin_wait(l);
    lock_taken(l, true);
}

/* The fast half of spin_lock(), for functions that wait for the lock in a function of their own:
 * they save no registers then for a call that is rare. */
static inline bool spin_lock_free(struct spinlock *l)
{
    if (unlikely(fetch_or(&l->taken, 1) & 1))
        return false;
    lock_taken(l, true);
    return true;
}

static inline bool spin_trylock(struct spinlock *l)
{
    if (READ_ONCE(l->taken) || (fetch_or(&l->taken, 1) & 1))
        return false;
    lock_taken(l, false);
    return true;
}

/* By whichever CPU: for assertions. */
static inline bool is_locked(const struct spinlock *l)
{
    return READ_ONCE(l->taken);
}

static inline void spin_unlock(struct spinlock *l)
{
    lock_released(l);
    store_release(&l->taken, 0);
}

#endif
