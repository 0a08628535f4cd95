/* The making of the world: a machine, a domain built by the real builder, and no free memory but the frames of the
 * model, which the domain then asks for. Neighbours of those are in use for good, so that the allocator never merges. */
#include <stdlib.h>
#include <string.h>
#include "arch/arch.h"
#include "model.h"
#include "support.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/sched.h"
#include "xen/core/walk.h"
#include "xen/pv/hypercalls.h"

const struct scope *scope;
struct domain *model_domain;
mfn_t model_mfn[MAX_FRAMES];
struct place places[MAX_PLACES];
unsigned nr_places;
struct renaming renamings[64];
unsigned nr_renamings;
uint32_t ring_first, ring_last;

static uint64_t free_at_start;
static mfn_t held[2 * MAX_FRAMES];      /* the model's frames and their neighbours */

#define MUST(cond) HOST_CHECK(cond, "%s:%d: the world cannot be made", __FILE__, __LINE__)

int frame_index(mfn_t mfn)
{
    for (unsigned i = 0; i < scope->nr_frames; i++)
        if (model_mfn[i] == mfn)
            return (int)i;
    return -1;
}

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
    *p = (struct place){ .level = level, .slot = slot, .va = va, .table = mfn_to_frame(mfn),
                         .maddr = (mfn << PAGE_SHIFT) + 8ul * table_index(va, level) };
}

static void places_make(void)
{
    static const uint64_t first[4] = { FREE_PFN_VA, GUEST_BASE + (100ul << 21), 0xffffff8000000000 + (100ul << 30),
                                       0xffff000000000000 + (300ul << 39) };

    nr_places = 0;
    for (unsigned level = 1; level <= 4; level++)
        for (unsigned i = 0; i < scope->places[level - 1]; i++)
            add_place(level, first[level - 1] + ((uint64_t)i << (PAGE_SHIFT + 9 * (level - 1))));
}

static void frames_make(void)
{
    unsigned n = scope->nr_frames;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    ring_first = model_domain->frames;
    ring_last = mfn_to_frame(ring_first)->prev;
    for (unsigned i = 0; i < 2 * n; i++)
        held[i] = alloc_frames(0);
    host_take_all_but(0);
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < 2 * n; j++)
            if (held[j] != 0 && !(held[j] & 1) && frame_index(held[j]) < 0) {
                model_mfn[i] = held[j];
                break;
            }
    for (unsigned i = 0; i < n; i++) {
        MUST(model_mfn[i] != 0);
        for (unsigned j = 0; j < 2 * n; j++)
            if (held[j] == model_mfn[i])
                held[j] = 0;
        memset(mfn_to_virt(model_mfn[i]), 0, PAGE_SIZE);
        free_frames(model_mfn[i], 0, true);
    }
    model_domain->max_frames = model_domain->nr_frames + n;
    guest_put(SCRATCH, &r, sizeof(r));
    for (unsigned i = 0; i < n; i++)
        MUST(do_memory_op(XENMEM_increase_reservation, SCRATCH) == 1);
    MUST(nr_free_frames() == 0);
}

/* All orders of the frames, times all of the places in L1s, of which there are two at most. */
static void renamings_make(void)
{
    unsigned n = scope->nr_frames, codes = 1, swaps = scope->places[0] == 2 ? 2 : 1;

    nr_renamings = 0;
    for (unsigned i = 0; i < n; i++)
        codes *= n;
    for (unsigned code = 0; code < codes; code++) {
        struct renaming r = { .frame = { 0, 1, 2, 3 } };
        unsigned seen = 0;

        for (unsigned i = 0, c = code; i < n; i++, c /= n) {
            r.frame[i] = (uint8_t)((i + c) % n);
            seen |= 1u << r.frame[i];
        }
        if (seen != (1u << n) - 1)
            continue;
        for (unsigned s = 0; s < swaps; s++) {
            for (unsigned i = 0; i < MAX_PLACES; i++)
                r.place[i] = (uint8_t)(s == 1 && i < 2 ? 1 - i : i);
            for (unsigned i = 0; i < MAX_FRAMES; i++)
                r.frame_at[r.frame[i]] = (uint8_t)i;
            for (unsigned i = 0; i < MAX_PLACES; i++)
                r.place_at[r.place[i]] = (uint8_t)i;
            renamings[nr_renamings++] = r;
        }
    }
}

void world_make(const struct scope *s)
{
    scope = s;
    memset(model_mfn, 0, sizeof(model_mfn));
    host_start(LOW_BASE, 16, 12345);
    work_budget = 1u << 30;         /* no call is preempted */
    boot_cpu.work_left = INT64_MAX / 2;
    free_at_start = nr_free_frames();
    linear_tables = false;
    model_domain = guest_make(1, 1);
    MUST(model_domain != NULL);
    host_become(model_domain->vcpu[0]);
    places_make();
    frames_make();
    renamings_make();
}

void end_domain_and_count(void)
{
    guest_end(model_domain);
    for (unsigned i = 0; i < scope->nr_frames; i++) {
        const struct frame *f = mfn_to_frame(model_mfn[i]);

        if (f->owner == 0 && (f->count & FRAME_COUNT_MASK) != 0)
            free_page(mfn_to_virt(model_mfn[i]));   /* it was the hypervisor's */
    }
    for (unsigned i = 0; i < 2 * scope->nr_frames; i++)
        if (held[i] != 0)
            free_frames(held[i], 0, true);
    host_give_back();
    HOST_CHECK(nr_free_frames() == free_at_start, "%lu frames free at the start, %lu after the domain's end", free_at_start,
               nr_free_frames());
}

void world_end(void)
{
    end_domain_and_count();
    host_stop();
}
