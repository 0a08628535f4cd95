/* A world: a machine with two domains of up to two vCPUs, whose "kernels" make random choices
 * (guest.c): any hypercall with any arguments over any memory, stores to their pages through
 * whatever the TLB still maps, traps at instructions of all kinds, time that passes. What must
 * hold: no BUG, no panic, nothing that the sanitizers find; all references and types are
 * recounted; no translation is stale; and once both have ended, every frame is free. Called by
 * main.c and libfuzzer.c. */
#include <stdio.h>
#include <stdlib.h>
#include "arch/arch.h"
#include "support.h"
#include "tests/fuzz/choice.h"
#include "tests/fuzz/follow.h"
#include "tests/fuzz/grants.h"
#include "tests/fuzz/guest.h"
#include "tests/fuzz/scan.h"
#include "tests/fuzz/world.h"
#include "xen/core/alloc.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/core/sched_wake.h"
#include "xen/pv/mmuext.h"

struct world world;

static bool half_done(void)
{
    return world.inside != 0 || count_frames(TYPE_VALIDATING, 0) != 0;
}

void audit_now_and_then(void)
{
    if (!one_in(12) || half_done())
        return;
    audit();
    world.result.audits++;
    world.result.linear += count_frames(0, LINEAR_ENTRIES);
}

static void make_domain(void)
{
    static const unsigned vcpus[2] = { 2, 1 };
    struct domain *d;
    domid_t id = 1;

    while (id < 6) {
        bool used = false;

        for_each_domain(d)
            used |= d->id == id;
        if (!used)
            break;
        id++;
    }
    d = guest_make(id, vcpus[id % 2]);
    if (d == NULL)
        return;
    for (unsigned i = 0; i < d->nr_vcpus; i++)
        host_vcpu(d->vcpu[i])->program = random_guest;
    for (unsigned i = 1; i < d->nr_vcpus && one_in(2); i++) {
        spin_lock(&d->mm_lock);
        if (new_guest_root(d->vcpu[i], d->vcpu[0]->root_kernel >> PAGE_SHIFT) == 0) {
            d->vcpu[i]->initialised = true;
            vcpu_start(d->vcpu[i]);
        }
        spin_unlock(&d->mm_lock);
        vcpu_wake(d->vcpu[i]);
    }
    follow_domain(d);
    world.result.domains++;
}

static unsigned running_domains(void)
{
    struct domain *d;
    unsigned n = 0;

    for_each_domain(d)
        n += d->state == DOM_RUNNING;
    return n;
}

/* A vCPU that waits for an event that will not come is woken. */
static void prod(void)
{
    struct domain *d;
    struct vcpu *v;
    unsigned i;

    for_each_domain(d)
        for_each_vcpu(d, v, i)
            if (d->state == DOM_RUNNING && v->started)
                vcpu_wake(v);
}

static void check_all_free(uint64_t want)
{
    if (nr_free_frames() == want && list_empty(&domain_list))
        return;
    fprintf(stderr, "fuzz: %lu frames were free before, %lu after the last domain; "
            "%u domains are left\n", want, nr_free_frames(), domain_count());
    abort();
}

static int some_key(void)
{
    return one_in(3) ? (int)below(256) : -1;
}

struct fuzz_result fuzz_world(struct fuzz_source *s, uint64_t max_hypercalls)
{
    uint64_t free_at_start;

    choose_from(s);
    world = (struct world){ .hypercalls_left = max_hypercalls };
    grants_start();
    host_start(LOW_BASE, 13, any());
    free_at_start = nr_free_frames();
    host.hostile_memory = one_in(2);
    host.getc = one_in(2) ? some_key : NULL;
    host.tsc_step = one_in(2) ? 7 : 1 + below(30000);
    follow_begin();
    while (!world.over) {
        if (running_domains() < 2 && nr_free_frames() > GUEST_FRAMES + 100)
            make_domain();
        if (running_domains() == 0)
            break;
        if (one_in(8))
            host_leave_free(below(24));
        host.window_ticks = one_in(2) ? below(30000000) : 0;
        (void)host_run(3000000);
        host_free_taken();
        prod();
    }
    host.hostile_memory = false;
    guests_end();
    follow_finish();
    check_all_free(free_at_start);
    host_stop();
    return world.result;
}
