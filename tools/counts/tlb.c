/* The model of a TLB for counts.c: two first levels, of 64 entries in sets of 4, for code and data,
 * and one second level of 1,536 entries in sets of 12, as on Intel's CPUs since 2015. Each set
 * replaces what was used longest ago. What both levels lack is a miss. There are no
 * paging-structure caches and no translations by speculation, and INVLPG, whose address a plugin
 * does not see, drops nothing. */
#include "tlb.h"

#define L1_WAYS 4
#define L2_WAYS 12
#define NO_PAGE UINT64_MAX

static void forget_last(struct tlb *t)
{
    t->last_code = t->last_data = NO_PAGE;
}

void model_init(struct tlb *t)
{
    *t = (struct tlb){ .loads = 1, .full = 1 };
    forget_last(t);
}

void model_load_cr3(struct tlb *t)
{
    t->loads++;
    forget_last(t);
}

void model_flush_all(struct tlb *t)
{
    t->full++;
    model_load_cr3(t);
}

static uint64_t flushes_of(const struct tlb *t, bool kept)
{
    return kept ? t->full : t->loads;
}

/* Whether the page is there; it is now, and was used last. */
static bool use(struct tlb *t, struct entry *entries, unsigned nr, unsigned ways, uint64_t page,
                bool kept)
{
    struct entry *set = &entries[page % (nr / ways) * ways], *oldest = set;
    bool found = false;

    for (unsigned i = 0; i < ways && !found; i++) {
        struct entry *e = &set[i];

        if (e->flushes != flushes_of(t, e->kept))
            e->used = 0;
        found = e->used != 0 && e->page == page;
        if (found || e->used < oldest->used)
            oldest = e;
    }
    *oldest = (struct entry){ page, ++t->clock, flushes_of(t, kept), kept };
    return found;
}

void model_use(struct tlb *t, uint64_t page, bool is_code, bool kept)
{
    uint64_t *last = is_code ? &t->last_code : &t->last_data;

    if (*last == page)
        return;
    *last = page;
    if (!use(t, is_code ? t->code : t->data, L1_ENTRIES, L1_WAYS, page, kept) &&
        !use(t, t->both, L2_ENTRIES, L2_WAYS, page, kept))
        t->misses++;
}
