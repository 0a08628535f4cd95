/* Blocks of translated code: finds and makes them, and chains them. What is in them is
 * build.c's, the memory for them table.c's, what is done when their bytes may have changed
 * suspect.c's. */
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/paging.h"
#include "guest-pv/vmm/translate/cache.h"

static uint32_t *entry_head(struct translator *t, uint64_t rip)
{
    return &t->entries[rip * 0x9e3779b97f4a7c15ull >> 51];
}
_Static_assert(ENTRY_HASH == 1u << (64 - 51), "the hash has 13 bits");

/* --- Chains ----------------------------------------------------------------------------------- */

/* The stub's branch leads to the block's place from now on. */
static void chain(struct translator *t, uint32_t stub, uint32_t nr, uint32_t to)
{
    struct stub *s = &t->stubs[stub];

    /* Guest code may have jumped into the stub of a branch that is chained. */
    if (s->kind != EXIT_OF_BRANCH || s->chained)
        return;
    s->to = to;
    patch_branch(t, s->patch, to);
    s->next = t->blocks[nr].incoming;
    t->blocks[nr].incoming = stub;
    s->chained = true;
    t->counters.chained++;
}

/* The entry or adapter for rip with that key; 0: there is none. */
static uint32_t find_routine(struct translator *t, uint64_t rip, unsigned key)
{
    uint32_t nr = *entry_head(t, rip);

    while (nr != 0 && (t->blocks[nr].rip != rip || t->blocks[nr].slot != key))
        nr = t->blocks[nr].same_hash;
    return nr;
}

/* A new one, to be built, and then listed; NULL: there is no room. */
static struct tblock *new_routine(struct cpu *c, uint64_t rip, unsigned key)
{
    struct tblock *b;

    if (!has_room(c->translator))
        return NULL;
    b = new_block(c, rip, key);
    b->state = BLOCK_ROUTINE;
    return b;
}

static uint32_t list_routine(struct translator *t)
{
    uint32_t nr = t->nr_blocks, *head = entry_head(t, t->blocks[nr].rip);

    add_block(t);
    t->blocks[nr].same_hash = *head;
    *head = nr;
    return nr;
}

static uint32_t adapter_for(struct cpu *c, const struct stub *s, unsigned slot)
{
    unsigned key = NR_LOOKUPS + s->slot;
    uint32_t nr = find_routine(c->translator, s->rip, key);
    struct tblock *b;

    if (nr != 0)
        return nr;
    b = new_routine(c, s->rip, key);
    if (b == NULL)
        return 0;
    build_adapter(c->translator, b, s->slot, slot);
    return list_routine(c->translator);
}

/* The same, by way of an adapter where the block is another function's. Returns the place where the
 * branch goes on now. */
static uint32_t lead_stub(struct cpu *c, uint32_t stub, uint32_t nr, uint32_t to)
{
    struct translator *t = c->translator;
    const struct stub *s = &t->stubs[stub];
    uint32_t adapter;

    if (s->kind == EXIT_OF_BRANCH && !s->chained && s->slot != t->blocks[nr].slot &&
        t->blocks[s->block].state != BLOCK_ROUTINE) {
        adapter = adapter_for(c, s, t->blocks[nr].slot);
        if (adapter != 0) {
            chain(t, t->blocks[adapter].first_stub, nr, to);
            nr = adapter;
            to = t->blocks[adapter].start;
        }
    }
    chain(t, stub, nr, to);
    return to;
}

/* Its branches to blocks that are there already need not call out first. */
static void chain_all(struct cpu *c, uint32_t nr)
{
    struct translator *t = c->translator;
    const struct tblock *b = &t->blocks[nr];

    for (uint32_t stub = b->first_stub; stub < b->first_stub + b->nr_stubs; stub++) {
        struct stub *s = &t->stubs[stub];
        uint32_t target, to;

        if (s->kind != EXIT_OF_BRANCH || s->chained)
            continue;
        to = place_in_block(t, b, s->rip);
        if (to != 0) {
            chain(t, stub, nr, to);
            continue;
        }
        for (target = *hash_head(t, s->rip); target != 0; target = t->blocks[target].same_hash)
            if (t->blocks[target].rip == s->rip && t->blocks[target].state == BLOCK_LIVE)
                break;
        if (target != 0)
            lead_stub(c, stub, target, t->blocks[target].start);
    }
}

/* --- Finding and making ----------------------------------------------------------------------- */

static void list_block(struct translator *t, uint32_t nr)
{
    struct tblock *b = &t->blocks[nr];
    uint32_t *head = hash_head(t, b->rip);

    b->same_hash = *head;
    *head = nr;
    for (unsigned i = 0; i < 2 && b->frame[i] != NO_FRAME; i++) {
        b->same_frame[i] = t->frames[b->frame[i]];
        t->frames[b->frame[i]] = nr << 1 | i;
    }
}

