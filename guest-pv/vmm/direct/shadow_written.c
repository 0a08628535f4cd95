/* The guest's stores to its own page tables: what was derived from them is taken away before, an
 * entry is filled again afterwards, and a frame that is a table no more loses its shadows. Called
 * by the core (struct cpu's hook) and by shadow.c. */
#include "guest-pv/vmm/direct/shadow_table.h"

#define WRITES_UNTIL_DROPPED 3u

static bool is_root_of_cr3(const struct cpu *c, const struct shadow *table)
{
    return table->key.level == 4 && table->key.frame == (c->cr3 & FRAME_MASK) >> FRAME_SHIFT;
}

/* Is the frame no table any more, or is it used otherwise before it is one again? A kernel stores
 * entries of 8 bytes, or a byte of one to change a bit; a table that is being made, or the next use
 * of its frame, are many stores without a use between, or a store of more. Of the root that CR3 has
 * nothing is gained by dropping it. */
static bool is_abandoned(const struct cpu *c, struct shadow *table, uint64_t phys, unsigned bytes)
{
    if (c->shadows->own_write || is_root_of_cr3(c, table))
        return false;
    return phys % 8 + bytes > 8 || ++table->writes > WRITES_UNTIL_DROPPED;
}

void shadow_written(struct cpu *c, uint64_t phys, unsigned bytes)
{
    struct shadows *s = c->shadows;
    unsigned first = phys % GUEST_PAGE / 8, last = (phys % GUEST_PAGE + bytes - 1) / 8;
    shadow_t t = s->of_frame[phys / GUEST_PAGE], next;

    if (!s->own_write && first == last)
        s->stored = phys;
    for (; t != 0; t = next) {
        struct shadow *table = &s->tables[t];

        next = table->next_same_frame;
        if ((table->entries[first] & SHADOW_AHEAD) && s->host->used(t, first))
            table->writes = 0;
        if (is_abandoned(c, table, phys, bytes)) {
            shadow_drop(c, t);
            continue;
        }
        for (unsigned i = first; i <= last; i++)
            if (table->key.level < 4 || s->region == 0 || i != s->region_slot)
                shadow_set(s, t, i, 0);
    }
    shadow_send(s);
}

void shadow_abandon(struct cpu *c, uint64_t frame)
{
    struct shadows *s = c->shadows;

    for (shadow_t t = s->of_frame[frame], next; t != 0; t = next) {
        next = s->tables[t].next_same_frame;
        if (!is_root_of_cr3(c, &s->tables[t]))
            shadow_drop(c, t);
    }
    shadow_send(s);
}

void shadow_fill_stored(struct cpu *c)
{
    struct shadows *s = c->shadows;
    unsigned index = s->stored % GUEST_PAGE / 8;

    if (s->stored == 0)
        return;
    for (shadow_t t = s->of_frame[s->stored / GUEST_PAGE]; t != 0;
         t = s->tables[t].next_same_frame) {
        uint64_t entry = s->tables[t].key.level == 1 ? shadow_leaf(c, &s->tables[t], index) : 0;

        if (entry != 0 && !(s->tables[t].entries[index] & SHADOW_P))
            shadow_set(s, t, index, entry | SHADOW_AHEAD);
    }
    s->stored = 0;
}
