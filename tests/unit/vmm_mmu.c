/* Shadow tables in memory: see vmm_mmu.h. A table is valid while something refers to it: a pin, the
 * loaded root or an entry of a valid table. Then its entries refer to what they lead to, and its
 * level is fixed; while it is not, entries are numbers that nobody has judged. */
#include <string.h>
#include "common/x86/canonical.h"
#include "guest-pv/vmm/core/access.h"
#include "tests/unit/vmm_mmu.h"

#define ENTRIES 512u
#define FLAGS (SHADOW_P | SHADOW_RW | SHADOW_NX | SHADOW_AHEAD)
#define ENTRY(frame, flags) ((frame) << 12 | (flags))
#define FRAME_OF(entry) (((entry) & 0x000ffffffffff000ull) >> 12)

struct table {
    bool known, pinned;
    unsigned level, count;      /* count: of what makes it valid */
    uint64_t entries[ENTRIES];
    bool used[ENTRIES];         /* the MMU has let an access through since it was set */
};

static struct table tables[VMM_MMU_TABLES + 1];
static unsigned nr_tables;
static shadow_t loaded;
static const struct ram *ram;
unsigned vmm_mmu_refuses, vmm_mmu_cleared;
const char *vmm_mmu_wrong;

static bool wrong(const char *what)
{
    if (vmm_mmu_wrong == NULL)
        vmm_mmu_wrong = what;
    return false;
}

static bool refuses(void)
{
    return vmm_mmu_refuses != 0 && --vmm_mmu_refuses == 0;
}

static struct table *known(uint64_t nr)
{
    return nr >= 1 && nr <= nr_tables && tables[nr].known ? &tables[nr] : NULL;
}

/* --- Types ------------------------------------------------------------------------------------ */

static void put_table(struct table *t);

static bool leaf_ok(uint64_t entry)
{
    uint64_t frame = FRAME_OF(entry);

    if (frame >= SHADOW_REGION && frame < SHADOW_REGION + VMM_MMU_REGION)
        return true;
    if (frame == SHADOW_ZERO_FRAME)
        return entry & SHADOW_RW ? wrong("the page of zeroes is mapped writable") : true;
    if (!frame_is_ram(ram, frame))
        return wrong("a leaf leads to no frame");
    if ((entry & SHADOW_RW) && ram->flags[frame] != 0)
        return wrong("a frame with flags is mapped writable");
    return true;
}

static bool get_table(uint64_t nr, unsigned level)
{
    struct table *t = known(nr);

    if (t == NULL)
        return wrong("an entry leads to a table that was never made");
    if (t->count > 0 && t->level != level)
        return wrong("a table is used at two levels");
    if (t->count++ > 0)
        return true;
    t->level = level;
    for (unsigned i = 0; i < ENTRIES; i++) {
        if (!(t->entries[i] & SHADOW_P))
            continue;
        if (!(level > 1 ? get_table(FRAME_OF(t->entries[i]), level - 1) : leaf_ok(t->entries[i])))
            return false;
    }
    return true;
}

static void put_entry(const struct table *t, uint64_t entry)
{
    if (t->level > 1 && (entry & SHADOW_P))
        put_table(&tables[FRAME_OF(entry)]);
}

static void put_table(struct table *t)
{
    if (--t->count == 0)
        for (unsigned i = 0; i < ENTRIES; i++)
            put_entry(t, t->entries[i]);
}

/* --- Hypercalls ------------------------------------------------------------------------------- */

static bool clear(shadow_t nr)
{
    if (refuses())
        return false;
    if (nr == 0 || nr > nr_tables)
        return wrong("a number that no table has");
    if (tables[nr].pinned || tables[nr].count > 0)
        return wrong("a table is cleared while it is pinned, loaded or hooked");
    memset(&tables[nr], 0, sizeof(tables[nr]));
    tables[nr].known = true;
    vmm_mmu_cleared++;
    return true;
}

static bool pin(shadow_t nr)
{
    static const uint64_t empty[ENTRIES];
    struct table *t = known(nr);

    if (refuses())
        return false;
    if (t == NULL || t->pinned || memcmp(t->entries, empty, sizeof(empty)) != 0)
        return wrong("a table is pinned that is not an empty one");
    t->pinned = true;
    return get_table(nr, 4);
}

static bool unpin(shadow_t nr)
{
    struct table *t = known(nr);

    if (refuses())
        return false;
    if (t == NULL || !t->pinned)
        return wrong("a table is unpinned that is not pinned");
    t->pinned = false;
    put_table(t);
    return true;
}

static bool load(shadow_t nr)
{
    struct table *t = known(nr);

    if (refuses())
        return false;
    if (t == NULL || !t->pinned)
        return wrong("a root is loaded that is not pinned");
    if (!get_table(nr, 4))
        return false;
    if (loaded != 0)
        put_table(&tables[loaded]);
    loaded = nr;
    return true;
}

