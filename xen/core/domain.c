/* The life of a domain, in this order:
 *
 *   BUILDING  domain_create; the builder fills it; domain_start
 *   RUNNING   its vCPUs run
 *   SHUTDOWN  it called SCHEDOP_shutdown, or crashed. Every vCPU that has started continues to its
 *             next exit to the guest, where domain_exit_work parks it; so the hypervisor completes
 *             what it was doing for the vCPU
 *   DYING     all vCPUs are parked; domain_reap, on the idle vCPU, releases what the domain held.
 *             The state lasts as long as other domains map frames of this one by grant
 *   DEAD      out of the table; its memory is freed
 *
 * Building is boot/build.c's, scheduling sched.c's. State that pv/ and other rooms keep for a
 * domain is created and released by the functions that they registered (struct domain_part);
 * xen/hooks.c lists them in order. Called by boot/, by every file that ends a guest (domain_crash),
 * and by the idle vCPU. */
#include <stdarg.h>

#include "arch/arch.h"
#include "common/printf.h"
#include "common/string.h"
#include "xen/core/alloc.h"
#include "xen/core/bug.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/log.h"
#include "xen/core/request.h"
#include "xen/core/sched.h"
#include "xen/core/sched_cap.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/trace.h"
#include "xen/core/trace_control.h"

#define DOMAIN_ORDER 0u
_Static_assert(sizeof(struct domain) <= PAGE_SIZE << DOMAIN_ORDER, "one allocation");

static const struct domain_part *parts;
static unsigned nr_parts;
#define for_each_part(p) for (const struct domain_part *p = parts; p < parts + nr_parts; p++)

void domain_register_parts(const struct domain_part *registered, unsigned nr)
{
    parts = registered;
    nr_parts = nr;
}

static void domain_free(struct domain *d)
{
    struct vcpu *v;
    unsigned i;

    for_each_part(p)
        if (p->free != NULL)
            p->free(d);
    for_each_vcpu(d, v, i)
        if (v)
            arch_vcpu_free(v);
    arch_domain_free(d);
    free_pages(d, DOMAIN_ORDER);
}

static struct vcpu *vcpu_create(struct domain *d, unsigned id)
{
    struct vcpu *v = arch_vcpu_alloc();

    if (v == NULL)
        return NULL;
    v->domain = d;
    v->id = id;
    v->cpu = cpus[0];
    v->kernel_mode = true;
    v->info = &d->shared->vcpu_info[id];
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = now_ns();
    d->vcpu[id] = v;
    if (arch_vcpu_init(v) != 0)
        return NULL;
    sched_add(v);
    return v;
}

static int init_parts(struct domain *d)
{
    int rc = 0;

    for_each_part(p)
        if (rc == 0 && p->init != NULL)
            rc = p->init(d);
    return rc;
}

struct domain *domain_create(domid_t id, const char *name, unsigned nr_vcpus, uint64_t max_frames,
                             unsigned weight)
{
    struct domain *d = alloc_pages(DOMAIN_ORDER);

    if (d == NULL || nr_vcpus == 0 || nr_vcpus > MAX_VCPUS) {
        free_pages(d, DOMAIN_ORDER);
        return NULL;
    }
    d->id = id;
    d->serves = id == STORE_DOMID;
    d->mfn = (uint32_t)virt_to_mfn(d);
    snprintf(d->name, sizeof(d->name), "%s", name);
    d->state = DOM_BUILDING;
    d->epoch = 1;
    spin_lock_init(&d->mm_lock, LOCK_MM, id);
    spin_lock_init(&d->ring_lock, LOCK_RING, id);
    spin_lock_init(&d->linear_lock, LOCK_LINEAR, id);
    spin_lock_init(&d->life_lock, LOCK_LIFE, id);
    spin_lock_init(&d->line_lock, LOCK_LINE, id);
    memset(&d->cpus, 0xff, sizeof(d->cpus));
    memset(&d->cpus_soft, 0xff, sizeof(d->cpus_soft));
    d->max_frames = max_frames;
    d->weight = weight;
    d->max_port = EVTCHN_FIFO_NR_CHANNELS - 1;
    d->nr_vcpus = nr_vcpus;
    if (arch_domain_init(d) != 0 || init_parts(d) != 0)
        goto fail;
    for (unsigned i = 0; i < nr_vcpus; i++)
        if (vcpu_create(d, i) == NULL)
            goto fail;
    time_init_domain(d);
    domain_publish(d);
    return d;

fail:
    domain_free(d);
    return NULL;
}

void domain_crash(struct domain *d, const char *why, ...)
{
    char text[sizeof(d->crash_reason)];
    va_list ap;

    va_start(ap, why);
    vsnprintf(text, sizeof(text), why, ap);
    va_end(ap);
    spin_lock(&d->life_lock);
    if (d->crash_reason[0] == '\0')
        memcpy(d->crash_reason, text, sizeof(text));
    spin_unlock(&d->life_lock);
    domain_shutdown(d, SHUTDOWN_crash);
}

/* vCPUs that never started need not be parked. The others are woken, wherever they sleep, to reach
 * their exit. */
