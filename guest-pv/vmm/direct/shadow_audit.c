/* Recounts what shadow.h and shadow_table.h promise of the shadow tables, from the guest's tables
 * and from nothing that was kept in between: for tests and debug builds. That the machine's tables
 * hold the same entries is for the host to know. */
#include <stdlib.h>
#include <string.h>
#include "guest-pv/vmm/core/page_entry.h"
#include "guest-pv/vmm/direct/shadow_table.h"


struct audit {
    const struct cpu *c;
    struct shadows *s;
    uint8_t *seen;              /* a bit for each entry of each table: it is in a list */
    unsigned entries, refs;     /* that lead to what has a list; that are in lists */
    unsigned used, in_frames;   /* tables; those that stand for a guest's table in RAM */
};

/* --- Entries: S1, S2 -------------------------------------------------------------------------- */

/* The guest's entry that a shadow's entry stands for; of a large page a part of it. */
static uint64_t guest_entry(const struct audit *a, const struct shadow *t, unsigned index)
{
    if (t->key.large)
        return (t->key.frame + ((uint64_t)index << 9 * (t->key.level - 1))) << FRAME_SHIFT |
               PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | (t->key.level > 1 ? PTE_PS : 0);
    return read_page_entry(&a->c->ram, t->key.frame, index);
}

static const char *check_target_frame(const struct audit *a, uint64_t entry, uint64_t frame)
{
    uint64_t target = (entry & FRAME_MASK) >> FRAME_SHIFT;

    if (!frame_is_ram(&a->c->ram, frame)) {
        if (target != SHADOW_ZERO_FRAME || (entry & SHADOW_RW))
            return "S1: absent memory is not the page of zeroes, read-only";
        return NULL;
    }
    if (target != frame)
        return "S1: a leaf leads to another frame than the guest's entry";
    if ((entry & SHADOW_RW) && frame_flags(&a->c->ram, frame) != 0)
        return "S2: a frame with flags is mapped writable";
    return NULL;
}

static const char *check_target_table(const struct audit *a, const struct shadow *t,
                                      uint64_t entry, uint64_t guest)
{
    uint64_t nr = (entry & FRAME_MASK) >> FRAME_SHIFT, frame = (guest & FRAME_MASK) >> FRAME_SHIFT;
    bool large = t->key.level < 4 && (guest & PTE_PS);
    const struct shadow *child = &a->s->tables[nr];

    if (nr <= EMPTY_ROOT || nr > a->s->nr_tables || !child->used)
        return "an entry leads to a table that is not in use";
    if (large)
        frame &= ~((1ull << 9 * (t->key.level - 1)) - 1);
    if (child->key.frame != frame || child->key.large != large ||
        child->key.level != t->key.level - 1 || child->key.role != t->key.role)
        return "S1: an entry leads to another table than the guest's entry";
    if ((entry & SHADOW_RW) && large && !(guest & PTE_D))
        return "S1: a large page is writable, and the guest's entry is not dirty";
    return NULL;
}

/* The slot of the region, in roots of the kernel and nowhere else. */
static bool is_slot_of_region(const struct audit *a, const struct shadow *t, unsigned index)
{
    return a->s->region != 0 && t->key.level == 4 && index == a->s->region_slot;
}

static const char *check_region(const struct audit *a, const struct shadow *t, uint64_t entry)
{
    if (t->key.role != ROLE_KERNEL)
        return entry == 0 ? NULL : "the user sees the vmm's region";
    if ((entry & FRAME_MASK) >> FRAME_SHIFT != a->s->region)
        return "a root of the kernel does not lead to the vmm's region";
    return NULL;
}

static const char *check_entry(const struct audit *a, const struct shadow *t, unsigned index)
{
    uint64_t entry = t->entries[index], guest = guest_entry(a, t, index);
    uint64_t reserved = PTE_RESERVED | (a->c->efer & EFER_NXE ? 0 : PTE_NX);

    if (is_slot_of_region(a, t, index))
        return check_region(a, t, entry);
    if (!(entry & SHADOW_P))
        return entry == 0 ? NULL : "an entry that is not present is not 0";
    if (t->key.level == 4 && index >= HOLE_FIRST && index <= HOLE_LAST)
        return "an entry in the hypervisor's slots";
    if ((guest & (PTE_P | PTE_A)) != (PTE_P | PTE_A) || (guest & reserved))
        return "S1: an entry is present, and the guest's is not, or was not used";
    if (t->key.role == ROLE_USER && !(guest & PTE_US))
        return "S1: the user sees a page of the kernel";
    if ((entry & SHADOW_RW) && !(guest & PTE_RW))
        return "S1: an entry is writable, and the guest's is not";
    if (!(entry & SHADOW_NX) && (guest & PTE_NX))
        return "S1: an entry is executable, and the guest's is not";
    if (t->key.level > 1)
        return check_target_table(a, t, entry, guest);
    if ((entry & SHADOW_RW) && !(guest & PTE_D))
        return "S1: an entry is writable, and the guest's is not dirty";
    return check_target_frame(a, entry, (guest & FRAME_MASK) >> FRAME_SHIFT);
}