static bool set_entry(struct table *t, const struct shadow_update *u)
{
    uint64_t entry = ENTRY(u->frame, u->flags), old = t->entries[u->index];

    if ((u->flags & SHADOW_AHEAD) && u->level != 1)
        return wrong("a link to a table is set ahead");
    if ((u->flags & ~FLAGS) || (!(u->flags & SHADOW_P) && entry != 0))
        return wrong("an entry with flags that mean nothing");
    if (u->level == 4 && u->index >= 256 && u->index < 272)
        return wrong("an entry in the hypervisor's slots");
    if (t->count > 0 && t->level != u->level)
        return wrong("an entry is set at another level than the table's");
    if (t->count > 0 && (u->flags & SHADOW_P) &&
        !(u->level > 1 ? get_table(u->frame, u->level - 1u) : leaf_ok(entry)))
        return false;
    t->entries[u->index] = entry;
    t->used[u->index] = false;
    if (t->count > 0)
        put_entry(t, old);
    return true;
}

static bool set(const struct shadow_update *updates, unsigned n)
{
    if (refuses())
        return false;
    if (n == 0)
        return wrong("no updates are sent");
    for (unsigned i = 0; i < n; i++) {
        struct table *t = known(updates[i].table);

        if (t == NULL || updates[i].index >= ENTRIES)
            return wrong("an entry of no table is set");
        if (!set_entry(t, &updates[i]))
            return false;
    }
    return true;
}

static bool used(shadow_t nr, unsigned index)
{
    struct table *t = known(nr);

    if (t == NULL || !(t->entries[index] & SHADOW_AHEAD))
        return wrong("the use is asked for of an entry that was not set ahead");
    return t->used[index];
}

const struct shadow_host vmm_mmu = {
    .clear = clear, .pin = pin, .unpin = unpin, .set = set, .load = load, .used = used,
};

void vmm_mmu_init(struct cpu *c, unsigned nr)
{
    memset(tables, 0, sizeof(tables));
    nr_tables = nr;
    loaded = 0;
    ram = &c->ram;
    vmm_mmu_refuses = 0;
    vmm_mmu_wrong = NULL;
}

/* --- The MMU ---------------------------------------------------------------------------------- */

bool vmm_mmu_resolve(uint64_t linear, struct vmm_leaf *leaf)
{
    uint64_t all = ~0ull, any = 0, next = loaded;

    if (!is_canonical(linear) || loaded == 0)
        return false;
    for (unsigned level = 4; level >= 1; level--) {
        uint64_t entry = tables[next].entries[linear >> (3 + 9 * level) & 511];

        if (!(entry & SHADOW_P))
            return false;
        all &= entry;
        any |= entry;
        next = FRAME_OF(entry);
    }
    *leaf = (struct vmm_leaf){ linear, next, all & SHADOW_RW, !(any & SHADOW_NX) };
    return true;
}

static void mark_used(uint64_t linear)
{
    uint64_t nr = loaded;

    for (unsigned level = 4; level > 1; level--)
        nr = FRAME_OF(tables[nr].entries[linear >> (3 + 9 * level) & 511]);
    tables[nr].used[linear >> 12 & 511] = true;
}

bool vmm_mmu_lets(uint64_t linear, unsigned how, struct vmm_leaf *leaf)
{
    if (!vmm_mmu_resolve(linear, leaf) || (!leaf->writable && (how & ACCESS_WRITE)) ||
        (!leaf->executable && (how & ACCESS_FETCH)))
        return false;
    mark_used(linear);
    return true;
}

struct visit {
    unsigned pages, max_pages;
    void (*f)(const struct vmm_leaf *leaf);
};

static void each(struct visit *v, const struct vmm_leaf *at, unsigned level, unsigned first)
{
    for (unsigned n = 0; n < ENTRIES && v->pages < v->max_pages; n++) {
        unsigned i = (first + n) % ENTRIES;
        uint64_t entry = tables[at->frame].entries[i];
        struct vmm_leaf next = {
            .linear = at->linear | (uint64_t)i << (3 + 9 * level), .frame = FRAME_OF(entry),
            .writable = at->writable && (entry & SHADOW_RW),
            .executable = at->executable && !(entry & SHADOW_NX),
        };

        if (!(entry & SHADOW_P))
            continue;
        if (level == 4 && i >= ENTRIES / 2)
            next.linear |= 0xffffull << 48;
        v->pages++;
        if (level > 1)
            each(v, &next, level - 1, 0);
        else
            v->f(&next);
    }
}

unsigned vmm_mmu_each(unsigned first_slot, unsigned max_pages, void (*f)(const struct vmm_leaf *))
{
    struct visit v = { 0, max_pages, f };
    struct vmm_leaf root = { .frame = loaded, .writable = true, .executable = true };

    each(&v, &root, 4, first_slot);
    return v.pages;
}

const char *vmm_mmu_check(void)
{
    if (vmm_mmu_wrong != NULL)
        return vmm_mmu_wrong;
    for (unsigned nr = 1; nr <= nr_tables; nr++)
        for (unsigned i = 0; tables[nr].count > 0 && tables[nr].level == 1 && i < ENTRIES; i++)
            if ((tables[nr].entries[i] & SHADOW_P) && !leaf_ok(tables[nr].entries[i]))
                return vmm_mmu_wrong;
    return NULL;
}
