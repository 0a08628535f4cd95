/* Keeps decoded blocks: finds them by RIP, makes them, drops those of a frame that is written, and
 * all of them when their memory is used up. What is in a block is build.c's. Called by run.c. */
#include <stdlib.h>
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/paging.h"
#include "guest-pv/vmm/emulate/block.h"

#define HASH_BITS 14
#define NR_HASH (1u << HASH_BITS)
#define LARGEST (sizeof(struct block) + \
                 (BLOCK_INSNS + 2) * (sizeof(struct op) + 2 + sizeof(struct kept_insn) + 8))

struct block no_block = { .mapping = NEVER };

static struct block **hash_head(struct emulator *e, uint64_t rip)
{
    return &e->hash[(rip * 0x9e3779b97f4a7c15ull) >> (64 - HASH_BITS)];
}

bool blocks_init(struct cpu *c, uint64_t arena_bytes)
{
    struct emulator *e = calloc(1, sizeof(*e));

    if (e == NULL)
        return false;
    c->emulator = e;
    c->frame_written = blocks_frame_written;
    e->hash = calloc(NR_HASH, sizeof(e->hash[0]));
    e->frames = calloc(c->ram.nr_frames, sizeof(e->frames[0]));
    e->arena = e->free = malloc(arena_bytes);
    for (unsigned i = 0; i < JUMPS; i++)
        e->jumps[i] = &no_block;
    for (unsigned i = 0; i < FETCHES; i++)
        e->fetches[i].mapping = NEVER;
    if (e->hash == NULL || e->frames == NULL || e->arena == NULL || arena_bytes < 2 * LARGEST) {
        blocks_free(c);
        return false;
    }
    e->arena_end = e->arena + arena_bytes;
    return true;
}

void blocks_free(struct cpu *c)
{
    struct emulator *e = c->emulator;

    free(e->arena);
    free(e->frames);
    free(e->hash);
    free(e);
    c->emulator = NULL;
    c->frame_written = NULL;
}

static void *take(struct emulator *e, size_t bytes)
{
    char *p = e->free;

    e->free += ALIGN_UP(bytes, 8);
    return p;
}

/* B3. */
static void drop_all(struct cpu *c)
{
    struct emulator *e = c->emulator;

    memset(e->hash, 0, NR_HASH * sizeof(e->hash[0]));
    memset(e->frames, 0, c->ram.nr_frames * sizeof(e->frames[0]));
    for (unsigned i = 0; i < JUMPS; i++)
        e->jumps[i] = &no_block;
    for (uint64_t i = 0; i < c->ram.nr_frames; i++)
        c->ram.flags[i] &= (uint8_t)~FRAME_CODE;
    e->free = e->arena;
    e->chain = NULL;
}

static void unhash(struct emulator *e, struct block *b)
{
    struct block **p = hash_head(e, b->rip);

    while (*p != b)
        p = &(*p)->same_hash;
    *p = b->same_hash;
}

void blocks_frame_written(struct cpu *c, uint64_t phys, unsigned bytes)
{
    struct emulator *e = c->emulator;
    uint64_t frame = phys / GUEST_PAGE;

    (void)bytes;
    for (struct block *b = e->frames[frame]; b != NULL; b = b->same_frame) {
        b->mapping = NEVER;
        unhash(e, b);
    }
    e->frames[frame] = NULL;
    c->ram.flags[frame] &= (uint8_t)~FRAME_CODE;
    c->counters.invalidations++;
}

static const struct kept_insn *keep_insn(struct cpu *c, const struct insn *in,
                                         const struct insn_case *k)
{
    struct kept_insn *kept = take(c->emulator, sizeof(*kept));

    *kept = (struct kept_insn){ *in, k };
    return kept;
}

static struct block *make_block(struct cpu *c, uint64_t rip, uint64_t phys)
{
    struct emulator *e = c->emulator;
    uint64_t frame = phys / GUEST_PAGE;
    struct build b = {
        .c = c, .rip = rip, .bytes = frame_to_read(&c->ram, frame) + phys % GUEST_PAGE,
        .len = GUEST_PAGE - phys % GUEST_PAGE, .keep = keep_insn,
    };
    struct block *block, **head;
    uint16_t *offsets;

    if ((size_t)(e->arena_end - e->free) < LARGEST)
        drop_all(c);
    if (!build_ops(&b))
        return NULL;
    block = take(e, sizeof(*block) + b.nr_ops * sizeof(struct op));
    offsets = take(e, (b.nr_insns + 1) * sizeof(offsets[0]));
    memcpy(block->ops, b.ops, b.nr_ops * sizeof(struct op));
    memcpy(offsets, b.offsets, (b.nr_insns + 1) * sizeof(offsets[0]));
    head = hash_head(e, rip);
    block->rip = rip;
    block->phys = phys;
    block->offsets = offsets;
    block->nr_insns = b.nr_insns;
    block->same_hash = *head;
    *head = block;
    block->same_frame = e->frames[frame];
    e->frames[frame] = block;
    if (!(c->ram.flags[frame] & FRAME_CODE)) {
        c->ram.flags[frame] |= FRAME_CODE;
        tlb_forget_writes(c);
    }
    c->counters.blocks++;
    return block;
}

/* Where the instruction at RIP is; false: nowhere that blocks are made of. */
static bool fetch_address(struct cpu *c, uint64_t rip, uint64_t *phys)
{
    struct fetch *f = &c->emulator->fetches[rip / GUEST_PAGE % FETCHES];
    struct translation t;

    if (f->page != rip / GUEST_PAGE || f->mapping != c->mapping) {
        if (!walk(c, rip, ACCESS_FETCH, &t) || !frame_is_ram(&c->ram, t.frame))
            return false;
        *f = (struct fetch){ rip / GUEST_PAGE, c->mapping, t.frame };
    }
    *phys = f->frame * GUEST_PAGE + rip % GUEST_PAGE;
    return true;
}

struct block *block_at_rip(struct cpu *c)
{
    struct emulator *e = c->emulator;
    uint64_t rip = c->regs[REG_RIP], phys;
    struct block *b = e->jumps[jump_index(rip)];

    if (b->rip == rip && b->mapping == c->mapping)
        return b;
    if (!fetch_address(c, rip, &phys))
        return NULL;
    for (b = *hash_head(e, rip); b != NULL; b = b->same_hash)
        if (b->rip == rip && b->phys == phys)
            break;
    if (b == NULL)
        b = make_block(c, rip, phys);
    if (b == NULL)
        return NULL;
    b->mapping = c->mapping;
    e->jumps[jump_index(rip)] = b;
    return b;
}
