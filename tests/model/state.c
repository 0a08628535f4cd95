/* What can change of the world, as bytes: loads and saves it. Where renamings make several texts of one state, the
 * least is the state's. Left out are numbers that only grow (the clock of the TLB: a stamp is older than the last flush, or
 * is not); words that nobody reads before they are written; and the order of the domain's ring, which says only in which
 * order frames are released at its end: a ring is checked when a call has left it, and then put in the frames' own order. */
#include <string.h>
#include "arch/arch.h"
#include "model.h"
#include "xen/core/alloc.h"
#include "xen/core/frame.h"
#include "xen/core/sched.h"
#include "xen/core/walk.h"

/* alloc.c's, made global for this program: see model.mk. */
#define ZONE_WORDS 20u
extern uint32_t zones[];                /* of each: bit per order, head of each order's list */
extern uint64_t zones_in_use, nr_free;
extern bool guest_frames_returned;
extern uint32_t returned_stamp;

#define NIL (~0u)
#define CLOCK 1000u
#define CODE_NIL 15u
#define CODE_STRANGER 12u
#define TOP 56

unsigned state_bytes, core_bytes;

static const uint8_t *frame_names;      /* of the renaming in use */
static uint8_t *put;

static unsigned code_of(uint32_t mfn)
{
    int i = mfn != 0 && mfn != NIL ? frame_index(mfn) : -1;

    if (i >= 0)
        return 1u + frame_names[i];
    HOST_CHECK(mfn == 0 || mfn == NIL || mfn == model_domain->mfn, "mfn %#x is no part of the model", mfn);
    return mfn == 0 ? 0 : mfn == NIL ? CODE_NIL : CODE_STRANGER;
}

static uint32_t mfn_of(unsigned code)
{
    return code == 0 ? 0 : code == CODE_NIL ? NIL : code == CODE_STRANGER ? model_domain->mfn
           : (uint32_t)model_mfn[code - 1];
}

static uint8_t entry_code(uint64_t e)
{
    return e == 0 ? 0 : (uint8_t)(code_of((uint32_t)PTE_MFN(e)) | 0x40 | (e & PTE_RW ? 0x10 : 0) | (e & PTE_D ? 0x20 : 0));
}

static uint64_t entry_of(uint8_t code)
{
    return code == 0 ? 0 : (uint64_t)mfn_of(code & 15) << PAGE_SHIFT | PTE_P | PTE_US | PTE_A | (code & 0x10 ? PTE_RW : 0) |
                           (code & 0x20 ? PTE_D : 0);
}

static bool is_free(const struct frame *f)
{
    return f->owner == 0 && (f->count & FRAME_COUNT_MASK) == 0;
}

static uint32_t *zone(void)
{
    return &zones[ZONE_WORDS * (64u - (unsigned)__builtin_clzll(model_mfn[0]))];
}

static void save_frame(unsigned i)
{
    const struct frame *f = mfn_to_frame(model_mfn[i]);
    const uint64_t *table = mfn_to_virt(model_mfn[i]);
    bool typed = is_free(f) || (f->type & TYPE_COUNT_MASK);

    *put++ = (uint8_t)(f->count >> TOP);
    *put++ = (uint8_t)f->count;
    *put++ = typed ? (uint8_t)(f->type >> TOP) : (uint8_t)(f->type >> TOP & 15);
    *put++ = (uint8_t)f->type;
    *put++ = (uint8_t)(f->type >> 32);
    *put++ = (uint8_t)(f->type >> 42);
    *put++ = (uint8_t)((f->owner != 0) | (table[HOLE_FIRST_SLOT] != 0) << 1);
    *put++ = is_free(f) ? (uint8_t)(code_of(f->next) | code_of(f->prev) << 4) : 0;
    for (unsigned e = 0; e < scope->nr_entries; e++)
        *put++ = entry_code(table[e]);
}

static void save_frame_tail(unsigned i)
{
    const struct frame *f = mfn_to_frame(model_mfn[i]);
    bool typed = is_free(f) || (f->type & TYPE_COUNT_MASK);

    *put++ = (uint8_t)((typed ? 0 : f->type >> TYPE_SHIFT) |
                       (f->owner != 0 && (int32_t)(boot_cpu.flush_stamp - f->flush_stamp) <= 0) << 4);
}

