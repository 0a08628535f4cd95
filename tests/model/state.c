/* All that can change in the world, as bytes: loads and saves it. Where renamings give several
 * texts of one state, the least is kept. Left out are numbers that only grow (of a domain's
 * epoch, a state has only whether a stamp is older); G of entries, which is set where a table is
 * an L1, or was one last, and else nowhere; words that are written before they are read again; and
 * the order of a domain's ring, which only decides in which order frames are freed at its end: a
 * ring is checked after a call, and then sorted. */
#include <string.h>
#include "model.h"
#include "state.h"
#include "xen/core/sched.h"

unsigned state_bytes, core_bytes;
static unsigned domains_at;             /* in a state: a byte for each */

static const uint8_t *frame_names;      /* of the renaming in use */
static uint8_t *put;

unsigned code_of(uint32_t mfn)
{
    int i = mfn != 0 && mfn != NIL ? frame_index(mfn) : -1;

    if (i >= 0)
        return 1u + frame_names[i];
    HOST_CHECK(mfn == 0 || mfn == NIL || mfn == domains[0]->mfn, "mfn %#x is no part of the model",
               mfn);
    return mfn == 0 ? 0 : mfn == NIL ? CODE_NIL : CODE_STRANGER;
}

static uint8_t entry_code(uint64_t e)
{
    return e == 0 ? 0
                  : (uint8_t)(code_of((uint32_t)PTE_MFN(e)) | 0x40 | (e & PTE_RW ? 0x10 : 0) |
                              (e & PTE_D ? 0x20 : 0));
}

/* The type and flags. What the type was of a frame without type references is in the tail. */
static uint8_t top_of(const struct frame *f)
{
    bool typed = is_free(f) || nr_type_refs(f->word) != 0;

    return (uint8_t)((typed ? f->word : f->word & ~(TYPE_MASK | TYPE_VALIDATED)) >> TOP);
}

static uint8_t refs_code(const struct frame *f)
{
    return f->word == FRAME_HYPERVISOR ? CODE_HYPERVISOR : (uint8_t)nr_refs(f->word);
}

static void save_frame(unsigned i)
{
    const struct frame *f = mfn_to_frame(model_mfn[i]);
    const uint64_t *table = mfn_to_virt(model_mfn[i]);

    *put++ = top_of(f);
    *put++ = (uint8_t)((f->word >> 54 & 3) << 6 | refs_code(f));
    *put++ = (uint8_t)nr_type_refs(f->word);
    *put++ = (uint8_t)(f->linear & LINEAR_ENTRIES);
    *put++ = (uint8_t)(f->linear / LINEAR_USE);
    *put++ = (uint8_t)(domain_number(f->owner) | (table[HOLE_FIRST_SLOT] != 0) << 2);
    *put++ = is_free(f) ? (uint8_t)(code_of(f->next) | code_of(f->prev) << 4) : 0;
    for (unsigned e = 0; e < scope->nr_entries; e++)
        *put++ = entry_code(table[e]);
}

/* Which CPUs a change of the frame's use will flush. */
static unsigned owed_flushes(const struct frame *f, const struct renaming *r)
{
    unsigned bits = 0;

    for (unsigned cpu = 0; cpu < nr_tlbs() && scope->two_cpus && f->owner != 0; cpu++)
        if (domains[domain_of_cpu(cpu)]->mfn == f->owner)
            bits |= (unsigned)(actors[cpu]->flushed <= f->stamp) << r->cpu[cpu];
    return bits;
}

static void save_frame_tail(unsigned i, const struct renaming *r)
{
    const struct frame *f = mfn_to_frame(model_mfn[i]);
    bool typed = is_free(f) || nr_type_refs(f->word) != 0,
         stale = f->owner != 0 && f->stamp >= frame_owner(f)->epoch;

    *put++ = (uint8_t)((typed ? 0 : f->word >> TYPE_SHIFT) | stale << 4 | owed_flushes(f, r) << 5);
}

static void save_place(const struct place *p)
{
    *put++ = ended[p->domain] ? 0 : entry_code(*p->slot);
    if (p->level > 1)
        *put++ = (uint8_t)(p->table->linear & LINEAR_ENTRIES);
}

static uint8_t translation_code(const struct host_translation *t)
{
    return t == NULL || frame_index(t->mfn) < 0 ? 0
           : (uint8_t)(code_of((uint32_t)t->mfn) | t->writable << 4 | t->global << 7 |
                       (t->owner != NULL ? domain_number(t->owner->mfn) << 5 : 0));
}

/* The CPU has cached nothing of a domain that is not running. */
static void save_translations(const struct place *p, unsigned cpu)
{
    for (unsigned level = 0; level < p->level; level++)
        *put++ = p->domain == domain_of_cpu(cpu)
                     ? translation_code(translation(cpu, level, p->va))
                     : 0;
}

