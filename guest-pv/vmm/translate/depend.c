/* What leads to the bytes of blocks: the entries of the guest's tables that a walk for them used. A
 * write to one of them makes all blocks suspect (suspect.c). X1 of translate.h. */
#include <string.h>
#include "guest-pv/vmm/core/page_entry.h"
#include "guest-pv/vmm/translate/region.h"

static uint64_t *walked_slot(struct translator *t, uint64_t at)
{
    unsigned i = (unsigned)(at * 0x9e3779b97f4a7c15ull >> 40);

    while (t->walked[i % WALKED] != 0 && t->walked[i % WALKED] != at)
        i++;
    return &t->walked[i % WALKED];
}

/* A search for a block remembers the walks for three pages at most: RIP's, the next one, which a
 * block may go into, and the one before, where a block with RIP in its middle may begin. */
#define PAGES_OF_SEARCH 3u
#define LEVELS_BELOW_ROOT 3u

bool has_room_for_walks(const struct translator *t)
{
    return t->nr_walked + PAGES_OF_SEARCH * LEVELS_BELOW_ROOT <= WALKED / 2 &&
           t->nr_roots + PAGES_OF_SEARCH <= ROOTS;
}

/* X1: an entry that the walk for a block used. */
static void remember_entry(struct cpu *c, uint64_t at)
{
    struct translator *t = c->translator;
    uint64_t *slot = walked_slot(t, at), frame = at / GUEST_PAGE;

    if (*slot == at || !frame_is_ram(&c->ram, frame))
        return;
    *slot = at;
    t->nr_walked++;
    if (!(c->ram.flags[frame] & FRAME_WALKED)) {
        c->ram.flags[frame] |= FRAME_WALKED;
        tlb_forget_writes(c);
        t->host->protect(c, frame);
    }
}

static void remember_root(struct translator *t, unsigned slot, uint64_t entry)
{
    for (unsigned i = 0; i < t->nr_roots; i++)
        if (t->roots[i].slot == slot)
            return;
    t->roots[t->nr_roots].slot = slot;
    t->roots[t->nr_roots++].entry = entry;
}

/* The walk has succeeded, so the entries are there; and there is room for them. */
void remember_walk(struct cpu *c, uint64_t rip)
{
    struct translator *t = c->translator;
    uint64_t table = c->cr3 & PTE_ADDRESS, entry;

    for (unsigned level = 4; level > 0; level--) {
        unsigned index = (unsigned)(rip >> (3 + 9 * level)) & 511;
        uint64_t at = table + 8 * index;

        entry = read_page_entry(&c->ram, table / GUEST_PAGE, index);
        if (level == 4) {
            remember_root(t, index, entry & (PTE_ADDRESS | PTE_NX));
        } else {
            remember_entry(c, at);
        }
        if (level < 4 && level > 1 && (entry & PTE_PS))
            return;
        table = entry & PTE_ADDRESS;
    }
}

void translate_root_changed(struct cpu *c)
{
    struct translator *t = c->translator;
    uint64_t frame = (c->cr3 & PTE_ADDRESS) / GUEST_PAGE;

    for (unsigned i = 0; i < t->nr_roots; i++) {
        uint64_t entry = read_page_entry(&c->ram, frame, t->roots[i].slot);

        if (!(entry & PTE_P) || (entry & (PTE_ADDRESS | PTE_NX)) != t->roots[i].entry)
            t->all_stale = true;
    }
}

/* Of the root itself: roots come and go with the guest's processes, and only the one that is loaded
 * counts. It has a shadow (run.c loads it before translate_root_changed() looks at the root), so
 * writes to it are seen. */
static bool root_written(const struct cpu *c, uint64_t phys, unsigned bytes)
{
    const struct translator *t = c->translator;

    if (phys / GUEST_PAGE != (c->cr3 & PTE_ADDRESS) / GUEST_PAGE)
        return false;
    for (unsigned i = 0; i < t->nr_roots; i++)
        if (t->roots[i].slot >= phys % GUEST_PAGE / 8 &&
            t->roots[i].slot <= (phys + bytes - 1) % GUEST_PAGE / 8)
            return true;
    return false;
}

/* Before a write to the table: did blocks depend on it? */
void walks_written(struct cpu *c, uint64_t phys, unsigned bytes)
{
    struct translator *t = c->translator;

    if (root_written(c, phys, bytes))
        t->all_stale = true;
    if (!(c->ram.flags[phys / GUEST_PAGE] & FRAME_WALKED))
        return;
    for (uint64_t at = phys & ~7ull; at < phys + bytes; at += 8)
        if (*walked_slot(t, at) == at)
            t->all_stale = true;
}

void forget_walks(struct cpu *c)
{
    struct translator *t = c->translator;

    for (unsigned i = 0; i < WALKED; i++)
        if (t->walked[i] != 0)
            c->ram.flags[t->walked[i] / GUEST_PAGE] &= (uint8_t)~FRAME_WALKED;
    memset(t->walked, 0, sizeof(t->walked));
    t->nr_walked = t->nr_roots = 0;
}
