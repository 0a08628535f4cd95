/* Waiting for a spinlock, and what debug builds check about locks (lock.h): their order, and that
 * none is waited for too long. Called by the functions of lock.h. */
#include "arch/arch.h"
#include "xen/core/cpu.h"
#include "xen/core/lock.h"
#include "xen/core/log.h"
#include "xen/core/request.h"

#ifdef DEBUG
/* Far more than any holder needs; but CPUs may be emulated by fewer. */
#define PATIENCE_SECONDS 10u

static const char *const class_names[] = {
    "no class", "mm", "grant", "evtchn", "fifo", "life", "queue", "timer", "clock", "ring", "heap",
    "line", "console", "pci", "linear",
};

void locks_show(const struct cpu *c)
{
    for (unsigned i = 0; i < c->held.nr && i < MAX_HELD_LOCKS; i++) {
        const struct spinlock *l = c->held.lock[i];

        log_error("Lock %s %u is held by CPU %u, taken at %p", class_names[l->class], l->id, c->id,
                  l->rip);
    }
}

static void panic_about(const char *what, const struct spinlock *l)
{
    panic("%s: lock %s %u, taken last by CPU %u at %p", what, class_names[l->class], l->id,
          l->holder, l->rip);
}

static bool is_inner(const struct spinlock *l, const struct spinlock *outer)
{
    return l->class > outer->class || (l->class == outer->class && l->id > outer->id);
}

/* Before `current` is set, at boot, there is one CPU, and nothing to check. */
void __attribute__((noinline)) lock_taken(struct spinlock *l, bool waited)
{
    struct held_locks *h;

    if (current == NULL)
        return;
    h = &this_cpu()->held;
    if (l->class == LOCK_NO_CLASS)
        panic_about("Not initialised", l);
    for (unsigned i = 0; waited && i < h->nr; i++)
        if (!is_inner(l, h->lock[i]))
            panic_about("Taken against the order of locks", l);
    BUG_ON(h->nr == MAX_HELD_LOCKS);
    l->holder = (uint16_t)this_cpu()->id;
    l->rip = __builtin_return_address(0);
    h->lock[h->nr++] = l;
}

void lock_released(struct spinlock *l)
{
    struct held_locks *h;
    unsigned i;

    if (current == NULL)
        return;
    h = &this_cpu()->held;
    for (i = 0; i < h->nr && h->lock[i] != l; i++)
        ;
    if (i == h->nr)
        panic_about("Released, but not held", l);
    h->lock[i] = h->lock[--h->nr];
}

unsigned locks_held(void)
{
    return current != NULL ? this_cpu()->held.nr : 0;
}

void locks_forget(void)
{
    this_cpu()->held.nr = 0;
}

static void check_patience(const struct spinlock *l, uint64_t start)
{
    if (arch_tsc() - start > PATIENCE_SECONDS * arch_tsc_hz() && arch_tsc_hz() != 0)
        panic_about("Waited for too long", l);
}
#else
static inline void check_patience(const struct spinlock *l, uint64_t start)
{
    (void)l, (void)start;
}
#endif

/* While there is one CPU, a lock that is taken already would never be released. The lock is read
 * until it is clear, and only then set again, as each attempt takes the cache line away from the
 * CPU that will release it. */
void spin_wait(struct spinlock *l)
{
    uint64_t start = arch_tsc();

    BUG_ON(nr_cpus == 1);
    do {
        while (READ_ONCE(l->taken)) {
            serve_flush_requests();
            check_patience(l, start);
            cpu_relax();
        }
    } while (fetch_or(&l->taken, 1) & 1);
}