static uint32_t make_block(struct cpu *c, uint64_t rip, uint32_t frame, unsigned slot)
{
    struct translator *t = c->translator;
    struct tblock *b = new_block(c, rip, slot);
    uint32_t nr = t->nr_blocks;

    b->frame[0] = frame;
    b->state = BLOCK_LIVE;
    if (!build_block(c, b))
        return 0;
    add_block(t);
    list_block(t, nr);
    remember_walk(c, rip);
    watch_frame(c, frame);
    if (b->frame[1] != NO_FRAME) {
        remember_walk(c, next_page(rip));
        watch_frame(c, b->frame[1]);
    }
    chain_all(c, nr);
    t->counters.blocks++;
    return nr;
}

/* A block of the frame that has the instruction in its middle. */
static uint32_t find_inside(struct cpu *c, uint64_t rip, uint32_t frame, uint32_t *to)
{
    struct translator *t = c->translator;
    uint32_t next;

    for (uint32_t ref = t->frames[frame]; ref != 0; ref = next) {
        const struct tblock *b = &t->blocks[ref >> 1];

        next = *next_of_frame(t, ref);
        if (rip - b->rip >= b->length)
            continue;
        *to = place_in_block(t, b, rip);
        if (*to != 0 && make_live(c, ref >> 1))
            return ref >> 1;
        if (*to != 0)
            return 0; /* the list has changed */
    }
    return 0;
}

/* 0: none. `to` is the place in the region. Without room for what it would depend on, no block that
 * is there may run before its own walk has been looked at again. */
static uint32_t find_block(struct cpu *c, uint64_t rip, unsigned slot, uint32_t *to)
{
    struct translator *t = c->translator;
    struct translation where;
    uint32_t nr, next;

    if (t->all_stale || !has_room_for_walks(t))
        suspend_all(c);
    for (nr = *hash_head(t, rip); nr != 0; nr = next) {
        next = t->blocks[nr].same_hash;
        if (t->blocks[nr].rip == rip && make_live(c, nr)) {
            *to = t->blocks[nr].start;
            return nr;
        }
    }
    if (!walk(c, rip, ACCESS_FETCH, &where) || !frame_is_ram(&c->ram, where.frame))
        return 0;
    nr = find_inside(c, rip, (uint32_t)where.frame, to);
    if (nr != 0)
        return nr;
    nr = make_block(c, rip, (uint32_t)where.frame, slot);
    *to = t->blocks[nr].start;
    return nr;
}

/* Indirect branches with this target find the block from now on. Without room the next block makes
 * it. */
static void set_target(struct cpu *c, enum lookup by, uint64_t rip, uint32_t nr, uint32_t to)
{
    struct translator *t = c->translator;
    uint32_t entry = find_routine(t, rip, by);

    if (entry == 0) {
        struct tblock *b = new_routine(c, rip, by);

        if (b == NULL || !build_entry(t, b, by, t->blocks[nr].slot))
            return;
        entry = list_routine(t);
    }
    if (by == LOOKUP_CALL) /* as the entry does the next time */
        t->returns[t->blocks[nr].slot] = t->state->link;
    chain(t, t->blocks[entry].first_stub, nr, to);
    t->targets[by][rip & (TARGETS - 1)] = t->host->base + t->blocks[entry].start;
}

static void set_up_state(struct cpu *c)
{
    struct state_page *s = c->translator->state;

    s->if_word = c->regs[REG_RFLAGS] & FLAG_IF ? 0 : -(uint64_t)FLAG_IF;
    for (unsigned i = 0; i < ARRAY_SIZE(s->selectors); i++)
        s->selectors[i] = c->seg[i].selector;
    s->minus_cs = -(uint64_t)c->seg[SEG_CS].selector;
    s->minus_ss = -(uint64_t)c->seg[SEG_SS].selector;
}

uint64_t translate_entry(struct cpu *c)
{
    struct translator *t = c->translator;
    uint64_t rip = c->regs[REG_RIP], of_all = t->counters.drops_of_all, host;
    uint32_t stub = t->last_stub, nr, to = 0;
    const struct stub *s = &t->stubs[stub];
    bool branch = stub != 0 && s->kind == EXIT_OF_BRANCH && s->rip == rip;

    set_up_state(c);
    host = translate_resume(c);
    t->last_block = t->last_stub = 0;
    if (host != 0)
        return host;
    nr = find_block(c, rip, branch ? s->slot : return_slot(rip), &to);
    if (nr == 0)
        return 0;
    if (of_all == t->counters.drops_of_all) {
        if (branch)
            to = lead_stub(c, stub, nr, to);
        else if (stub != 0 && s->kind == EXIT_OF_LOOKUP)
            set_target(c, (enum lookup)s->slot, rip, nr, to);
    }
    return t->host->base + to;
}

const struct translate_counters *translate_counts(const struct cpu *c)
{
    return &c->translator->counters;
}
