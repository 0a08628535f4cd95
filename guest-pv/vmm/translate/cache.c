/* Blocks of translated code: finds and makes them, chains them, drops those whose bytes or whose
 * mapping changed. What is in them is build.c's. */
#include <stdlib.h>
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/page_entry.h"
#include "guest-pv/vmm/core/paging.h"
#include "guest-pv/vmm/translate/region.h"

#define MAX_BLOCKS 0x20000u
#define MAX_POINTS 0x140000u
#define MAX_STUBS 0x60000u
#define MAX_INSNS 0x20000u
#define BLOCK_BYTES 8192u               /* that a block can take at most, in the region */
#define BLOCK_POINTS 512u
#define BLOCK_STUBS 80u
#define FIRST_BLOCK 1u                  /* the lookup routine */

/* --- Start and end ---------------------------------------------------------------------------- */

/* Nothing: no RIP whose place this is has that value (0 has the first place, -1 the last). */
static void clear_target(struct translator *t, struct target *target)
{
    *target = (struct target){ .minus_rip = target == t->targets };
}

/* What is there when no block is: the state page, no targets, the lookup routine. */
static void start_anew(struct cpu *c)
{
    struct translator *t = c->translator;
    struct tblock *b = &t->blocks[FIRST_BLOCK];

    memset(t->targets, 0, TARGET_BYTES);
    clear_target(t, &t->targets[0]);
    memset(t->hash, 0, BLOCK_HASH * sizeof(t->hash[0]));
    memset(t->frames, 0, c->ram.nr_frames * sizeof(t->frames[0]));
    memset(t->walked, 0, sizeof(t->walked));
    t->nr_walked = t->nr_roots = 0;
    t->all_stale = false;
    t->used = CODE_OFFSET;
    t->nr_points = 0;
    t->nr_stubs = t->nr_insns = 1;
    t->nr_blocks = FIRST_BLOCK;
    t->last_block = t->last_stub = 0;
    *b = (struct tblock){ .start = t->used, .first_stub = 1 };
    build_lookup(t);
    b->bytes = t->used - b->start;
    t->nr_blocks++;
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

bool translate_init(struct cpu *c, const struct translate_host *host)
{
    struct translator *t = calloc(1, sizeof(*t));

    if (t == NULL || host->bytes < CODE_OFFSET + 4 * BLOCK_BYTES) {
        free(t);
        return false;
    }
    c->translator = t;
    t->host = host;
    t->state = (struct state_page *)host->memory;
    t->targets = (struct target *)(host->memory + STATE_BYTES);
    t->blocks = calloc(MAX_BLOCKS, sizeof(t->blocks[0]));
    t->points = calloc(MAX_POINTS, sizeof(t->points[0]));
    t->stubs = calloc(MAX_STUBS, sizeof(t->stubs[0]));
    t->insns = calloc(MAX_INSNS, sizeof(t->insns[0]));
    t->hash = calloc(BLOCK_HASH, sizeof(t->hash[0]));
    t->frames = calloc(c->ram.nr_frames, sizeof(t->frames[0]));
    if (t->blocks == NULL || t->points == NULL || t->stubs == NULL || t->insns == NULL ||
        t->hash == NULL || t->frames == NULL) {
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
    free(t->hash);
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
        c->ram.flags[i] &= (uint8_t)~(FRAME_CODE | FRAME_WALKED);
    t->counters.drops_of_all++;
    start_anew(c);
}

/* --- Where code is ---------------------------------------------------------------------------- */

static uint32_t *hash_head(struct translator *t, uint64_t rip)
{
    return &t->hash[rip * 0x9e3779b97f4a7c15ull >> 49];
}
_Static_assert(BLOCK_HASH == 1u << (64 - 49), "the hash has 15 bits");

static uint64_t *walked_slot(struct translator *t, uint64_t at)
{
    unsigned i = (unsigned)(at * 0x9e3779b97f4a7c15ull >> 40);

    while (t->walked[i % WALKED] != 0 && t->walked[i % WALKED] != at)
        i++;
    return &t->walked[i % WALKED];
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

/* More slots than there is room for: then the blocks live until the next look. */
static void remember_root(struct translator *t, unsigned slot, uint64_t entry)
{
    for (unsigned i = 0; i < t->nr_roots; i++)
        if (t->roots[i].slot == slot)
            return;
    if (t->nr_roots == ROOTS) {
        t->all_stale = true;
        return;
    }
    t->roots[t->nr_roots].slot = slot;
    t->roots[t->nr_roots++].entry = entry;
}

/* The walk has succeeded, so the entries are there. */
static void remember_walk(struct cpu *c, uint64_t rip)
{
    struct translator *t = c->translator;
    uint64_t table = c->cr3 & PTE_ADDRESS, entry;

    for (unsigned level = 4; level > 0; level--) {
        unsigned index = (unsigned)(rip >> (3 + 9 * level)) & 511;
        uint64_t at = table + 8 * index;

        entry = read_page_entry(&c->ram, table / GUEST_PAGE, index);
        if (level == 4) {
            remember_root(t, index, entry & PTE_ADDRESS);
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

        if (!(entry & PTE_P) || (entry & PTE_ADDRESS) != t->roots[i].entry)
            t->all_stale = true;
    }
}

/* Of the root itself: roots come and go with the guest's processes, and only the one that is loaded
 * counts. It has a shadow, so writes to it are seen. */
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

/* --- Dropping --------------------------------------------------------------------------------- */

static void forget_target(struct translator *t, const struct tblock *b)
{
    struct target *target = &t->targets[b->rip & (TARGETS - 1)];

    if (target->minus_rip == -b->rip)
        clear_target(t, target);
}

static void drop(struct cpu *c, uint32_t nr)
{
    struct translator *t = c->translator;
    struct tblock *b = &t->blocks[nr];
    uint32_t *p = hash_head(t, b->rip);

    b->dead = true;
    while (*p != nr)
        p = &t->blocks[*p].same_hash;
    *p = b->same_hash;
    forget_target(t, b);
    for (uint32_t s = b->incoming; s != 0; s = t->stubs[s].next) {
        patch_branch(t, t->stubs[s].patch, t->stubs[s].start);
        t->stubs[s].chained = false;
    }
    b->incoming = 0;
    t->counters.drops++;
}

void translate_written(struct cpu *c, uint64_t phys, unsigned bytes, bool own)
{
    struct translator *t = c->translator;
    uint64_t frame = phys / GUEST_PAGE;

    if (c->ram.flags[frame] & FRAME_CODE) {
        for (uint32_t nr = t->frames[frame]; nr != 0; nr = t->blocks[nr].same_frame)
            drop(c, nr);
        t->frames[frame] = 0;
        c->ram.flags[frame] &= (uint8_t)~FRAME_CODE;
    }
    if (!own && root_written(c, phys, bytes))
        t->all_stale = true;
    if (!(c->ram.flags[frame] & FRAME_WALKED) || own)
        return;
    for (uint64_t at = phys & ~7ull; at < phys + bytes; at += 8)
        if (*walked_slot(t, at) == at)
            t->all_stale = true;
}

/* --- Finding and making ----------------------------------------------------------------------- */

/* The stub's branch leads to the block from now on. */
static void chain(struct translator *t, uint32_t stub, uint32_t nr)
{
    struct stub *s = &t->stubs[stub];

    /* Guest code may have jumped into the stub of a branch that is chained. */
    if (s->kind != EXIT_OF_BRANCH || s->rip != t->blocks[nr].rip || s->chained)
        return;
    patch_branch(t, s->patch, t->blocks[nr].start);
    s->next = t->blocks[nr].incoming;
    t->blocks[nr].incoming = stub;
    s->chained = true;
    t->counters.chained++;
}

/* Its branches to blocks that are there already need not call out first. */
static void chain_all(struct translator *t, uint32_t nr)
{
    const struct tblock *b = &t->blocks[nr];

    for (uint32_t stub = b->first_stub; stub < b->first_stub + b->nr_stubs; stub++) {
        uint32_t target = t->stubs[stub].kind == EXIT_OF_BRANCH
                              ? *hash_head(t, t->stubs[stub].rip) : 0;

        while (target != 0 && t->blocks[target].rip != t->stubs[stub].rip)
            target = t->blocks[target].same_hash;
        if (target != 0)
            chain(t, stub, target);
    }
}

static uint32_t make_block(struct cpu *c, uint64_t rip, uint64_t phys)
{
    struct translator *t = c->translator;
    uint64_t frame = phys / GUEST_PAGE;
    uint32_t nr, *head;
    struct tblock *b;

    if (t->used + BLOCK_BYTES > t->host->bytes || t->nr_blocks >= MAX_BLOCKS ||
        t->nr_points + BLOCK_POINTS > MAX_POINTS || t->nr_stubs + BLOCK_STUBS > MAX_STUBS ||
        t->nr_insns + BLOCK_STUBS > MAX_INSNS ||
        t->nr_walked > WALKED / 2)
        drop_all(c);
    nr = t->nr_blocks;
    b = &t->blocks[nr];
    *b = (struct tblock){ .rip = rip, .phys = phys, .start = t->used,
                          .first_point = t->nr_points, .first_stub = t->nr_stubs };
    if (!build_block(t, b, frame_to_read(&c->ram, frame) + phys % GUEST_PAGE,
                     GUEST_PAGE - phys % GUEST_PAGE))
        return 0;
    b->bytes = t->used - b->start;
    t->nr_blocks++;
    remember_walk(c, rip);
    head = hash_head(t, rip);
    b->same_hash = *head;
    *head = nr;
    b->same_frame = t->frames[frame];
    t->frames[frame] = nr;
    if (!(c->ram.flags[frame] & FRAME_CODE)) {
        c->ram.flags[frame] |= FRAME_CODE;
        tlb_forget_writes(c);
        t->host->protect(c, frame);
    }
    chain_all(t, nr);
    t->counters.blocks++;
    t->counters.bytes += b->bytes;
    return nr;
}

/* 0: none. */
static uint32_t find_block(struct cpu *c, uint64_t rip)
{
    struct translator *t = c->translator;
    struct translation where;
    uint32_t nr;

    if (t->all_stale)
        drop_all(c);
    for (nr = *hash_head(t, rip); nr != 0; nr = t->blocks[nr].same_hash)
        if (t->blocks[nr].rip == rip)
            return nr;
    if (!walk(c, rip, ACCESS_FETCH, &where) || !frame_is_ram(&c->ram, where.frame))
        return 0;
    return make_block(c, rip, where.frame * GUEST_PAGE + rip % GUEST_PAGE);
}

uint64_t translate_entry(struct cpu *c)
{
    struct translator *t = c->translator;
    uint64_t rip = c->regs[REG_RIP], drops = t->counters.drops_of_all, host;
    uint32_t nr, stub = t->last_stub;

    t->state->if_word = c->regs[REG_RFLAGS] & FLAG_IF ? 0 : -(uint64_t)FLAG_IF;
    for (unsigned i = 0; i < ARRAY_SIZE(t->state->selectors); i++)
        t->state->selectors[i] = c->seg[i].selector;
    t->state->minus_cs = -(uint64_t)c->seg[SEG_CS].selector;
    t->state->minus_ss = -(uint64_t)c->seg[SEG_SS].selector;
    host = translate_resume(c);
    t->last_block = 0;
    if (host != 0 && stub == 0)
        return host;
    nr = find_block(c, rip);
    t->last_stub = 0;
    if (nr == 0)
        return 0;
    if (stub != 0 && drops == t->counters.drops_of_all)
        chain(t, stub, nr);
    t->targets[rip & (TARGETS - 1)] =
        (struct target){ -rip, t->host->base + t->blocks[nr].start };
    return t->host->base + t->blocks[nr].start;
}

const struct translate_counters *translate_counts(const struct cpu *c)
{
    return &c->translator->counters;
}
