/* What fills the shadow tables: page faults of guest code, loads of roots. The guest's stores to
 * its own tables are shadow_written.c's, tables and entries shadow_table.c's. */
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/page_entry.h"
#include "guest-pv/vmm/core/paging.h"
#include "guest-pv/vmm/direct/shadow_table.h"

#define FIRST_PREFILL 16u
#define MAX_PREFILL 128u

#define PF_WRITE 2u
#define PF_FETCH 16u

static unsigned index_at(uint64_t linear, unsigned level)
{
    return (unsigned)(linear >> (12 + 9 * (level - 1))) & (ENTRIES - 1);
}

/* Of a table that stands for a page of 1 GiB: pages of 2 MiB with all rights, for the rights are in
 * the entry that leads to it. */
static uint64_t part_of_page(const struct shadow *t, unsigned index)
{
    return (t->key.frame + (uint64_t)index * ENTRIES) << FRAME_SHIFT | PTE_P | PTE_RW | PTE_US |
           PTE_A | PTE_D | PTE_PS;
}

static enum shadow_role role_of(const struct cpu *c)
{
    return c->cpl == 3 ? ROLE_USER : ROLE_KERNEL;
}

static bool failed(struct cpu *c)
{
    cpu_stop(c, STOP_UNSERVED, "the hypervisor refused a shadow table's entry");
    return false;
}

/* --- Roots ------------------------------------------------------------------------------------ */

static void make_room(struct cpu *c)
{
    struct shadows *s = c->shadows;

    if (s->nr_free < TABLES_FOR_A_FILL)
        shadow_drop_all(c);
}

/* With EFER.NXE other entries are valid, also of those that have been filled in already. */
static void follow_nxe(struct cpu *c)
{
    bool nxe = c->efer & EFER_NXE;

    if (nxe == c->shadows->nxe)
        return;
    c->shadows->nxe = nxe;
    shadow_drop_all(c);
}

/* Room is made only for one that is not there: what a fault has just filled stays. */
static shadow_t root(struct cpu *c)
{
    struct shadow_key key = {
        .frame = (c->cr3 & FRAME_MASK) >> FRAME_SHIFT, .level = 4, .role = (uint8_t)role_of(c),
    };
    struct shadows *s = c->shadows;
    shadow_t t = shadow_find(s, &key);

    if (t != 0)
        return t;
    make_room(c);
    t = shadow_make(c, &key);
    if (t != 0 && s->region != 0 && key.role == ROLE_KERNEL)
        shadow_set(s, t, s->region_slot, (uint64_t)s->region << FRAME_SHIFT | SHADOW_P | SHADOW_RW);
    return t;
}

bool shadow_map_region(struct cpu *c, uint64_t linear, unsigned nr_pages,
                       uint64_t (*flags_of)(unsigned page))
{
    struct shadows *s = c->shadows;
    struct shadow_key key = { .frame = SHADOW_REGION, .level = 3, .large = true };
    shadow_t l3 = shadow_make(c, &key), l2, l1 = 0;

    key.level = 2;
    l2 = shadow_make(c, &key);
    if (l3 == 0 || l2 == 0)
        return false;
    shadow_set(s, l3, 0, (uint64_t)l2 << FRAME_SHIFT | SHADOW_P | SHADOW_RW);
    for (unsigned i = 0; i < nr_pages; i++) {
        if (i % ENTRIES == 0) {
            key = (struct shadow_key){ .frame = SHADOW_REGION + i, .level = 1, .large = true };
            l1 = shadow_make(c, &key);
            if (l1 == 0)
                return false;
            shadow_set(s, l2, i / ENTRIES, (uint64_t)l1 << FRAME_SHIFT | SHADOW_P | SHADOW_RW);
        }
        shadow_set(s, l1, i % ENTRIES, (SHADOW_REGION + i) << FRAME_SHIFT | flags_of(i));
    }
    s->region = l3;
    s->region_slot = index_at(linear, 4);
    return shadow_send(s);
}

/* What a root is loaded for: CR3, EFER.NXE and the role. */
static uint64_t wanted_root(const struct cpu *c)
{
    return (c->cr3 & FRAME_MASK) | (c->efer & EFER_NXE ? 2 : 0) | (role_of(c) == ROLE_USER);
}

