/* The memory of the translator: the region's parts, blocks in the order in which they are made,
 * what describes them. It is only ever added to; when one of its parts is full all blocks go. */
#include <stdlib.h>
#include <string.h>
#include "guest-pv/vmm/translate/cache.h"

#define MAX_BLOCKS 0x18000u
#define MAX_POINTS 0x140000u
#define MAX_STUBS 0x60000u
#define MAX_INSNS 0x10000u
#define MAX_SOURCE (3u << 20)           /* bytes */
#define BLOCK_BYTES 8192u               /* that a block can take at most, in the region */
#define BLOCK_POINTS 512u
#define BLOCK_STUBS 112u
#define BLOCK_SOURCE 1024u
#define GRANULE 256u

/* What is there when no block is: the state page, no targets, the lookup routines. */
static void start_anew(struct cpu *c)
{
    struct translator *t = c->translator;
    struct tblock *b;

    memset(t->hash, 0, BLOCK_HASH * sizeof(t->hash[0]));
    memset(t->entries, 0, ENTRY_HASH * sizeof(t->entries[0]));
    memset(t->frames, 0, c->ram.nr_frames * sizeof(t->frames[0]));
    forget_walks(c);
    t->all_stale = false;
    t->used = CODE_OFFSET;
    t->nr_points = t->nr_source = 0;
    t->nr_blocks = t->nr_stubs = t->nr_insns = 1;
    t->last_block = t->last_stub = 0;
    memset(t->recent_points, 0, sizeof(t->recent_points));
    t->changes++;
    b = new_block(c, 0, 0);
    b->state = BLOCK_ROUTINE;
    build_lookups(t);
    add_block(t);
    for (unsigned i = 0; i < RETURN_SLOTS; i++)
        t->returns[i] = t->host->base + t->lookup[LOOKUP_JUMP];
    t->state->link = t->returns[0];
}

/* Of an IRET's flags the core does those with TF, IOPL, NT or bit 15. */
static void set_up_state(struct state_page *s)
{
    memset(s, 0, STATE_BYTES);
    for (unsigned i = 0; i < ARRAY_SIZE(s->iret_if_words); i++) {
        unsigned flags = i << 8, allowed = FLAG_IF | FLAG_DF | FLAG_OF;

        s->iret_if_words[i] = flags & ~allowed ? IRET_BY_CORE
                              : flags & FLAG_IF ? 0
                                                : -(uint64_t)FLAG_IF;
    }
}

static bool allocate(struct cpu *c, struct translator *t)
{
    t->blocks = calloc(MAX_BLOCKS, sizeof(t->blocks[0]));
    t->points = calloc(MAX_POINTS, sizeof(t->points[0]));
    t->stubs = calloc(MAX_STUBS, sizeof(t->stubs[0]));
    t->insns = calloc(MAX_INSNS, sizeof(t->insns[0]));
    t->source = calloc(MAX_SOURCE, 1);
    t->granules = calloc(t->host->bytes / GRANULE + 1, sizeof(t->granules[0]));
    t->hash = calloc(BLOCK_HASH, sizeof(t->hash[0]));
    t->entries = calloc(ENTRY_HASH, sizeof(t->entries[0]));
    t->frames = calloc(c->ram.nr_frames, sizeof(t->frames[0]));
    return t->blocks != NULL && t->points != NULL && t->stubs != NULL && t->insns != NULL &&
           t->source != NULL && t->granules != NULL && t->hash != NULL && t->entries != NULL &&
           t->frames != NULL;
}

uint64_t translate_memory(uint64_t region_bytes)
{
    return (uint64_t)MAX_BLOCKS * sizeof(struct tblock) +
           (uint64_t)MAX_POINTS * sizeof(struct point) + (uint64_t)MAX_STUBS * sizeof(struct stub) +
           (uint64_t)MAX_INSNS * sizeof(struct kept_callout) + MAX_SOURCE +
           region_bytes / GRANULE * sizeof(uint32_t) + (1u << 20);
}

/* All addresses of the region have the same high half: emit_set_host_address(). */
static bool fits(const struct translate_host *host)
{
    return host->bytes >= CODE_OFFSET + 4 * BLOCK_BYTES &&
           (host->base ^ (host->base + host->bytes - 1)) >> 32 == 0;
}

bool translate_init(struct cpu *c, const struct translate_host *host)
{
    struct translator *t = fits(host) ? calloc(1, sizeof(*t)) : NULL;

    if (t == NULL)
        return false;
    c->translator = t;
    t->host = host;
    t->state = (struct state_page *)host->memory;
    t->returns = (uint64_t *)(host->memory + RETURNS_OFFSET);
    for (enum lookup by = 0; by < NR_LOOKUPS; by++)
        t->targets[by] = (uint64_t *)(host->memory + TARGETS_OFFSET) + by * TARGETS;
    if (!allocate(c, t)) {
        translate_free(c);
        return false;
    }
    set_up_state(t->state);
    start_anew(c);
    return true;
}

void translate_free(struct cpu *c)
{
    struct translator *t = c->translator;

    free(t->frames);
    free(t->entries);
    free(t->hash);
    free(t->granules);
    free(t->source);
    free(t->insns);
    free(t->stubs);
    free(t->points);
    free(t->blocks);
    free(t);
    c->translator = NULL;
}

static void drop_all(struct cpu *c)
{
    struct translator *t = c->translator;

    for (uint64_t i = 0; i < c->ram.nr_frames; i++)
        c->ram.flags[i] &= (uint8_t)~FRAME_CODE;
    t->counters.drops_of_all++;
    start_anew(c);
}

bool has_room(const struct translator *t)
{
    return t->used + BLOCK_BYTES <= t->host->bytes && t->nr_blocks < MAX_BLOCKS &&
           t->nr_points + BLOCK_POINTS <= MAX_POINTS && t->nr_stubs + BLOCK_STUBS <= MAX_STUBS &&
           t->nr_insns + BLOCK_STUBS <= MAX_INSNS && t->nr_source + BLOCK_SOURCE <= MAX_SOURCE;
}

struct tblock *new_block(struct cpu *c, uint64_t rip, unsigned slot)
{
    struct translator *t = c->translator;
    struct tblock *b;

    if (!has_room(t))
        drop_all(c);
    b = &t->blocks[t->nr_blocks];
    *b = (struct tblock){ .rip = rip, .slot = (uint16_t)slot, .start = t->used,
                          .frame = { NO_FRAME, NO_FRAME }, .epoch = t->epoch,
                          .first_point = t->nr_points, .first_stub = t->nr_stubs };
    return b;
}

void add_block(struct translator *t)
{
    const struct tblock *b = &t->blocks[t->nr_blocks];

    for (uint32_t g = (b->start + GRANULE - 1) / GRANULE; g <= (t->used - 1) / GRANULE; g++)
        t->granules[g] = t->nr_blocks;
    t->counters.bytes += t->used - b->start;
    t->nr_blocks++;
}

/* From the block that the granule begins in. */
uint32_t block_at(const struct translator *t, uint32_t at)
{
    uint32_t nr;

    at = MIN(at, t->used - 1);
    nr = t->granules[at / GRANULE];
    while (nr + 1 < t->nr_blocks && t->blocks[nr + 1].start <= at)
        nr++;
    return nr;
}
