/* Makes the world of a state's bytes. What states leave out (state.c) gets the same value each
 * time. */
#include <string.h>
#include "model.h"
#include "state.h"
#include "xen/core/sched.h"

#define EPOCH 1000u

uint32_t mfn_of(unsigned code)
{
    return code == 0 ? 0 : code == CODE_NIL ? NIL : code == CODE_STRANGER ? domains[0]->mfn
           : (uint32_t)model_mfn[code - 1];
}

static uint64_t entry_of(uint8_t code)
{
    return code == 0 ? 0
                     : (uint64_t)mfn_of(code & 15) << PAGE_SHIFT | PTE_P | PTE_US | PTE_A |
                           (code & 0x10 ? PTE_RW : 0) | (code & 0x20 ? PTE_D : 0);
}

static struct domain *domain_of_number(unsigned number)
{
    return number != 0 ? domains[number - 1] : NULL;
}

static void load_hole(uint64_t *table, bool wanted)
{
    if ((table[HOLE_FIRST_SLOT] != 0) == wanted)
        return;
    if (wanted)
        arch_fill_l4(table, domains[0]);
    else
        memset(&table[HOLE_FIRST_SLOT], 0, 8 * (HOLE_LAST_SLOT - HOLE_FIRST_SLOT + 1));
}

static const uint8_t *load_frame(const uint8_t *b, unsigned i)
{
    struct frame *f = mfn_to_frame(model_mfn[i]);
    uint64_t *table = mfn_to_virt(model_mfn[i]);

    f->word = (b[1] & 63) == CODE_HYPERVISOR
                  ? FRAME_HYPERVISOR
                  : (uint64_t)b[0] << TOP | (uint64_t)(b[1] >> 6) << 54 | b[2] * TYPE_REF |
                        (b[1] & 63);
    f->linear = b[3] | (uint32_t)b[4] * LINEAR_USE;
    f->owner = b[5] & 3 ? domain_of_number(b[5] & 3)->mfn : 0;
    load_hole(table, b[5] & 4);
    f->next = mfn_of(b[6] & 15);
    f->prev = mfn_of(b[6] >> 4);
    for (unsigned e = 0; e < scope->nr_entries; e++)
        table[e] = entry_of(b[7 + e]);
    return b + 7 + scope->nr_entries;
}

static const uint8_t *load_place(const uint8_t *b, const struct place *p)
{
    if (!ended[p->domain])
        *p->slot = entry_of(*b) | (p->level == 1 && *b != 0 ? PTE_G : 0);
    b++;
    if (p->level > 1)
        p->table->linear = (p->table->linear & ~LINEAR_ENTRIES) | *b++;
    return b;
}

static void load_translation(uint8_t code, unsigned level, uint64_t va)
{
    if (code != 0)
        host_tlb_set(level, va,
                     &(struct host_translation){ .mfn = mfn_of(code & 15),
                                                 .writable = code & 0x10, .global = code & 0x80,
                                                 .owner = domain_of_number(code >> 5 & 3) });
}

/* F9. There may be none besides the model's. */
static void load_ring(unsigned d)
{
    uint32_t first = ended[d] ? 0 : ring_first[d], last = ended[d] ? 0 : ring_last[d];

    for (unsigned i = 0; i < scope->nr_frames; i++) {
        struct frame *f = mfn_to_frame(model_mfn[i]);

        if (!(f->word & FRAME_COUNTED) || f->owner != domains[d]->mfn)
            continue;
        first = first != 0 ? first : (uint32_t)model_mfn[i];
        f->prev = last;
        if (last != 0)
            mfn_to_frame(last)->next = (uint32_t)model_mfn[i];
        last = (uint32_t)model_mfn[i];
    }
    domains[d]->frames = first;
    if (first != 0) {
        mfn_to_frame(last)->next = first;
        mfn_to_frame(first)->prev = last;
    }
}