/* Nothing is owed and the root is the right one: what nearly every exit finds. */
static bool is_loaded(const struct cpu *c)
{
    const struct shadows *s = c->shadows;

    return s->loaded_for == wanted_root(c) && (s->stored | s->queued | s->failed) == 0;
}

bool shadow_load(struct cpu *c)
{
    struct shadows *s = c->shadows;
    shadow_t t;

    if (likely(is_loaded(c)))
        return true;
    shadow_fill_stored(c);
    follow_nxe(c);
    t = root(c);
    if (t == 0 || !shadow_send(s))
        return failed(c);
    if (t != s->loaded) {
        s->counters.roots++;
        if (!s->host->load(t))
            return failed(c);
        s->loaded = t;
        s->tables[t].writes = 0;
    }
    s->loaded_for = wanted_root(c);
    return true;
}

/* --- Filling ---------------------------------------------------------------------------------- */

/* A leaf's entry for a frame: S1, S2. Absent memory is read from the page of zeroes. */
static uint64_t leaf(const struct cpu *c, uint64_t frame, bool writable, bool no_execute)
{
    uint64_t flags = SHADOW_P | (no_execute ? SHADOW_NX : 0);

    if (!frame_is_ram(&c->ram, frame))
        return SHADOW_ZERO_FRAME << FRAME_SHIFT | flags;
    if (writable && frame_flags(&c->ram, frame) == 0)
        flags |= SHADOW_RW;
    return frame << FRAME_SHIFT | flags;
}

/* Rights of upper levels are in their own entries, so that a table may have parents of different
 * rights. A large page's D is the parent's RW. */
static uint64_t link_to(shadow_t child, uint64_t entry, bool large)
{
    uint64_t rw = entry & PTE_RW && (!large || (entry & PTE_D)) ? SHADOW_RW : 0;

    return (uint64_t)child << FRAME_SHIFT | SHADOW_P | rw | (entry & PTE_NX ? SHADOW_NX : 0);
}

static shadow_t linked_child(const struct shadows *s, shadow_t table, unsigned index)
{
    uint64_t entry = s->tables[table].entries[index];

    return entry & SHADOW_P ? (shadow_t)((entry & FRAME_MASK) >> FRAME_SHIFT) : 0;
}

/* The table below table[index] for this guest entry, hooked there. */
static shadow_t descend(struct cpu *c, shadow_t table, unsigned index, uint64_t entry)
{
    struct shadows *s = c->shadows;
    struct shadow_key key = {
        .frame = (entry & FRAME_MASK) >> FRAME_SHIFT,
        .level = (uint8_t)(s->tables[table].key.level - 1), .role = s->tables[table].key.role,
        .large = s->tables[table].key.level < 4 && (entry & PTE_PS) != 0,
    };
    shadow_t child;

    if (key.large)
        key.frame &= ~((1ull << 9 * key.level) - 1);
    child = linked_child(s, table, index);
    if (child == 0 || !shadow_same_key(&s->tables[child].key, &key))
        child = shadow_find(s, &key);
    if (child == 0)
        child = shadow_make(c, &key);
    if (child != 0)
        shadow_set(s, table, index, link_to(child, entry, key.large));
    s->tables[table].writes = 0;
    return child;
}

uint64_t shadow_leaf(const struct cpu *c, const struct shadow *t, unsigned index)
{
    uint64_t entry, reserved = PTE_RESERVED | (c->efer & EFER_NXE ? 0 : PTE_NX);

    if (t->key.large)
        return leaf(c, t->key.frame + index, true, false);
    entry = read_page_entry(&c->ram, t->key.frame, index);
    if ((entry & (PTE_P | PTE_A)) != (PTE_P | PTE_A) || (entry & reserved) ||
        (t->key.role == ROLE_USER && !(entry & PTE_US)))
        return 0;
    return leaf(c, (entry & FRAME_MASK) >> FRAME_SHIFT, (entry & PTE_RW) && (entry & PTE_D),
                (entry & PTE_NX) != 0);
}

/* Neighbours that were used before are likely to be used again; twice as many of them as the last
 * time if the fault is where that prefill ended. */