static uint8_t translation_code(const struct host_translation *t)
{
    return t == NULL || frame_index(t->mfn) < 0 ? 0
           : (uint8_t)(code_of((uint32_t)t->mfn) | t->writable << 4 | (t->owner != NULL) << 5);
}

static void save_as(uint8_t *bytes, const struct renaming *r)
{
    const uint8_t *frame_at = r->frame_at, *place_at = r->place_at;

    put = bytes;
    frame_names = r->frame;
    for (unsigned i = 0; i < scope->nr_frames; i++)
        save_frame(frame_at[i]);
    for (unsigned i = 0; i < nr_places; i++) {
        *put++ = entry_code(*places[place_at[i]].slot);
        if (places[i].level > 1)
            *put++ = (uint8_t)(places[i].table->type >> 32);
    }
    *put++ = (uint8_t)(code_of((uint32_t)(current->root_user >> PAGE_SHIFT)) | code_of(zone()[1]) << 4);
    *put++ = (uint8_t)((zone()[0] & 1) | nr_free << 2 |
                       (model_domain->max_frames - model_domain->nr_frames) << 5);
    core_bytes = (unsigned)(put - bytes);
    for (unsigned i = 0; i < scope->nr_frames; i++)
        save_frame_tail(frame_at[i]);
    *put++ = (uint8_t)(guest_frames_returned | linear_tables << 2 |
                       (guest_frames_returned && (int32_t)(boot_cpu.flush_stamp - returned_stamp) <= 0) << 1);
    for (unsigned i = 0; i < nr_places; i++)
        for (unsigned level = 0; level < places[i].level; level++)
            *put++ = translation_code(host_tlb_find(level, places[place_at[i]].va));
    state_bytes = (unsigned)(put - bytes);
}

/* What a renaming does not change of a frame and of a place: in states as they are saved, these do not descend. */
static uint32_t frame_key(unsigned i)
{
    const struct frame *f = mfn_to_frame(model_mfn[i]);
    unsigned type = is_free(f) || (f->type & TYPE_COUNT_MASK) ? (unsigned)(f->type >> TOP) : 0;

    return (uint32_t)(f->count >> TOP) << 24 | (uint32_t)(uint8_t)f->count << 16 | type << 8 | (uint8_t)f->type;
}

static uint32_t place_key(unsigned i)
{
    const struct host_translation *t = host_tlb_find(0, places[i].va);

    return (uint32_t)(*places[i].slot & (PTE_P | PTE_RW | PTE_D)) << 2 | (t == NULL ? 0 : 1 + t->writable);
}

static bool ascends(const struct renaming *r, const uint32_t *frame_keys, const uint32_t *place_keys)
{
    for (unsigned i = 1; i < scope->nr_frames; i++)
        if (frame_keys[r->frame_at[i]] < frame_keys[r->frame_at[i - 1]])
            return false;
    return scope->places[0] < 2 || place_keys[r->place_at[0]] <= place_keys[r->place_at[1]];
}

unsigned state_save(uint8_t *bytes)
{
    uint8_t other[STATE_BYTES], *to = bytes;
    uint32_t frame_keys[MAX_FRAMES], place_keys[MAX_PLACES];
    unsigned best = 0;

    for (unsigned i = 0; i < scope->nr_frames; i++)
        frame_keys[i] = frame_key(i);
    for (unsigned i = 0; i < scope->places[0]; i++)
        place_keys[i] = place_key(i);
    for (unsigned i = 0; i < nr_renamings; i++) {
        if (!ascends(&renamings[i], frame_keys, place_keys))
            continue;
        save_as(to, &renamings[i]);
        if (to == bytes || memcmp(other, bytes, state_bytes) < 0) {
            if (to != bytes)
                memcpy(bytes, other, state_bytes);
            best = i;
        }
        to = other;
    }
    return best;
}