static void save_domain(unsigned d)
{
    uint64_t mine = domains[d]->nr_frames - other_frames[d];

    HOST_CHECK(mine <= scope->nr_frames, "domain %u has %ld frames of the model", d, mine);
    *put++ = (uint8_t)(mine | ended[d] << 3);
}

static unsigned linear_bits(void)
{
    return domains[0]->linear_tables | (nr_domains == 2 && domains[1]->linear_tables) << 1;
}

static void save_as(uint8_t *bytes, const struct renaming *r)
{
    const uint8_t *frame_at = r->frame_at, *place_at = r->place_at;

    put = bytes;
    frame_names = r->frame;
    for (unsigned i = 0; i < scope->nr_frames; i++)
        save_frame(frame_at[i]);
    for (unsigned i = 0; i < nr_places; i++)
        save_place(&places[place_at[i]]);
    for (unsigned a = 0; a < nr_actors; a++)
        *put++ = (uint8_t)code_of((uint32_t)(actors[r->cpu[a]]->root_user >> PAGE_SHIFT));
    if (scope->descriptors)
        put = descriptors_save(put, r);
    domains_at = (unsigned)(put - bytes);
    for (unsigned d = 0; d < nr_domains; d++)
        save_domain(d);
    *put++ = free_list_save();
    if (nr_domains == 2)
        put = grants_save(put, r);
    core_bytes = (unsigned)(put - bytes);
    for (unsigned i = 0; i < scope->nr_frames; i++)
        save_frame_tail(frame_at[i], r);
    *put++ = (uint8_t)(linear_bits() | (scope->two_cpus ? 0 : actor_now()) << 4);
    if (nr_domains == 2)
        put = grants_save_tail(put);
    for (unsigned cpu = 0; cpu < nr_tlbs(); cpu++)
        for (unsigned i = 0; i < nr_places; i++)
            save_translations(&places[place_at[i]], r->cpu[cpu]);
    state_bytes = (unsigned)(put - bytes);
}

/* The parts of a frame and of a place that a renaming does not change: in a saved state they are
 * in ascending order. */
static uint32_t frame_key(unsigned i)
{
    const struct frame *f = mfn_to_frame(model_mfn[i]);

    return (uint32_t)(f->word >> 54 & 3) << 30 | (uint32_t)refs_code(f) << 24 |
           (uint32_t)top_of(f) << 16 | (uint32_t)(uint8_t)nr_type_refs(f->word) << 8 |
           domain_number(f->owner);
}

static uint32_t place_key(unsigned i)
{
    const struct host_translation *t =
        !scope->two_cpus && places[i].domain == domain_of_actor(actor_now())
            ? host_tlb_find(0, places[i].va) : NULL;

    return ended[places[i].domain] ? 0
                                   : (uint32_t)(*places[i].slot & (PTE_P | PTE_RW | PTE_D)) << 2 |
                                         (t == NULL ? 0 : 1 + t->writable);
}

static bool ascends(const struct renaming *r, const uint32_t *frame_keys,
                    const uint32_t *place_keys, const uint32_t *handle_keys)
{
    for (unsigned i = 1; i < scope->nr_frames; i++)
        if (frame_keys[r->frame_at[i]] < frame_keys[r->frame_at[i - 1]])
            return false;
    return place_keys[r->place_at[twins[0]]] <= place_keys[r->place_at[twins[1]]] &&
           handle_keys[r->handle_at[0]] <= handle_keys[r->handle_at[1]];
}

unsigned state_save(uint8_t *bytes)
{
    uint8_t other[STATE_BYTES], *to = bytes;
    uint32_t frame_keys[MAX_FRAMES], place_keys[MAX_PLACES], handle_keys[MAX_HANDLES] = { 0, 0 };
    unsigned best = 0;

    for (unsigned i = 0; i < scope->nr_frames; i++)
        frame_keys[i] = frame_key(i);
    for (unsigned i = 0; i < 2; i++)
        place_keys[twins[i]] = nr_places != 0 ? place_key(twins[i]) : 0;
    for (unsigned i = 0; i < MAX_HANDLES && scope->second.handles[1] == MAX_HANDLES; i++)
        handle_keys[i] = handle_key(i);
    for (unsigned i = 0; i < nr_renamings; i++) {
        if (!ascends(&renamings[i], frame_keys, place_keys, handle_keys))
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

bool state_is_without(const uint8_t *bytes, unsigned d)
{
    return bytes[domains_at + d] >> 3 & 1;
}

unsigned state_left_of(const uint8_t *bytes, unsigned d)
{
    return state_is_without(bytes, d) ? bytes[domains_at + d] & 7 : 0;
}

unsigned state_save_as_is(uint8_t *bytes)
{
    save_as(bytes, &renamings[0]);
    return state_bytes;
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
