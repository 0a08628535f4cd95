/* Blocking, waking, pausing and stopping a vCPU, and waking the idle vCPU. Which CPU's queue one
 * that wakes joins is sched_place.c's. What a blocked vCPU waits for is known only to the code that
 * wakes it. Called by all code that makes a vCPU wait or ends its waiting: events, timers,
 * sched_op, vcpu_op, the life of a domain. */
#include "arch/arch.h"
#include "common/string.h"
#include "common/trace_format.h"
#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/request.h"
#include "xen/core/sched.h"
#include "xen/core/sched_place.h"
#include "xen/core/sched_queue.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"
#include "xen/core/trace.h"

/* No effect on a vCPU that is down (VCPUOP_down), nor on one that is parked because its domain has
 * ended. One that still runs, because it is about to sleep, only goes on. */
void vcpu_wake(struct vcpu *v)
{
    struct cpu *cpu;
    uint64_t now;

    if (!READ_ONCE(v->blocked) || is_offline(v))
        return;
    cpu = lock_queue_of(v);
    if (likely(v->blocked && !is_offline(v))) {
        now = now_ns();
        TRACE_OF(v->domain, TRACE_SCHED, TRC_SCHED_WAKE, v->domain->id, v->id);
        WRITE_ONCE(v->blocked, false);
        if (likely(cpu->running != v)) {
            runstate_change(v, RUNSTATE_runnable, now);
            if (likely(!v->throttled))
                join_best_queue(cpu, v, now);
        }
    }
    spin_unlock(&cpu->lock);
}

/* The idle vCPU's vruntime was not kept up to date while it was blocked. When it is the running
 * vCPU it need not be queued: it continues, not blocked. */
void sched_wake_idle(void)
{
    struct cpu *cpu = cpus[0];
    struct vcpu *idle = cpu->idle;

    spin_lock(&cpu->lock);
    WRITE_ONCE(cpu->idle_has_work, true);
    if (idle->blocked) {
        idle->blocked = false;
        idle->vruntime = cpu->min_vruntime;
        if (cpu->running != idle)
            join_queue(cpu, idle, now_ns());
        else
            idle->run_since = now_ns();
        if (cpu != this_cpu())
            request_cpu(cpu, REQUEST_RESCHED);
    }
    spin_unlock(&cpu->lock);
}

bool sched_idle_done(void)
{
    struct cpu *cpu = this_cpu();
    bool done;

    spin_lock(&cpu->lock);
    done = !cpu->idle_has_work;
    cpu->idle->blocked = done;
    spin_unlock(&cpu->lock);
    return done;
}

void vcpu_pause(struct vcpu *v)
{
    struct cpu *cpu = lock_queue_of(v);

    WRITE_ONCE(v->blocked, true);
    if (v->on_queue) {
        queue_remove(cpu, v);
        runstate_change(v, RUNSTATE_offline, now_ns());
    }
    spin_unlock(&cpu->lock);
}

void vcpu_stop(struct vcpu *v)
{
    struct cpu *cpu = lock_queue_of(v);

    if (v->blocked && !READ_ONCE(v->waits) && cpu->running != v)
        runstate_change(v, RUNSTATE_offline, now_ns());
    else
        ask_work(v, WORK_STOP);
    spin_unlock(&cpu->lock);
    vcpu_kick(v);
}

/* Another CPU changes the state under the lock only: so no time is counted in two states. */
void vcpu_get_runstate(const struct vcpu *v, struct vcpu_runstate_info *r)
{
    struct cpu *cpu = lock_queue_of(v);

    memcpy(r, &v->runstate, sizeof(*r));        /* with its padding, which is zero */
    r->time[r->state] += now_ns() - r->state_entry_time;
    spin_unlock(&cpu->lock);
}

/* blocked is set before the conditions are checked, so no wake-up is lost: one that comes after the
 * check finds blocked set and clears it; one that came before has left its condition, which the
 * check sees. The fence keeps the CPU from checking first. */
void vcpu_block(void)
{
    WRITE_ONCE(current->blocked, true);
    smp_mb();
    vcpu_block_woken();
}

void vcpu_block_woken(void)
{
    struct vcpu *v = current;

    if (upcall_due(v) || (v->work & WORK_DOMAIN) || ((v->work & WORK_NMI) && !v->nmi_blocked)) {
        WRITE_ONCE(v->blocked, false);
        return;
    }
    schedule();
}

void vcpu_wait(struct spinlock *l)
{
    struct vcpu *v = current;

    WRITE_ONCE(v->waits, true);
    WRITE_ONCE(v->blocked, true);
    spin_unlock(l);
    schedule();
    WRITE_ONCE(v->waits, false);
    spin_lock(l);
}
