/* Owns the life of a domain, in this order:
 *
 *   BUILDING  domain_create; the builder fills it; domain_start
 *   RUNNING   its vCPUs run
 *   SHUTDOWN  it asked to end, or crashed: every vCPU that ever started runs on to its next exit to the guest, where
 *             domain_exit_work parks it, so that no work of the hypervisor is cut off half way
 *   DYING     all are parked: domain_reap, on the idle vCPU, takes back what it held
 *   DEAD      nothing is left but frames that another domain still maps by grant; freed when those go
 *
 * Building is build.c's, the scheduler's part sched.c's. */
#include <stdarg.h>

#include "common/printf.h"
#include "common/string.h"
#include "xen/core/console.h"
#include "xen/cpu/desc.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/grant.h"
#include "xen/pv/hypercalls.h"
#include "xen/core/log.h"
#include "xen/pv/memory.h"
#include "xen/pv/mm.h"
#include "xen/pv/store.h"
#include "xen/core/time.h"
#include "xen/core/trace.h"

struct list_head domain_list = LIST_HEAD_INIT(domain_list);
/* No frame is its own. */
struct domain idle_domain = { .id = DOMID_IDLE, .name = "idle", .state = DOM_RUNNING, .mfn = ~0u };

#define DOMAIN_ORDER 0u
_Static_assert(sizeof(struct domain) <= PAGE_SIZE << DOMAIN_ORDER, "one allocation");

#define WORK_PER_VCPU 5000u             /* to take back what one holds, but for its page tables */

static void domain_free(struct domain *d)
{
    struct vcpu *v;
    unsigned i;

    for_each_vcpu(d, v, i)
        if (v)
            arch_vcpu_free(v);
    grant_destroy(d);
    free_shared_page(d->shared);
    memory_map_free(d);
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
    v->cpu = &boot_cpu;
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

struct domain *domain_create(domid_t id, const char *name, unsigned nr_vcpus, uint64_t max_frames, unsigned weight)
{
    struct domain *d = alloc_pages(DOMAIN_ORDER);

    if (d == NULL || nr_vcpus == 0 || nr_vcpus > MAX_VCPUS) {
        free_pages(d, DOMAIN_ORDER);
        return NULL;
    }
    d->id = id;
    d->mfn = (uint32_t)virt_to_mfn(d);
    snprintf(d->name, sizeof(d->name), "%s", name);
    d->state = DOM_BUILDING;
    d->max_frames = max_frames;
    d->weight = weight;
    d->max_port = EVTCHN_FIFO_NR_CHANNELS - 1;
    d->nr_vcpus = nr_vcpus;
    d->shared = alloc_shared_page(d);
    if (d->shared == NULL || arch_domain_init(d) != 0 || evtchn_init(d) != 0)
        goto fail;
    d->shared_mfn = virt_to_mfn(d->shared);
    for (unsigned i = 0; i < MAX_VCPUS; i++)
        d->shared->vcpu_info[i].evtchn_upcall_mask = 1;
    for (unsigned i = 0; i < nr_vcpus; i++)
        if (vcpu_create(d, i) == NULL)
            goto fail;
    if (grant_init(d) != 0)
        goto fail;
    time_init_domain(d);
    list_add_tail(&d->list, &domain_list);
    return d;

fail:
    evtchn_destroy(d);
    domain_free(d);
    return NULL;
}

struct domain *domain_by_id(domid_t id)
{
    struct domain *d;

    for_each_domain(d)
        if (d->id == id)
            return d->state < DOM_DYING ? d : NULL;
    return NULL;
}

bool domain_exists(domid_t id)
{
    return id == 0 || domain_by_id(id) != NULL;
}

struct domain *domain_lookup(domid_t id)
{
    return id == DOMID_SELF || id == current->domain->id ? current->domain : domain_by_id(id);
}

unsigned domain_count(void)
{
    struct domain *d;
    unsigned n = 0;

    for_each_domain(d)
        n++;
    return n;
}

void domain_crash(struct domain *d, const char *why, ...)
{
    va_list ap;

    if (d->crash_reason[0] == '\0') {
        va_start(ap, why);
        vsnprintf(d->crash_reason, sizeof(d->crash_reason), why, ap);
        va_end(ap);
    }
    domain_shutdown(d, SHUTDOWN_crash);
}

/* vCPUs that never started have nothing to finish. The others are woken, wherever they sleep, to reach their exit. */
void domain_shutdown(struct domain *d, int reason)
{
    struct vcpu *v;
    unsigned i;

    if (d->state != DOM_RUNNING && d->state != DOM_BUILDING)
        return;
    d->state = DOM_SHUTDOWN;
    d->shutdown_code = reason;
    for_each_vcpu(d, v, i) {
        if (v == NULL || !v->started)
            continue;
        v->work |= WORK_DOMAIN;
        v->up = true;
        if (v != current)
            vcpu_wake(v);
    }
    if (d->vcpus_inside == 0)
        sched_wake_idle();
}

void domain_start(struct domain *d)
{
    struct vcpu *v = d->vcpu[0];

    if (d->state != DOM_BUILDING)
        return;                 /* it was ended meanwhile */
    if (tracing(TRACE_ALL))
        trace_domain_event(d, TRACE_DOMAIN_BUILT);
    d->state = DOM_RUNNING;
    v->initialised = v->up = true;
    vcpu_wake(v);
}

void domain_exit_work(void)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;

    v->work &= ~WORK_DOMAIN;
    if (d->state == DOM_RUNNING)
        return;
    if (d->shutdown_code == SHUTDOWN_crash && !d->dumped) {
        d->dumped = true;
        domain_dump(v);
    }
    v->parked = true;
    if (--d->vcpus_inside == 0)
        sched_wake_idle();
    vcpu_pause(v);
    schedule();
    panic("d%uv%u ran after its domain ended", d->id, v->id);
}

