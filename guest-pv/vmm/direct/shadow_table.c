/* Shadow tables, their entries and references: see shadow_table.h. Updates are queued, and sent
 * when the queue is full, before a table is emptied or its pin changes, and at the end of each
 * function of shadow.h. */
#include <stdlib.h>
#include <string.h>
#include "guest-pv/vmm/direct/shadow_table.h"

#define HASH_BITS 12
#define NR_HASH (1u << HASH_BITS)

static shadow_t *hash_head(struct shadows *s, const struct shadow_key *key)
{
    uint64_t v = key->frame << 5 | (uint64_t)key->level << 2 | (uint64_t)key->role << 1 |
                 key->large;

    return &s->hash[v * 0x9e3779b97f4a7c15ull >> (64 - HASH_BITS)];
}

bool shadow_same_key(const struct shadow_key *a, const struct shadow_key *b)
{
    return a->frame == b->frame && a->level == b->level && a->role == b->role &&
           a->large == b->large;
}

shadow_t shadow_find(struct shadows *s, const struct shadow_key *key)
{
    shadow_t t = *hash_head(s, key);

    while (t != 0 && !shadow_same_key(&s->tables[t].key, key))
        t = s->tables[t].next_hash;
    return t;
}

/* --- Updates ---------------------------------------------------------------------------------- */

bool shadow_send(struct shadows *s)
{
    if (s->queued != 0 && !s->host->set(s->queue, s->queued))
        s->failed = true;
    s->queued = 0;
    return !s->failed;
}

static void queue(struct shadows *s, shadow_t table, unsigned index, uint64_t entry)
{
    if (s->queued == QUEUE)
        shadow_send(s);
    s->queue[s->queued++] = (struct shadow_update){
        .table = table, .index = (uint16_t)index, .level = s->tables[table].key.level,
        .frame = (entry & FRAME_MASK) >> FRAME_SHIFT, .flags = entry & ~FRAME_MASK,
    };
}

/* --- References ------------------------------------------------------------------------------- */

/* The list that an entry belongs to: of the frame that a leaf maps, of the table that another one
 * leads to. NULL: none is kept, of pages that are the vmm's. */
static uint32_t *list_of(struct shadows *s, shadow_t table, uint64_t entry)
{
    uint64_t target = (entry & FRAME_MASK) >> FRAME_SHIFT;

    if (s->tables[table].key.level > 1)
        return &s->tables[target].parents;
    return target >= SHADOW_REGION ? NULL : &s->maps[target];
}

static void add_ref(struct shadows *s, uint32_t *list, uint32_t nr)
{
    s->refs[nr] = (struct shadow_ref){ .next = *list };
    if (*list != NO_REF)
        s->refs[*list].previous = nr;
    *list = nr;
}

static void remove_ref(struct shadows *s, uint32_t *list, uint32_t nr)
{
    struct shadow_ref r = s->refs[nr];

    if (r.previous != NO_REF)
        s->refs[r.previous].next = r.next;
    else
        *list = r.next;
    if (r.next != NO_REF)
        s->refs[r.next].previous = r.previous;
}

/* Puts the entry into the list of what it leads to, or takes it from there. */
static void list_entry(struct shadows *s, shadow_t table, unsigned index, uint64_t entry,
                       void (*change)(struct shadows *s, uint32_t *list, uint32_t nr))
{
    uint32_t *list = entry & SHADOW_P ? list_of(s, table, entry) : NULL;

    if (list != NULL)
        change(s, list, table * ENTRIES + index);
}

void shadow_set(struct shadows *s, shadow_t table, unsigned index, uint64_t entry)
{
    uint64_t *e = &s->tables[table].entries[index];

    if (*e == entry)
        return;
    if ((*e ^ entry) & FRAME_MASK || !(*e & entry & SHADOW_P)) {
        list_entry(s, table, index, *e, remove_ref);
        list_entry(s, table, index, entry, add_ref);
    }
    *e = entry;
    s->tables[table].groups |= 1ull << index / GROUP;
    queue(s, table, index, entry);
}

void shadow_make_read_only(struct cpu *c, uint64_t frame)
{
    struct shadows *s = c->shadows;

    for (uint32_t nr = s->maps[frame]; nr != NO_REF; nr = s->refs[nr].next) {
        shadow_t table = nr / ENTRIES;
        unsigned index = nr % ENTRIES;

        shadow_set(s, table, index, s->tables[table].entries[index] & ~SHADOW_RW);
    }
}

/* --- Tables ----------------------------------------------------------------------------------- */

static void protect(struct cpu *c, uint64_t frame)
{
    if (!frame_is_ram(&c->ram, frame) || (c->ram.flags[frame] & FRAME_TABLE))
        return;
    c->ram.flags[frame] |= FRAME_TABLE;
    tlb_forget_writes(c);
    shadow_make_read_only(c, frame);
}

