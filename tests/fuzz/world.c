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

#define PATIENCE 200u           /* changes of the CPU until none is inside */

static bool half_done(void)
{
    return world.inside != 0 || count_frames(TYPE_VALIDATING, 0) != 0;
}

static void audit_now(void)
{
    audit();
    world.result.audits++;
    world.result.linear += count_frames(0, LINEAR_ENTRIES);
}

void audit_now_and_then(void)
{
    if (!one_in(12))
        return;
    if (world.nr_cpus > 1)
        world.stop = true;
    else if (!half_done())
        audit_now();
}

void audit_if_wanted(void)
{
    for (unsigned i = 0; world.stop && world.inside != 0 && i < PATIENCE; i++)
        host_guest_waits();
    if (!world.stop)
        return;
    world.stop = false;
    host_held = true;
    if (!half_done() && !host.reaps)
        audit_now();
    host_held = false;
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
    d = guest_make(id, world.nr_cpus == 1 ? vcpus[id % 2] : 1 + (unsigned)below(4));
    if (d == NULL)
        return;
    for (unsigned i = 1; i < d->nr_vcpus && (world.nr_cpus > 1 || one_in(2)); i++) {
        spin_lock(&d->mm_lock);
        spin_lock(&d->life_lock);
        if (d->state == DOM_RUNNING &&
            new_guest_root(d->vcpu[i], d->vcpu[0]->root_kernel >> PAGE_SHIFT) == 0) {
            d->vcpu[i]->initialised = true;
            vcpu_start(d->vcpu[i]);
        }
        spin_unlock(&d->life_lock);
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

/* With several CPUs they are made while no other domain exists, as domains are made at boot. */
static void make_domains(void)
{
    world.inside++;
    if (world.nr_cpus == 1 ? running_domains() < 2 : domain_count() == 0)
        for (unsigned n = world.nr_cpus == 1 ? 1 : 2; n > 0; n--)
            if (nr_free_frames() > GUEST_FRAMES + 100)
                make_domain();
    world.inside--;
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
    if (nr_free_frames() == want && domain_count() == 0)
        return;
    fprintf(stderr, "fuzz: %lu frames were free before, %lu after the last domain; "
            "%u domains are left\n", want, nr_free_frames(), domain_count());
    abort();
}

static int some_key(void)
{
    return one_in(3) ? (int)below(256) : -1;
}

/* CPUs change after so many steps on average. */
static void begin_cpus(unsigned nr)
{
    static const unsigned quanta[] = { 3, 20, 100, 500, 2000, 10000 };
    uint64_t seed = any();

    world.nr_cpus = nr;
    if (nr == 1)
        return;
    if (accesses_begin == NULL) {
        fprintf(stderr, "fuzz: this program has one CPU only\n");
        exit(1);
    }
    host_cpus_schedule(nr, seed, quanta[below(ARRAY_SIZE(quanta))]);
    accesses_begin(seed, one_in(2));
}

static void end_cpus(void)
{
    if (world.nr_cpus == 1)
        return;
    accesses_end();
    host_cpus_end();
}

struct fuzz_result fuzz_world(struct fuzz_source *s, uint64_t max_hypercalls, unsigned nr)
{
    uint64_t free_at_start;

    choose_from(s);
    world = (struct world){ .hypercalls_left = max_hypercalls };
    grants_start();
    host_start(LOW_BASE, 13, any());
    host.program = random_guest;
    begin_cpus(nr);
    free_at_start = nr_free_frames();
    host.hostile_memory = one_in(2);
    host.getc = one_in(2) ? some_key : NULL;
    /* With several CPUs little: else one waits for a lock for seconds of the clock. */
    host.tsc_step = one_in(2) ? 7 : 1 + below(nr == 1 ? 30000 : 30);
    follow_begin();
    while (!world.over) {
        make_domains();
        if (running_domains() == 0 && (nr == 1 || domain_count() == 0))
            break;
        if (one_in(8))
            host_leave_free(below(24));
        host.window_ticks = one_in(2) ? below(nr == 1 ? 30000000 : 30000) : 0;
        (void)host_run(3000000);
        host_free_taken();
        prod();
    }
    host.hostile_memory = false;
    guests_end();
    follow_finish();
    check_all_free(free_at_start);
    end_cpus();
    host_stop();
    return world.result;
}