static void load_domain(unsigned d, uint8_t b)
{
    HOST_CHECK(ended[d] == (b >> 3 & 1), "a state of another world");
    domains[d]->nr_frames = other_frames[d] + (b & 7);
    load_ring(d);
}

/* Numbers for stamps and last flushes that compare as they did, from the bits that say which CPUs
 * the next use of a frame will flush. Such a CPU has flushed last when the oldest of these stamps
 * was the epoch. */
static void load_stamps(const uint8_t *b)
{
    for (unsigned cpu = 0; cpu < nr_tlbs(); cpu++)
        actors[cpu]->flushed = EPOCH;
    for (unsigned i = 0; i < scope->nr_frames; i++) {
        unsigned owed = b[i] >> 5;
        uint64_t stamp = b[i] & 16 ? EPOCH
                                   : EPOCH - 3 + (unsigned)__builtin_popcount(owed);

        mfn_to_frame(model_mfn[i])->stamp = stamp;
        for (unsigned cpu = 0; cpu < nr_tlbs(); cpu++)
            if (owed >> cpu & 1)
                actors[cpu]->flushed = MIN(actors[cpu]->flushed, stamp);
    }
}

static void load_global(const struct frame *f)
{
    uint64_t *table = mfn_to_virt(frame_to_mfn(f));

    for (unsigned e = 0; e < scope->nr_entries && frame_type(f) == TYPE_L1; e++)
        table[e] |= table[e] != 0 ? PTE_G : 0;
}

static const uint8_t *load_tails(const uint8_t *b)
{
    unsigned actor = b[scope->nr_frames] >> 4 & 1;

    if (current != actors[actor])
        switch_to(actor);
    if (scope->two_cpus)
        load_stamps(b);
    for (unsigned d = 0; d < nr_domains; d++)
        domains[d]->epoch = EPOCH;
    for (unsigned a = 0; a < nr_actors && !scope->two_cpus; a++)
        actors[a]->flushed = EPOCH;
    for (unsigned cpu = nr_tlbs(); cpu-- > 0;) {
        host_tlb_select(cpu);
        host_tlb_forget();
    }
    for (unsigned i = 0; i < scope->nr_frames; i++, b++) {
        struct frame *f = mfn_to_frame(model_mfn[i]);

        f->word |= (uint64_t)(*b & 15) << TYPE_SHIFT;
        if ((*b & 15) == TYPE_WRITABLE >> TYPE_SHIFT)
            f->word |= TYPE_VALIDATED;
        load_global(f);
        if (!scope->two_cpus)
            f->stamp = *b & 16 ? EPOCH : EPOCH - 1;
    }
    linear_tables = *b & 3;
    for (unsigned d = 0; d < nr_domains; d++)
        domains[d]->linear_tables = *b >> d & 1;
    return b + 1;
}

void state_load(const uint8_t *bytes)
{
    const uint8_t *b = bytes;

    for (unsigned i = 0; i < scope->nr_frames; i++)
        b = load_frame(b, i);
    for (unsigned i = 0; i < nr_places; i++)
        b = load_place(b, &places[i]);
    for (unsigned a = 0; a < nr_actors; a++)
        actors[a]->root_user = (uint64_t)mfn_of(*b++) << PAGE_SHIFT;
    if (scope->descriptors)
        b = descriptors_load(b);
    for (unsigned d = 0; d < nr_domains; d++)
        load_domain(d, *b++);
    free_list_load(*b++);
    if (nr_domains == 2)
        b = grants_load(b);
    b = load_tails(b);
    if (nr_domains == 2)
        b = grants_load_tail(b);
    for (unsigned cpu = 0; cpu < nr_tlbs(); cpu++) {
        host_tlb_select(cpu);
        for (unsigned i = 0; i < nr_places; i++)
            for (unsigned level = 0; level < places[i].level; level++)
                load_translation(*b++, level, places[i].va);
    }
    host_tlb_select(host_cpu);
}
