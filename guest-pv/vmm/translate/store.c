/* Stores to frames with flags, which are the guest's page tables with shadows for the most part.
 * Each is a page fault, after which the core does it. An instruction that has faulted so a few
 * times is one that writes page tables: its block is translated anew, with a callout in its
 * place, which saves 1,000 instructions. But a callout for a store to another frame costs 770
 * for nothing; a balance is kept, and when it is used up the block is translated as it was at
 * first. By guest address, in a table that forgets: a wrong guess costs time only.
 *
 * Two instructions that store one beside the other are an unrolled loop, which clears a page or
 * copies to it: a frame that is a table no more. Called by build.c, run.c and state.c. */
#include "common/x86/address.h"
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/translate/region.h"

#define FAULTS_UNTIL_CALLOUT 32u
#define FIRST_BALANCE 32u
#define MAX_BALANCE 64u
#define GAIN 1u                         /* of a callout instead of a fault, in wasted ones */
#define MOST_BYTES 16u                  /* that a store has */

static struct store_count *count_of(struct translator *t, uint64_t rip)
{
    return &t->stores[rip * 0x9e3779b97f4a7c15ull >> 56];
}
_Static_assert(STORES == 1u << (64 - 56), "the number has 8 bits");

/* A string instruction has no memory operand of its own: it writes elsewhere the next time. */
bool store_calls_out(const struct emitter *e)
{
    const struct store_count *s;

    if (!e->in->memory)
        return false;
    s = count_of(e->t, e->rip);
    return s->balance > 0 && s->rip == e->rip;
}

void translate_note_store(struct cpu *c, uint64_t rip, uint64_t host_rip)
{
    struct translator *t = c->translator;
    struct store_count *s = count_of(t, rip);

    if (s->rip != rip) {
        if (s->balance > 0)
            return;
        *s = (struct store_count){ .rip = rip };
    }
    if (++s->faults < FAULTS_UNTIL_CALLOUT)
        return;
    t->counters.stores += s->balance == 0;
    s->faults = 0;
    s->balance = FIRST_BALANCE;
    drop_block_at(t, host_rip);
}

/* Where in the block the instruction behind the one that stopped is; its length: nowhere. */
static uint32_t offset_behind(const struct translator *t, const struct tblock *b)
{
    const struct point *p = &t->points[t->last_point];

    if (b->state != BLOCK_LIVE || t->last_point + 1 >= b->first_point + b->nr_points ||
        p[0].fix != 0 || p[1].fix != 0 || p[1].delta <= p[0].delta)
        return b->length;
    return (uint32_t)p[1].delta;
}

bool translate_stores_on(struct cpu *c, uint64_t linear)
{
    const struct translator *t = c->translator;
    const struct tblock *b = &t->blocks[t->last_block];
    uint32_t at = offset_behind(t, b);
    struct insn in;

    return at < b->length &&
           decode_insn(t->source + b->source + at, b->length - at, MODE_64, &in) && in.memory &&
           is_store(&in) &&
           segment_base(c, &in) + operand_offset(&in, cpu_regs(c)) - linear - 1 < MOST_BYTES;
}

void note_store_called_out(struct translator *t, const struct stub *stub, bool flagged)
{
    struct store_count *s = count_of(t, stub->rip);

    if (s->rip != stub->rip || s->balance == 0)
        return;
    if (flagged)
        s->balance = MIN(s->balance + GAIN, MAX_BALANCE);
    else if (--s->balance == 0) {
        t->counters.stores--;
        drop_block_at(t, t->host->base + stub->at - 1);
    }
}
