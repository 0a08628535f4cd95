/* Makes the world: a machine, domains built by the real builder, and no free memory but the
 * frames of the model, which the domains then ask for. The neighbours of these are never freed,
 * so that the allocator never merges blocks. And ends it. */
#include <stdlib.h>
#include <string.h>
#include "model.h"
#include "support.h"
#include "xen/core/domain_list.h"
#include "xen/core/sched.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/mmuext.h"

const struct scope *scope;
struct domain *domains[2];
unsigned nr_domains;
bool ended[2];
struct vcpu *actors[MAX_ACTORS];
unsigned nr_actors;
mfn_t model_mfn[MAX_FRAMES];
struct place places[MAX_PLACES];
unsigned nr_places, twins[2];
uint32_t ring_first[2], ring_last[2];
uint64_t other_frames[2];

static uint64_t free_at_start, put_away;
#define MAX_HELD (2 * MAX_FRAMES + 16)
static mfn_t held[MAX_HELD]; /* neighbours of the model's frames and of lent ones, and these */
static mfn_t lent[2];

int frame_index(mfn_t mfn)
{
    for (unsigned i = 0; i < scope->nr_frames; i++)
        if (model_mfn[i] == mfn)
            return (int)i;
    return -1;
}

unsigned domain_number(uint32_t mfn)
{
    return mfn == 0 ? 0 : mfn == domains[0]->mfn ? 1 : 2;
}

void switch_to(unsigned actor)
{
    struct vcpu *left = current;

    if (left == actors[actor])
        return;
    if (scope->two_cpus) {
        cpu_go_to(actor);
        return;
    }
    current = cpus[0]->running = actors[actor];
    left->on_cpu = NULL;
    current->on_cpu = cpus[0];
    host_load_root(current);
}

/* --- Places ----------------------------------------------------------------------------------- */

static void add_place(unsigned level, uint64_t va)
{
    struct place *p = &places[nr_places++];
    uint64_t *slot = NULL;
    mfn_t mfn = current->root_kernel >> PAGE_SHIFT;

    MUST(nr_places <= MAX_PLACES);
    for (unsigned l = 4; l >= level; l--) {
        if (slot != NULL) {
            MUST(*slot & PTE_P);
            mfn = PTE_MFN(*slot);
        }
        slot = (uint64_t *)mfn_to_virt(mfn) + table_index(va, l);
    }
    if (level == 1)
        MUST(do_update_va_mapping(va, 0, UVMF_INVLPG) == 0);
    MUST(*slot == 0);
    *p = (struct place){ .level = level,
                         .slot = slot,
                         .va = va,
                         .table = mfn_to_frame(mfn),
                         .domain = actor_now(),
                         .maddr = (mfn << PAGE_SHIFT) + 8ul * table_index(va, level) };
}

static void places_make(void)
{
    static const uint64_t first[4] = { FREE_PFN_VA, GUEST_BASE + (100ul << 21),
                                       0xffffff8000000000 + (100ul << 30),
                                       0xffff000000000000 + (300ul << 39) };

    nr_places = 0;
    for (unsigned level = 1; level <= 4; level++)
        for (unsigned i = 0; i < scope->places[level - 1]; i++)
            add_place(level, first[level - 1] + ((uint64_t)i << (PAGE_SHIFT + 9 * (level - 1))));
    twins[0] = twins[1] = 0;
    if (scope->places[0] == 2)
        twins[1] = 1;
    if (nr_domains == 1)
        return;
    switch_to(1);
    if (scope->second.places == 2) {
        MUST(twins[1] == 0);
        twins[0] = nr_places;
        twins[1] = nr_places + 1;
    }
    for (unsigned i = 0; i < scope->second.places; i++)
        add_place(1, first[0] + ((uint64_t)i << PAGE_SHIFT));
    switch_to(0);
}

/* --- Frames ----------------------------------------------------------------------------------- */

static void ask_for_frames(unsigned d, unsigned nr)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    ring_first[d] = domains[d]->frames;
    ring_last[d] = mfn_to_frame(ring_first[d])->prev;
    other_frames[d] = domains[d]->nr_frames;
    domains[d]->max_frames = domains[d]->nr_frames + scope->nr_frames;
    switch_to(nr_domains == 2 ? d : 0);
    guest_put(SCRATCH, &r, sizeof(r));
    for (unsigned i = 0; i < nr; i++)
        MUST(do_memory_op(XENMEM_increase_reservation, SCRATCH) == 1);
    switch_to(0);
}

/* Even frame numbers, whose neighbours are never freed; all in one zone of the allocator, so
 * that they are in one list. */
static mfn_t find_held(unsigned nr)
{
    for (unsigned j = 0; j < MAX_HELD; j++)
        if (held[j] != 0 && !(held[j] & 1) && frame_index(held[j]) < 0 && held[j] != lent[0] &&
            __builtin_clzll(held[j]) == __builtin_clzll(held[nr - 1]))
            return held[j];
    MUST(false);
    return 0;
}

void lend_pages(void)
{
    free_frames(lent[1], 0, false);
    free_frames(lent[0], 0, false);
}