unsigned state_same_bytes(const uint8_t *before)
{
    uint8_t now[STATE_BYTES];
    unsigned n = 0;

    save_as(now, &renamings[0]);
    if (memcmp(now, before, state_bytes) == 0)
        return state_bytes;
    while (now[n] == before[n])
        n++;
    return n;
}

/* --- The way back ------------------------------------------------------------------------------------------------------- */

static void load_hole(uint64_t *table, bool wanted)
{
    if ((table[HOLE_FIRST_SLOT] != 0) == wanted)
        return;
    if (wanted)
        arch_fill_l4(table, model_domain);
    else
        memset(&table[HOLE_FIRST_SLOT], 0, 8 * (HOLE_LAST_SLOT - HOLE_FIRST_SLOT + 1));
}

static const uint8_t *load_frame(const uint8_t *b, unsigned i)
{
    struct frame *f = mfn_to_frame(model_mfn[i]);
    uint64_t *table = mfn_to_virt(model_mfn[i]);

    f->count = (uint64_t)b[0] << TOP | b[1];
    f->type = (uint64_t)b[2] << TOP | b[3] | (uint64_t)b[4] << 32 | (uint64_t)b[5] << 42;
    f->owner = b[6] & 1 ? model_domain->mfn : 0;
    load_hole(table, b[6] & 2);
    f->next = mfn_of(b[7] & 15);
    f->prev = mfn_of(b[7] >> 4);
    for (unsigned e = 0; e < scope->nr_entries; e++)
        table[e] = entry_of(b[8 + e]);
    return b + 8 + scope->nr_entries;
}

static void load_translation(uint8_t code, unsigned level, uint64_t va)
{
    if (code != 0)
        host_tlb_set(level, va, mfn_of(code & 15), code & 0x10, code & 0x20 ? model_domain : NULL);
}

/* F9 */
static void load_ring(void)
{
    uint32_t last = ring_last;

    for (unsigned i = 0; i < scope->nr_frames; i++) {
        struct frame *f = mfn_to_frame(model_mfn[i]);

        if (!(f->count & FRAME_COUNTED))
            continue;
        f->prev = last;
        mfn_to_frame(last)->next = (uint32_t)model_mfn[i];
        last = (uint32_t)model_mfn[i];
    }
    mfn_to_frame(last)->next = ring_first;
    mfn_to_frame(ring_first)->prev = last;
}

static void load_rest(const uint8_t *b)
{
    current->root_user = (uint64_t)mfn_of(b[0] & 15) << PAGE_SHIFT;
    zone()[1] = mfn_of(b[0] >> 4);
    zone()[0] = b[1] & 1;
    zones_in_use = b[1] & 1 ? 1ull << (zone() - zones) / ZONE_WORDS : 0;
    nr_free = b[1] >> 2 & 7;
    model_domain->nr_frames = model_domain->max_frames - (b[1] >> 5);
    load_ring();
}

void state_load(const uint8_t *bytes)
{
    const uint8_t *b = bytes;

    for (unsigned i = 0; i < scope->nr_frames; i++)
        b = load_frame(b, i);
    for (unsigned i = 0; i < nr_places; i++) {
        *places[i].slot = entry_of(*b++);
        if (places[i].level > 1)
            places[i].table->type = (places[i].table->type & ~LINEAR_ENTRIES) | (uint64_t)*b++ << 32;
    }
    load_rest(b);
    b += 2;
    tlb_clock = boot_cpu.flush_stamp = CLOCK;
    for (unsigned i = 0; i < scope->nr_frames; i++, b++) {
        struct frame *f = mfn_to_frame(model_mfn[i]);

        f->type |= (uint64_t)(*b & 15) << TYPE_SHIFT;
        f->flush_stamp = *b & 16 ? CLOCK : CLOCK - 1;
    }
    guest_frames_returned = *b & 1;
    linear_tables = model_domain->linear_tables = *b >> 2 & 1;
    returned_stamp = *b++ & 2 ? CLOCK : CLOCK - 1;
    host_tlb_forget();
    for (unsigned i = 0; i < nr_places; i++)
        for (unsigned level = 0; level < places[i].level; level++)
            load_translation(*b++, level, places[i].va);
}
