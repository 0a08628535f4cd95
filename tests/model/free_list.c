/* The allocator's lists as a part of a state: frames of the model that are free, of order 0, in
 * one zone. After the end of a domain there is other free memory, too, which is hidden while the
 * other domain goes on. */
#include <string.h>
#include "model.h"
#include "xen/core/sched.h"

/* alloc.c's, made global for this program: see model.mk. */
#define NR_ZONES 33u
#define ZONE_WORDS 20u                  /* bit per order, head of each order's list */
extern uint32_t zones[NR_ZONES * ZONE_WORDS];
extern uint64_t zones_in_use, nr_free;

#define NIL (~0u)

static uint32_t hidden_zones[NR_ZONES * ZONE_WORDS];
static uint64_t hidden_in_use, hidden_free;

bool is_free(const struct frame *f)
{
    return f->owner == 0 && nr_refs(f->word) == 0;
}

static uint32_t *zone(void)
{
    return &zones[ZONE_WORDS * (64u - (unsigned)__builtin_clzll(model_mfn[0]))];
}

uint8_t free_list_save(void)
{
    return (uint8_t)(code_of(zone()[1]) << 4 | (zone()[0] & 1) | nr_free << 1);
}

void free_list_load(uint8_t b)
{
    zone()[1] = mfn_of(b >> 4);
    zone()[0] = b & 1;
    zones_in_use = b & 1 ? 1ull << (zone() - zones) / ZONE_WORDS : 0;
    nr_free = b >> 1 & 7;
}

static void unlink_frame(const struct frame *f)
{
    if (f->prev != NIL)
        mfn_to_frame(f->prev)->next = f->next;
    else
        zone()[1] = f->next;
    if (f->next != NIL)
        mfn_to_frame(f->next)->prev = f->prev;
    if (zone()[1] == NIL)
        zone()[0] &= ~1u;
    if (zone()[0] == 0)
        zones_in_use &= ~(1ull << (zone() - zones) / ZONE_WORDS);
    nr_free--;
}

static void unlink_ours(bool *ours)
{
    for (unsigned i = 0; i < scope->nr_frames; i++) {
        ours[i] = is_free(mfn_to_frame(model_mfn[i]));
        if (ours[i])
            unlink_frame(mfn_to_frame(model_mfn[i]));
    }
}

static void link_ours(const bool *ours)
{
    for (unsigned i = 0; i < scope->nr_frames; i++)
        if (ours[i])
            free_frames(model_mfn[i], 0, true);
}

void hide_free_frames(void)
{
    bool ours[MAX_FRAMES];

    unlink_ours(ours);
    memcpy(hidden_zones, zones, sizeof(hidden_zones));
    hidden_in_use = zones_in_use;
    hidden_free = nr_free;
    for (unsigned z = 0; z < NR_ZONES; z++) {
        memset(&zones[z * ZONE_WORDS], 0xff, ZONE_WORDS * sizeof(*zones));
        zones[z * ZONE_WORDS] = 0;
    }
    zones_in_use = nr_free = 0;
    link_ours(ours);
}

void show_hidden_frames(void)
{
    bool ours[MAX_FRAMES];

    unlink_ours(ours);
    memcpy(zones, hidden_zones, sizeof(hidden_zones));
    zones_in_use = hidden_in_use;
    nr_free = hidden_free;
    link_ours(ours);
}