void take_pages_back(void)
{
    mfn_t a = alloc_frames(0), b = alloc_frames(0);

    MUST((a == lent[0] && b == lent[1]) || (a == lent[1] && b == lent[0]));
}

static void frames_make(void)
{
    unsigned n = scope->nr_frames, nr_held = 2 * n + 16;

    memset(model_mfn, 0, sizeof(model_mfn));
    memset(held, 0, sizeof(held));
    for (unsigned i = 0; i < nr_held; i++)
        held[i] = alloc_frames(0);
    put_away = nr_free_frames();
    host_leave_free(0);
    for (unsigned i = 0; i < n; i++)
        model_mfn[i] = find_held(nr_held);
    lent[0] = lent[1] = 0;
    for (unsigned i = 0; i < 2 && nr_domains == 2; i++)
        lent[i] = find_held(nr_held);
    for (unsigned i = 0; i < n; i++) {
        for (unsigned j = 0; j < MAX_HELD; j++)
            if (held[j] == model_mfn[i])
                held[j] = 0;
        memset(mfn_to_virt(model_mfn[i]), 0, PAGE_SIZE);
        free_frames(model_mfn[i], 0, true);
    }
    ask_for_frames(0, n - scope->second.frames);
    if (nr_domains == 2)
        ask_for_frames(1, scope->second.frames);
    MUST(nr_free_frames() == 0);
}

/* --- All of it -------------------------------------------------------------------------------- */

static bool has_two_vcpus(unsigned d)
{
    return nr_domains == 1 ? scope->preempted || scope->two_cpus : scope->third_cpu && d == 1;
}

/* The second vCPU runs on the tables of the first. */
static void second_vcpu_make(struct domain *d)
{
    struct vcpu *v = d->vcpu[1];

    v->kernel_mode = true;
    MUST(new_guest_root(v, d->vcpu[0]->root_kernel >> PAGE_SHIFT) == 0);
    actors[nr_actors++] = v;
}

static void domains_make(void)
{
    nr_domains = nr_actors = scope->second.version != 0 ? 2 : 1;
    for (unsigned d = 0; d < nr_domains; d++) {
        domains[d] = guest_make((domid_t)(d + 1), has_two_vcpus(d) ? 2 : 1);
        MUST(domains[d] != NULL);
        actors[d] = domains[d]->vcpu[0];
        ended[d] = false;
    }
    if (nr_domains == 2)
        MUST(host_run(1000000000));     /* they sleep */
    host_become(actors[0]);
    for (unsigned d = 0; d < nr_domains; d++)
        if (has_two_vcpus(d))
            second_vcpu_make(domains[d]);
    if (scope->two_cpus)
        cpus_make();
}

void world_make(const struct scope *s)
{
    scope = s;
    host_start(LOW_BASE, 16, 12345);
    work_budget = 1u << 30;         /* no call is preempted */
    cpus[0]->work_left = INT64_MAX / 2;
    free_at_start = nr_free_frames();
    linear_tables = false;
    domains_make();
    places_make();
    arguments_find();
    if (nr_domains == 2)
        grants_make();
    frames_make();
    renamings_make();
}

/* Switches from the vCPU whose stack this is, according to the scheduler. */
static void become_idle(void)
{
    switch_to(ended[0] ? 1 : 0);
    cpus[0]->idle->blocked = true;
    host_become(cpus[0]->idle);
}

static bool is_gone(const struct domain *d)
{
    struct domain *other;

    for_each_domain(other)
        if (other == d)
            return false;
    return true;
}

bool end_domain(unsigned d)
{
    bool gone;

    become_idle();
    domain_shutdown(domains[d], SHUTDOWN_poweroff);
    (void)host_run(1000000000);
    gone = is_gone(domains[d]);
    ended[d] = true;
    other_frames[d] = 0;
    hide_free_frames();
    host_become(actors[1 - d]);
    /* so that reap_domain() is not run again when its last frame is freed */
    cpus[0]->idle->blocked = false;
    return gone;
}

bool reap_domain(unsigned d)
{
    show_hidden_frames();
    become_idle();
    cpus[0]->idle_has_work = true;
    (void)host_run(1000000000);
    hide_free_frames();
    host_become(actors[1 - d]);
    return is_gone(domains[d]);
}

void end_domains_and_count(void)
{
    if (scope->two_cpus)
        cpus_end();
    become_idle();
    if (ended[0] || ended[1])
        show_hidden_frames();
    guests_end();
    for (unsigned i = 0; i < scope->nr_frames; i++) {
        const struct frame *f = mfn_to_frame(model_mfn[i]);

        if (f->owner == 0 && nr_refs(f->word) != 0)
            free_page(mfn_to_virt(model_mfn[i]));   /* it was the hypervisor's */
    }
    for (unsigned i = 0; i < MAX_HELD; i++)
        if (held[i] != 0)
            free_frames(held[i], 0, true);
    HOST_CHECK(nr_free_frames() + put_away == free_at_start,
               "%lu frames free at the start, %lu after the end of the domains", free_at_start,
               nr_free_frames() + put_away);
}

void world_end(void)
{
    end_domains_and_count();
    host_stop();
}
