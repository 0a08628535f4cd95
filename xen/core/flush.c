/* Flushes of TLBs on all CPUs that run a domain. What must be flushed, and when, is F8 and F11 of
 * frame.h; one CPU's flush is arch_flush_all(), the asking of another request.c's. Called by
 * pagetype.c, frame.c, and wherever a guest's mapping or descriptor page goes.
 *
 * Why on_cpu and flushed are read without a lock: a CPU that begins to run a vCPU sets on_cpu, then
 * reads the epoch, then loads the root, then stores the epoch to flushed (arch_switch). The caller
 * here changed the tables by a locked instruction or before one. So either it sees on_cpu, or that
 * CPU walks the tables as they are now.
 *
 * The epoch advances under the domain's mm_lock only. Else it could advance between a store to a
 * table, which may still be in the buffer of the CPU that makes it, and the reading of the epoch
 * for the frame's stamp, and a CPU that flushed then and walked the old entry again would be taken
 * for one that need not flush. */
#include "arch/arch.h"
#include "common/atomic.h"
#include "xen/core/cpu.h"
#include "xen/core/flush.h"
#include "xen/core/request.h"

/* Asks all CPUs that run d and have not flushed since, and waits for them. */
static __attribute__((noinline)) void flush_elsewhere(const struct domain *d, uint64_t stamp)
{
    uint32_t number[MAX_VCPUS];
    struct cpu *asked[MAX_VCPUS];
    unsigned i, nr = 0;
    struct vcpu *v;

    for_each_vcpu(d, v, i) {
        struct cpu *c = READ_ONCE(v->on_cpu);

        if (c == NULL || READ_ONCE(v->flushed) > stamp)
            continue;
        if (c == this_cpu()) {
            arch_flush_all();
            continue;
        }
        asked[nr] = c;
        number[nr++] = request_flush(c);
    }
    while (nr-- > 0)
        wait_for_flush(asked[nr], number[nr]);
}

void flush_since(struct domain *d, uint64_t stamp)
{
    struct vcpu *v = current;

    ASSERT(is_locked(&d->mm_lock));
    if (stamp == d->epoch)
        locked_add(&d->epoch, 1);
    if (likely(v->domain == d)) {
        if (v->flushed <= stamp)
            arch_flush_all();
        if (likely(d->nr_vcpus == 1))
            return;
    }
    flush_elsewhere(d, stamp);
}

void flush_foreign(const struct domain *d, uint64_t stamp)
{
    smp_mb();                   /* as in flush_others() */
    flush_elsewhere(d, stamp);
}

void flush_others(const struct domain *d)
{
    uint32_t number[MAX_VCPUS];
    struct cpu *asked[MAX_VCPUS];
    unsigned i, nr = 0;
    struct vcpu *v;

    smp_mb();                   /* the tables were changed before on_cpu is read */
    for_each_vcpu(d, v, i) {
        struct cpu *c = READ_ONCE(v->on_cpu);

        if (c == NULL || c == this_cpu())
            continue;
        asked[nr] = c;
        number[nr++] = request_flush(c);
    }
    while (nr-- > 0)
        wait_for_flush(asked[nr], number[nr]);
}

void flush_vcpu(struct vcpu *v)
{
    struct cpu *c;

    smp_mb();
    c = READ_ONCE(v->on_cpu);
    if (c == this_cpu())
        arch_flush_all();
    else if (c != NULL)
        wait_for_flush(c, request_flush(c));
}