shadow_t shadow_make(struct cpu *c, const struct shadow_key *key)
{
    struct shadows *s = c->shadows;
    shadow_t t = s->free, *head = hash_head(s, key);
    struct shadow *table = &s->tables[t];

    shadow_send(s); /* nothing that is queued is of the table's last use */
    if (table->stale && !s->host->clear(t))
        return 0;
    table->stale = true;
    if (key->level == 4 && !s->host->pin(t))
        return 0;
    s->free = table->next_hash;
    s->nr_free--;
    table->key = *key;
    table->used = true;
    table->writes = 0;
    table->prefilled = ENTRIES;         /* no fault is behind it */
    table->parents = NO_REF;
    table->next_hash = *head;
    *head = t;
    table->next_same_frame = 0;
    if (!key->large && frame_is_ram(&c->ram, key->frame)) {
        table->next_same_frame = s->of_frame[key->frame];
        s->of_frame[key->frame] = t;
        protect(c, key->frame);
    }
    return t;
}

static void unlink_table(struct cpu *c, shadow_t t)
{
    struct shadows *s = c->shadows;
    struct shadow *table = &s->tables[t];
    uint64_t frame = table->key.frame;
    shadow_t *p = hash_head(s, &table->key);

    while (*p != t)
        p = &s->tables[*p].next_hash;
    *p = table->next_hash;
    if (table->key.large || !frame_is_ram(&c->ram, frame))
        return;
    for (p = &s->of_frame[frame]; *p != t; p = &s->tables[*p].next_same_frame)
        ;
    *p = table->next_same_frame;
    if (s->of_frame[frame] == 0)
        c->ram.flags[frame] &= (uint8_t)~FRAME_TABLE;
}

/* Entries that the host still has, but no reference any more. */
static void empty(struct shadows *s, shadow_t t)
{
    struct shadow *table = &s->tables[t];

    for (; table->groups != 0; table->groups &= table->groups - 1) {
        unsigned first = GROUP * (unsigned)__builtin_ctzll(table->groups);

        for (unsigned i = first; i < first + GROUP; i++) {
            list_entry(s, t, i, table->entries[i], remove_ref);
            table->entries[i] = 0;
        }
    }
}

/* Nothing leads to it, it leads nowhere. Its entries stay in the machine until the next use. */
void shadow_drop(struct cpu *c, shadow_t t)
{
    struct shadows *s = c->shadows;
    struct shadow *table = &s->tables[t];

    while (table->parents != NO_REF)
        shadow_set(s, table->parents / ENTRIES, table->parents % ENTRIES, 0);
    shadow_send(s);
    if (s->loaded == t) {
        if (!s->host->load(EMPTY_ROOT))
            s->failed = true;
        s->loaded = EMPTY_ROOT;
        s->loaded_for = ~0ull;
    }
    if (table->key.level == 4 && !s->host->unpin(t))
        s->failed = true;
    empty(s, t);
    unlink_table(c, t);
    table->used = false;
    table->next_hash = s->free;
    s->free = t;
    s->nr_free++;
    s->counters.drops++;
}

/* Roots first: then nothing has parents, and each table is dropped at the cost of its entries. */
void shadow_drop_all(struct cpu *c)
{
    struct shadows *s = c->shadows;

    for (unsigned level = 4; level >= 1; level--)
        for (shadow_t t = EMPTY_ROOT + 1; t <= s->nr_tables; t++)
            if (s->tables[t].used && s->tables[t].key.level == level &&
                s->tables[t].key.frame < SHADOW_REGION)
                shadow_drop(c, t);
}

/* --- Start and end ---------------------------------------------------------------------------- */

static bool allocate(struct cpu *c, struct shadows *s)
{
    s->tables = calloc(s->nr_tables + 1, sizeof(s->tables[0]));
    s->hash = calloc(NR_HASH, sizeof(s->hash[0]));
    s->of_frame = calloc(c->ram.nr_frames, sizeof(s->of_frame[0]));
    s->maps = calloc(c->ram.nr_frames, sizeof(s->maps[0]));
    s->refs = calloc((s->nr_tables + 1) * (size_t)ENTRIES, sizeof(s->refs[0]));
    if (s->tables == NULL || s->hash == NULL || s->of_frame == NULL || s->maps == NULL ||
        s->refs == NULL)
        return false;
    for (shadow_t t = s->nr_tables; t > EMPTY_ROOT; t--) {
        s->tables[t].next_hash = s->free;
        s->tables[t].stale = true; /* never used: clear() makes it */
        s->free = t;
    }
    s->nr_free = s->nr_tables - 1;
    return true;
}

bool shadows_init(struct cpu *c, const struct shadow_host *host, unsigned nr_tables)
{
    struct shadows *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return false;
    c->shadows = s;
    c->frame_written = shadow_written;
    s->host = host;
    s->nr_tables = nr_tables;
    if (nr_tables < 4 * TABLES_FOR_A_FILL || !allocate(c, s) || !host->clear(EMPTY_ROOT) ||
        !host->pin(EMPTY_ROOT) || !host->load(EMPTY_ROOT)) {
        shadows_free(c);
        return false;
    }
    s->tables[EMPTY_ROOT].key = (struct shadow_key){ .level = 4 };
    s->loaded = EMPTY_ROOT;
    s->loaded_for = ~0ull;
    return true;
}

void shadows_free(struct cpu *c)
{
    struct shadows *s = c->shadows;

    free(s->refs);
    free(s->maps);
    free(s->of_frame);
    free(s->hash);
    free(s->tables);
    free(s);
    c->shadows = NULL;
    c->frame_written = NULL;
}
