/* Blocks whose bytes may have changed. A write to a frame with code makes its blocks suspect:
 * nothing leads to them any more, but they stay, and the frame may be written freely. When one
 * of them is wanted again, its bytes and those of its neighbours are compared with what was
 * translated; if they are the same it lives again, with all its chains, else it is dropped. So
 * it is when an entry of a table that led to blocks was written, with all of them, and what
 * leads to their bytes is looked at, too. X1 of translate.h; called by cache.c, store.c and the
 * hook for writes. */
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/paging.h"
#include "guest-pv/vmm/translate/cache.h"

/* With 0 RETs go to the lookup instead. */
static void set_places_of_return(struct translator *t, const struct tblock *b, uint8_t displacement)
{
    for (uint32_t nr = b->first_stub; nr < b->first_stub + b->nr_stubs; nr++)
        if (t->stubs[nr].kind == PLACE_OF_RETURN)
            t->host->memory[t->stubs[nr].patch] = displacement;
}

static void suspend(struct translator *t, struct tblock *b)
{
    if (b->state != BLOCK_LIVE)
        return;
    for (uint32_t s = b->incoming; s != 0; s = t->stubs[s].next)
        patch_branch(t, t->stubs[s].patch, t->stubs[s].at - STUB_BYTES);
    set_places_of_return(t, b, 0);
    b->state = BLOCK_SUSPECT;
    t->changes++;
    t->counters.suspended++;
}

static void resume(struct translator *t, struct tblock *b)
{
    for (uint32_t s = b->incoming; s != 0; s = t->stubs[s].next)
        patch_branch(t, t->stubs[s].patch, t->stubs[s].to);
    set_places_of_return(t, b, OVER_MISS);
    b->state = BLOCK_LIVE;
    t->counters.resumed++;
}

static void unlink_from_frame(struct translator *t, uint32_t nr, unsigned which)
{
    uint32_t ref = nr << 1 | which, *p = &t->frames[t->blocks[nr].frame[which]];

    while (*p != ref)
        p = next_of_frame(t, *p);
    *p = *next_of_frame(t, ref);
}

/* For good. */
static void drop(struct translator *t, uint32_t nr)
{
    struct tblock *b = &t->blocks[nr];
    uint32_t *p = hash_head(t, b->rip);

    suspend(t, b);
    while (*p != nr)
        p = &t->blocks[*p].same_hash;
    *p = b->same_hash;
    for (unsigned i = 0; i < 2; i++)
        if (b->frame[i] != NO_FRAME)
            unlink_from_frame(t, nr, i);
    for (uint32_t s = b->incoming; s != 0; s = t->stubs[s].next)
        t->stubs[s].chained = false;
    b->incoming = 0;
    b->state = BLOCK_DEAD;
    t->counters.drops++;
}

void translate_written(struct cpu *c, uint64_t phys, unsigned bytes, bool own)
{
    struct translator *t = c->translator;
    uint64_t frame = phys / GUEST_PAGE;

    if (c->ram.flags[frame] & FRAME_CODE) {
        for (uint32_t ref = t->frames[frame]; ref != 0; ref = *next_of_frame(t, ref))
            suspend(t, &t->blocks[ref >> 1]);
        c->ram.flags[frame] &= (uint8_t)~FRAME_CODE;
    }
    t->flagged_write = true;
    if (!own)
        walks_written(c, phys, bytes);
}

void suspend_all(struct cpu *c)
{
    struct translator *t = c->translator;

    for (uint32_t nr = 1; nr < t->nr_blocks; nr++)
        suspend(t, &t->blocks[nr]);
    forget_walks(c);
    t->all_stale = false;
    t->epoch++;
    t->counters.all_suspended++;
}

void watch_frame(struct cpu *c, uint64_t frame)
{
    if (c->ram.flags[frame] & FRAME_CODE)
        return;
    c->ram.flags[frame] |= FRAME_CODE;
    tlb_forget_writes(c);
    c->translator->host->protect(c, frame);
}

static bool leads_to_frame(struct cpu *c, uint64_t rip, uint32_t frame)
{
    struct translation where;

    return walk(c, rip, ACCESS_FETCH, &where) && where.frame == frame;
}

/* Does what leads to the block still do so? */
static bool is_mapped(struct cpu *c, struct tblock *b)
{
    struct translator *t = c->translator;

    if (b->epoch == t->epoch)
        return true;
    if (!leads_to_frame(c, b->rip, b->frame[0]) ||
        (b->frame[1] != NO_FRAME && !leads_to_frame(c, next_page(b->rip), b->frame[1])))
        return false;
    remember_walk(c, b->rip);
    if (b->frame[1] != NO_FRAME)
        remember_walk(c, next_page(b->rip));
    b->epoch = t->epoch;
    return true;
}

static bool has_same_bytes(const struct cpu *c, const struct tblock *b)
{
    const uint8_t *source = c->translator->source + b->source;
    unsigned offset = b->rip % GUEST_PAGE, first = MIN(b->length, GUEST_PAGE - offset);

    return memcmp(source, frame_to_read(&c->ram, b->frame[0]) + offset, first) == 0 &&
           (b->frame[1] == NO_FRAME || memcmp(source + first, frame_to_read(&c->ram, b->frame[1]),
                                              b->length - first) == 0);
}

/* The frames are watched before they are compared. False: it is dropped. */
static bool resume_or_drop(struct cpu *c, uint32_t nr)
{
    struct translator *t = c->translator;
    struct tblock *b = &t->blocks[nr];

    if (!is_mapped(c, b)) {
        drop(t, nr);
        return false;
    }
    for (unsigned i = 0; i < 2; i++)
        if (b->frame[i] != NO_FRAME)
            watch_frame(c, b->frame[i]);
    if (!has_same_bytes(c, b)) {
        drop(t, nr);
        return false;
    }
    resume(t, b);
    return true;
}

/* The others of the same page are likely to be wanted, too. */
static void resume_neighbours(struct cpu *c, uint32_t nr)
{
    struct translator *t = c->translator;
    const struct tblock *b = &t->blocks[nr];
    uint32_t next;

    for (uint32_t ref = t->frames[b->frame[0]]; ref != 0; ref = next) {
        const struct tblock *other = &t->blocks[ref >> 1];

        next = *next_of_frame(t, ref);
        if (other->state == BLOCK_SUSPECT && (ref & 1) == 0 && other->frame[1] == NO_FRAME &&
            (other->rip ^ b->rip) < GUEST_PAGE)
            resume_or_drop(c, ref >> 1);
    }
}

bool make_live(struct cpu *c, uint32_t nr)
{
    struct tblock *b = &c->translator->blocks[nr];

    if (b->state == BLOCK_LIVE)
        return true;
    if (!resume_or_drop(c, nr))
        return false;
    resume_neighbours(c, nr);
    return true;
}

void drop_block_at(struct translator *t, uint64_t host_rip)
{
    uint32_t nr = block_at(t, (uint32_t)(host_rip - t->host->base));

    if (t->blocks[nr].state == BLOCK_LIVE || t->blocks[nr].state == BLOCK_SUSPECT)
        drop(t, nr);
}