static void prefill(struct cpu *c, shadow_t table, unsigned first)
{
    struct shadows *s = c->shadows;
    struct shadow *t = &s->tables[table];
    unsigned n = first - 1 == t->prefilled ? MIN(2u * t->prefill, MAX_PREFILL) : FIRST_PREFILL;

    t->prefill = (uint8_t)n;
    t->prefilled = (uint16_t)MIN(first + n, ENTRIES);
    for (unsigned i = first; i < t->prefilled; i++) {
        uint64_t entry = t->entries[i] & SHADOW_P ? 0 : shadow_leaf(c, t, i);

        if (entry == 0)
            continue;
        shadow_set(s, table, i, entry);
        s->counters.prefills++;
    }
}

/* The walk has succeeded, and has set A and D. writable: a write will succeed now. It will not with
 * CR0.WP = 0 where only the kernel's rights allow it, nor if the frame has just become a table. */
static bool fill(struct cpu *c, uint64_t linear, bool *writable)
{
    struct shadows *s = c->shadows;
    uint64_t frame = (c->cr3 & FRAME_MASK) >> FRAME_SHIFT, all = SHADOW_RW;
    unsigned last = index_at(linear, 1);
    shadow_t table;

    make_room(c);
    table = root(c);
    for (unsigned level = 4; level > 1 && table != 0; level--) {
        unsigned index = index_at(linear, level);
        const struct shadow *t = &s->tables[table];
        uint64_t entry = t->key.large ? part_of_page(t, index)
                                      : read_page_entry(&c->ram, frame, index);

        frame = (entry & FRAME_MASK) >> FRAME_SHIFT;
        table = descend(c, table, index, entry);
        all &= t->entries[index];
    }
    if (table == 0)
        return failed(c);
    shadow_set(s, table, last, shadow_leaf(c, &s->tables[table], last));
    s->tables[table].writes = 0;
    *writable = all & s->tables[table].entries[last];
    prefill(c, table, last + 1);
    s->counters.fills++;
    return shadow_load(c); /* the root is another one if there was no room */
}

static bool walk_for(struct cpu *c, uint64_t linear, uint32_t error, struct translation *t)
{
    unsigned how = (error & PF_WRITE ? ACCESS_WRITE : 0) | (error & PF_FETCH ? ACCESS_FETCH : 0);
    bool allowed;

    c->shadows->own_write = true;
    allowed = walk(c, linear, how, t);
    c->shadows->own_write = false;
    return allowed;
}

enum shadow_outcome shadow_fault(struct cpu *c, uint64_t linear, uint32_t error)
{
    struct shadows *s = c->shadows;
    unsigned slot = index_at(linear, 4);
    struct translation t;
    bool writable = true;

    if (error & PF_WRITE && is_flagged_page(c, linear)) {
        s->counters.writes++;
        return SHADOW_WRITE;
    }
    if (!walk_for(c, linear, error, &t)) {
        s->counters.guest_faults++;
        shadow_send(s);
        return SHADOW_GUEST;
    }
    if ((slot >= HOLE_FIRST && slot <= HOLE_LAST) || (s->region != 0 && slot == s->region_slot)) {
        cpu_stop(c, STOP_UNSERVED,
                 "the guest maps %#lx, which it cannot have with this way of running", linear);
        return SHADOW_FAILED;
    }
    if (error & PF_WRITE &&
        (!frame_is_ram(&c->ram, t.frame) || frame_flags(&c->ram, t.frame) != 0)) {
        s->counters.writes++;
        shadow_send(s);
        return SHADOW_WRITE;
    }
    if (!fill(c, linear, &writable))
        return SHADOW_FAILED;
    return writable || !(error & PF_WRITE) ? SHADOW_FILLED : SHADOW_WRITE;
}

bool shadow_own_write(const struct cpu *c)
{
    return c->shadows->own_write;
}

void shadow_protect(struct cpu *c, uint64_t frame)
{
    shadow_make_read_only(c, frame);
    shadow_send(c->shadows);
}

const struct shadow_counters *shadow_counts(const struct cpu *c)
{
    return &c->shadows->counters;
}