/* --- Lists ------------------------------------------------------------------------------------ */

/* Of the frame, or of the table, with this number. A list without end comes to an entry twice. */
static const char *check_list(struct audit *a, uint32_t first, bool of_table, uint64_t target)
{
    uint32_t previous = NO_REF;

    for (uint32_t nr = first; nr != NO_REF; nr = a->s->refs[nr].next) {
        const struct shadow *t = &a->s->tables[nr / ENTRIES];
        uint64_t entry = t->entries[nr % ENTRIES];

        if (!t->used || (t->key.level > 1) != of_table || !(entry & SHADOW_P) ||
            (entry & FRAME_MASK) >> FRAME_SHIFT != target)
            return "an entry is in the list of what it does not lead to";
        if (a->seen[nr / 8] >> nr % 8 & 1)
            return "an entry is in a list twice";
        if (a->s->refs[nr].previous != previous)
            return "a list is not the same backwards";
        a->seen[nr / 8] |= (uint8_t)(1u << nr % 8);
        a->refs++;
        previous = nr;
    }
    return NULL;
}

/* --- Tables and frames: S3, S4 ---------------------------------------------------------------- */

static bool has_list(const struct shadow *t, uint64_t entry)
{
    return (entry & SHADOW_P) &&
           (t->key.level > 1 || (entry & FRAME_MASK) >> FRAME_SHIFT < SHADOW_REGION);
}

static const char *check_table(struct audit *a, shadow_t nr)
{
    struct shadow *t = &a->s->tables[nr];
    const char *wrong = NULL;

    if (!t->used)
        return NULL;
    a->used++;
    a->in_frames += !t->key.large && frame_is_ram(&a->c->ram, t->key.frame);
    if (shadow_find(a->s, &t->key) != nr)
        return "a table is not found by its key";
    for (unsigned i = 0; i < ENTRIES && wrong == NULL; i++) {
        if (t->entries[i] != 0 && !(t->groups >> i / GROUP & 1))
            return "an entry is in a group that counts as empty";
        a->entries += has_list(t, t->entries[i]);
        wrong = t->key.frame < SHADOW_REGION ? check_entry(a, t, i) : NULL;
    }
    return wrong != NULL ? wrong : check_list(a, t->parents, true, nr);
}

static const char *check_frame(struct audit *a, uint64_t frame)
{
    bool flag = a->c->ram.flags[frame] & FRAME_TABLE;

    if (flag != (a->s->of_frame[frame] != 0))
        return "S3: FRAME_TABLE is not what says that a frame has shadows";
    for (shadow_t t = a->s->of_frame[frame]; t != 0; t = a->s->tables[t].next_same_frame) {
        if (!a->s->tables[t].used || a->s->tables[t].key.large ||
            a->s->tables[t].key.frame != frame || a->in_frames-- == 0)
            return "a table is in the list of a frame that it does not stand for";
    }
    return check_list(a, a->s->maps[frame], false, frame);
}

static const char *check_free(const struct audit *a)
{
    unsigned n = 0;

    for (shadow_t t = a->s->free; t != 0 && n <= a->s->nr_free; t = a->s->tables[t].next_hash) {
        if (a->s->tables[t].used)
            return "a table is free and in use";
        n++;
    }
    if (n != a->s->nr_free || n + a->used + EMPTY_ROOT != a->s->nr_tables)
        return "S4: the number of tables is wrong";
    return NULL;
}

/* NXE has changed only if all tables were dropped. */
static uint64_t root_word(const struct shadows *s)
{
    const struct shadow_key *key = &s->tables[s->loaded].key;

    return key->frame << FRAME_SHIFT | (s->nxe ? 2 : 0) | (key->role == ROLE_USER);
}

static const char *check(struct audit *a)
{
    struct shadows *s = a->s;
    const char *wrong = s->queued == 0 ? NULL : "an update has not been sent";

    for (shadow_t t = EMPTY_ROOT + 1; t <= s->nr_tables && wrong == NULL; t++)
        wrong = check_table(a, t);
    for (uint64_t frame = 0; frame < a->c->ram.nr_frames && wrong == NULL; frame++)
        wrong = check_frame(a, frame);
    if (wrong != NULL)
        return wrong;
    if (a->in_frames != 0)
        return "a table is not in the list of its frame";
    if (a->refs != a->entries)
        return "an entry is in no list";
    if (s->loaded != EMPTY_ROOT && (!s->tables[s->loaded].used ||
                                    s->tables[s->loaded].key.level != 4))
        return "what is loaded is no root";
    if (s->loaded_for != (s->loaded == EMPTY_ROOT ? ~0ull : root_word(s)))
        return "another root counts as loaded";
    return check_free(a);
}

const char *shadow_audit(struct cpu *c)
{
    struct audit a = { .c = c, .s = c->shadows };
    const char *wrong;

    a.seen = calloc(a.s->nr_tables + 1, ENTRIES / 8);
    if (a.seen == NULL)
        return "no memory for the audit";
    wrong = check(&a);
    free(a.seen);
    return wrong;
}