void domain_shutdown(struct domain *d, int reason)
{
    struct vcpu *v;
    unsigned i, inside;

    spin_lock(&d->life_lock);
    if (d->state != DOM_RUNNING && d->state != DOM_BUILDING) {
        spin_unlock(&d->life_lock);
        return;
    }
    d->shutdown_code = reason;
    WRITE_ONCE(d->state, DOM_SHUTDOWN);
    for_each_vcpu(d, v, i) {
        if (v == NULL || !v->started)
            continue;
        ask_work(v, WORK_DOMAIN);
        WRITE_ONCE(v->up, true);
        smp_mb();                       /* before vcpu_wake() looks at blocked */
        if (v != current) {
            vcpu_wake(v);
            vcpu_kick(v);
        }
    }
    inside = d->vcpus_inside;
    spin_unlock(&d->life_lock);
    if (inside == 0)
        sched_wake_idle();
}

void vcpu_start(struct vcpu *v)
{
    if (!v->started) {
        v->started = true;
        v->domain->vcpus_inside++;
    }
    WRITE_ONCE(v->up, true);
    smp_mb();                           /* before vcpu_wake() looks at blocked */
}

void domain_start(struct domain *d)
{
    struct vcpu *v = d->vcpu[0];
    bool starts;

    spin_lock(&d->life_lock);
    starts = d->state == DOM_BUILDING;  /* else it was ended while it was built */
    if (starts) {
        WRITE_ONCE(d->state, DOM_RUNNING);
        v->initialised = true;
        vcpu_start(v);
    }
    spin_unlock(&d->life_lock);
    if (!starts)
        return;
    if (tracing(TRACE_ALL))
        trace_domain_event(d, TRACE_DOMAIN_BUILT);
    cap_begin(d);
    vcpu_wake(v);
}

void domain_exit_work(void)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    unsigned left;

    done_work(v, WORK_DOMAIN);
    if (READ_ONCE(d->state) == DOM_RUNNING)
        return;
    if (d->shutdown_code == SHUTDOWN_crash && !xchg(&d->dumped, true)) {
        for_each_part(p)
            if (p->crashed != NULL)
                p->crashed(v);
    }
    v->parked = true;
    vcpu_pause(v);
    spin_lock(&d->life_lock);
    left = --d->vcpus_inside;
    spin_unlock(&d->life_lock);
    if (left == 0)
        sched_wake_idle();
    schedule();
    panic("d%uv%u ran after its domain ended", d->id, v->id);
}

static const char *const shutdown_names[] = {
    [SHUTDOWN_poweroff] = "power off",
    [SHUTDOWN_reboot] = "reboot",
    [SHUTDOWN_suspend] = "suspend",
    [SHUTDOWN_crash] = "crash",
    [SHUTDOWN_watchdog] = "watchdog",
    [SHUTDOWN_soft_reset] = "soft reset",
};

/* Releases everything that holds references. The parts' functions have preemption points, at which
 * other domains run, as they do on other CPUs: they can no longer start to use this domain, as none
 * finds it in the table (domain_by_id), but only end uses that exist (unmap a grant, close a
 * port). */
static void relinquish(struct domain *d)
{
    struct vcpu *v;
    unsigned i;

    /* The last to park may still be on its stack. */
    for_each_vcpu(d, v, i)
        while (v != NULL && unlikely(load_acquire(&v->on_cpu) != NULL)) {
            serve_flush_requests();
            cpu_relax();
        }
    WRITE_ONCE(d->state, DOM_DYING);
    grace_period();                 /* a CPU that had found it before has gone on */
    cap_end(d);
    if (tracing(TRACE_ALL))
        trace_domain_event(d, d->shutdown_code == SHUTDOWN_crash ? TRACE_DOMAIN_CRASHED
                                                                 : TRACE_DOMAIN_ENDED);
    if (d->vcpu[0]->started)        /* else building failed, and the builder has logged it */
        log_info("Domain %u (%s) ended: %s", d->id, d->name,
                 (unsigned)d->shutdown_code < ARRAY_SIZE(shutdown_names) ?
                     shutdown_names[d->shutdown_code] : "unknown");
    for_each_vcpu(d, v, i) {
        timer_end(&v->singleshot);
        timer_end(&v->periodic);
        timer_end(&v->poll);
    }
    for_each_part(p)
        if (p->relinquish != NULL)
            p->relinquish(d);
    if (d->nr_frames != 0)
        log_debug("Domain %u: %lu frames are still mapped by others", d->id, d->nr_frames);
    trace_domain(d, 0);
}

static bool may_end(struct domain *d)
{
    for_each_part(p)
        if (p->may_end != NULL && !p->may_end(d))
            return false;
    return true;
}

/* The only place that takes domains out of the table. */
static void reap_domains(void)
{
    struct domain *d;

    for_each_domain(d) {
        if (d->state == DOM_SHUTDOWN && d->vcpus_inside == 0 && may_end(d))
            relinquish(d);
        if (d->state != DOM_DYING || d->nr_frames != 0)
            continue;
        domain_unpublish(d);
        WRITE_ONCE(d->state, DOM_DEAD);
        grace_period();         /* a CPU that had found it in the table has gone on */
        domain_free(d);
    }
}

/* Runs on the idle vCPU, which needs no guest's page tables; blocks it again at the end. */
void domain_reap(void)
{
    struct cpu *cpu = this_cpu();

    if (cpu != cpus[0])
        return;
    do {
        if (xchg(&cpu->idle_has_work, false))
            reap_domains();
    } while (!sched_idle_done());
}