static const char *const shutdown_names[] = {
    [SHUTDOWN_poweroff] = "power off",   [SHUTDOWN_reboot] = "reboot",       [SHUTDOWN_suspend] = "suspend",
    [SHUTDOWN_crash] = "crash",          [SHUTDOWN_watchdog] = "watchdog",   [SHUTDOWN_soft_reset] = "soft reset",
};

/* Everything that holds references, in an order that leaves each step's helpers intact: timers, event channels (their ends
 * in other domains), descriptors and roots of each vCPU, the frames, and the pins of grants that it had mapped: whoever
 * granted learns that nobody uses his frames only when that is so. Each step lets others run in between, who can do no more
 * with the domain than to take back what they share with it. */
static void relinquish(struct domain *d)
{
    struct vcpu *v;
    unsigned i;

    d->state = DOM_DYING;
    if (tracing(TRACE_ALL))
        trace_domain_event(d, d->shutdown_code == SHUTDOWN_crash ? TRACE_DOMAIN_CRASHED : TRACE_DOMAIN_ENDED);
    if (d->vcpu[0]->started)        /* else it could not be built, and that was said */
        log_info("Domain %u (%s) ended: %s", d->id, d->name,
                 (unsigned)d->shutdown_code < ARRAY_SIZE(shutdown_names) ? shutdown_names[d->shutdown_code] : "unknown");
    domain_cancel_watchdogs(d);
    for_each_vcpu(d, v, i) {
        timer_cancel(&v->singleshot);
        timer_cancel(&v->periodic);
        timer_cancel(&v->poll);
    }
    evtchn_destroy(d);
    spin_lock(&d->mm_lock);
    for_each_vcpu(d, v, i) {
        drop_ldt(v);
        destroy_gdt(v);
        drop_roots(v);
        vcpu_release_info(v);
        mm_preempt_after(d, WORK_PER_VCPU);
    }
    spin_unlock(&d->mm_lock);
    console_detach(d);
    domain_release_frames(d);
    grant_destroy_mappings(d);
    if (d->nr_frames != 0)
        log_debug("Domain %u: %lu frames are still mapped by others", d->id, d->nr_frames);
    store_domain_ended(d);
    trace_domain(d, 0);
#ifdef DEBUG
    frame_audit();
#endif
}

/* Only here do domains leave the list, so that others may run during a walk along it. */
static void reap_domains(void)
{
    struct domain *d, *next;

    for (d = list_entry(domain_list.next, struct domain, list); &d->list != &domain_list; d = next) {
        next = list_entry(d->list.next, struct domain, list);
        if (d->state == DOM_SHUTDOWN && d->vcpus_inside == 0 && console_finished(d))
            relinquish(d);
        if (d->state != DOM_DYING || d->nr_frames != 0)
            continue;
        list_del(&d->list);
        d->state = DOM_DEAD;
        domain_free(d);
    }
}

/* Runs on the idle vCPU, which no guest's memory is needed for; afterwards that is blocked again. */
void domain_reap(void)
{
    struct cpu *cpu = current->cpu;

    while (cpu->idle_has_work) {
        cpu->idle_has_work = false;
        reap_domains();
    }
    cpu->idle->blocked = true;
}
