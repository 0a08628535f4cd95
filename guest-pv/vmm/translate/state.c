/* From a host address in translated code back to the guest's state. What the state page says is the
 * guest's own registers, whatever it is: guest code can write there. */
#include "common/x86/canonical.h"
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/deliver.h"
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/translate/region.h"

bool translate_is_code(const struct cpu *c, uint64_t host_rip)
{
    const struct translator *t = c->translator;

    uint64_t at = host_rip - t->host->base;

    return at >= CODE_OFFSET && at <= t->used; /* the last stub ends there */
}

static const struct point *point_of(const struct translator *t, const struct tblock *b,
                                    uint32_t at)
{
    const struct point *p = &t->points[b->first_point];
    uint32_t low = 0, high = b->nr_points;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (p[middle].offset <= at - b->start)
            low = middle;
        else
            high = middle;
    }
    return &p[low];
}

/* The CPU stops at the same few hundred places again and again. What is behind the last block may
 * be another one's later. */
static const struct point *find_point(struct translator *t, uint32_t at, uint32_t *nr)
{
    struct recent_point *r = &t->recent_points[at % RECENT];

    if (r->at != at) {
        r->block = block_at(t, at);
        r->point = (uint32_t)(point_of(t, &t->blocks[r->block], at) - t->points);
        r->at = at < t->used ? at : 0;
    }
    *nr = r->block;
    return &t->points[r->point];
}

static bool interrupts_on_at(const struct cpu *c, const struct point *p)
{
    const struct state_page *s = c->translator->state;

    return (p->fix & IF_IS_NEXT ? s->next_if_word : s->if_word) == 0;
}

static void set_if(struct cpu *c, bool on)
{
    c->regs[REG_RFLAGS] &= ~(uint64_t)FLAG_IF;
    if (on)
        c->regs[REG_RFLAGS] |= FLAG_IF;
}

/* A branch to an address that is not canonical is #GP of the branch itself: the state before it.
 * What is not undone does not matter, for guest code has changed the state page then. */
static bool undo_wild_branch(struct cpu *c)
{
    uint64_t from = c->translator->state->from;
    const struct insn_case *k;
    uint8_t bytes[MAX_INSN];
    struct insn in;

    if (is_canonical(c->regs[REG_RIP]) ||
        !decode_insn(bytes, fetch_bytes(c, from, bytes), MODE_64, &in) ||
        (k = find_case(&in)) == NULL)
        return false;
    c->regs[REG_RIP] = from;
    c->regs[RSP] += k->op == OP_RET ? -8ull : k->op == OP_CALL ? 8 : 0;
    return true;
}

/* Shadow tables follow the guest's tables by themselves; the core's TLB does not. */
static void follow_invlpg(struct cpu *c)
{
    if (c->translator->state->flush == 0)
        return;
    c->translator->state->flush = 0;
    tlb_flush(c);
}

static uint64_t rip_at(const struct cpu *c, const struct tblock *b, const struct point *p)
{
    const struct translator *t = c->translator;
    uint64_t rip = b->rip + (uint64_t)(int64_t)p->delta;

    if (p->fix & RIP_OF_STUB)
        return t->stubs[b->first_stub + (uint32_t)p->delta].rip;
    return p->fix & RIP_IN_STATE    ? t->state->rip
           : p->fix & RIP_IN_RCX   ? c->regs[RCX]
           : p->fix & RIP_PLUS_RCX ? rip + c->regs[RCX]
                                   : rip;
}

static void apply(struct cpu *c, const struct tblock *b, const struct point *p)
{
    const struct state_page *s = c->translator->state;

    c->regs[REG_RIP] = rip_at(c, b, p);
    if (p->fix & FIX_RAX)
        c->regs[RAX] = s->rax;
    if (p->fix & FIX_RCX)
        c->regs[RCX] = s->rcx;
    if (p->fix & FIX_RDX)
        c->regs[RDX] = s->rdx;
    if (p->fix & FIX_RSP)
        c->regs[RSP] += 8;
    if (p->fix & FIX_RSP_16)
        c->regs[RSP] -= 16;
    if (p->fix & RSP_IN_STATE)
        c->regs[RSP] = s->rsp;
    c->shadow = p->fix & IN_SHADOW;
    set_if(c, interrupts_on_at(c, p));
    follow_invlpg(c);
    if (p->fix & RIP_OF_BRANCH)
        undo_wild_branch(c);
}

void translate_map_back(struct cpu *c, uint64_t host_rip)
{
    struct translator *t = c->translator;
    const struct point *p = find_point(t, (uint32_t)(host_rip - t->host->base), &t->last_block);

    t->last_stub = 0;
    t->last_point = (uint32_t)(p - t->points);
    apply(c, &t->blocks[t->last_block], p);
}

/* The stub with the callout that ends there; 0: guest code has jumped to it by itself. */
static uint32_t stub_at(const struct translator *t, uint32_t nr, uint32_t at)
{
    const struct tblock *b = &t->blocks[nr];

    for (uint32_t stub = b->first_stub; stub < b->first_stub + b->nr_stubs; stub++)
        if (t->stubs[stub].at == at)
            return stub;
    return 0;
}

/* The same of callouts. */
static uint32_t find_stub(struct translator *t, uint32_t at, uint32_t *nr)
{
    uint32_t *recent = &t->recent_stubs[at % RECENT];

    if (*recent < t->nr_stubs && t->stubs[*recent].at == at) {
        *nr = t->stubs[*recent].block;
        return *recent;
    }
    *nr = block_at(t, at - 1);
    *recent = stub_at(t, *nr, at);
    return *recent;
}

/* SYSCALL has overwritten two registers. Where no stub is, RIP is what the point says. */
enum callout translate_callout(struct cpu *c, uint64_t host_rip)
{
    static const uint8_t counted_as[] = {
        [EXIT_OF_BRANCH] = OF_BRANCHES, [EXIT_OF_LOOKUP] = OF_LOOKUPS,
        [EXIT_TO_EMULATE] = OF_INSTRUCTIONS,
    };
    struct translator *t = c->translator;
    uint32_t at = (uint32_t)(host_rip - t->host->base), nr, stub = find_stub(t, at, &nr);
    const struct stub *s = &t->stubs[stub];

    c->regs[RCX] = t->state->rcx;
    c->regs[R11] = t->state->r11;
    t->last_block = nr;
    t->last_point = t->blocks[nr].first_point;
    t->last_stub = stub;
    if (stub == 0) {
        apply(c, &t->blocks[nr], point_of(t, &t->blocks[nr], at - 1));
        return CALLOUT_EMULATE;
    }
    t->counters.callouts[counted_as[s->kind]]++;
    c->regs[REG_RIP] = s->kind == EXIT_OF_LOOKUP ? t->state->rip : s->rip;
    c->shadow = s->in_shadow;
    set_if(c, t->state->if_word == 0);
    follow_invlpg(c);
    if (s->kind == EXIT_OF_LOOKUP && undo_wild_branch(c))
        t->last_stub = 0;
    return t->last_stub == 0 || s->kind == EXIT_TO_EMULATE ? CALLOUT_EMULATE : CALLOUT_BRANCH;
}

void translate_execute(struct cpu *c)
{
    struct translator *t = c->translator;
    const struct stub *s = &t->stubs[t->last_stub];
    const struct kept_callout *kept = &t->insns[s->insn];

    c->shadow = false; /* it was for this instruction */
    if (t->last_stub == 0) {
        emulate_step(c);
        return;
    }
    c->counters.instructions++;
    t->flagged_write = false;
    if (!emulate_found(c, &kept->in, kept->k, kept->operands) && c->stop == STOP_NOT)
        deliver_fault(c);
    if (s->is_store)
        note_store_called_out(t, s, t->flagged_write);
}

void translate_set_pending(struct cpu *c, bool pending)
{
    c->translator->state->pending = pending;
}

bool translate_interrupts_on(const struct cpu *c, uint64_t host_rip)
{
    const struct translator *t = c->translator;
    uint32_t at = (uint32_t)(host_rip - t->host->base);

    return interrupts_on_at(c, point_of(t, &t->blocks[block_at(t, at)], at));
}

uint64_t translate_changes(const struct cpu *c)
{
    return c->translator->changes;
}

/* From that point on. Behind an end of the block there may be a branch to the same instruction: not
 * that. */
static uint32_t place_from(const struct translator *t, const struct tblock *b,
                           const struct point *p, uint64_t rip)
{
    const struct point *end = &t->points[b->first_point] + b->nr_points;
    uint64_t delta = rip - b->rip;

    if (delta >= b->length)
        return 0;
    for (; p < end; p++)
        if (p->delta == (int32_t)delta && p->fix == 0)
            return b->start + p->offset;
    return 0;
}

uint32_t place_in_block(const struct translator *t, const struct tblock *b, uint64_t rip)
{
    return place_from(t, b, &t->points[b->first_point], rip);
}

/* The instructions of a block are in order, and the next one is the likely one. */
static uint32_t place_behind_stop(const struct translator *t, const struct tblock *b, uint64_t rip)
{
    const struct point *p = &t->points[t->last_point];

    return rip - b->rip > (uint64_t)p->delta && !(p->fix & RIP_OF_STUB)
               ? place_from(t, b, p, rip) : place_in_block(t, b, rip);
}

/* After an instruction that the core has done, the block goes on behind it, if it still may run. */
uint64_t translate_resume(struct cpu *c)
{
    struct translator *t = c->translator;
    const struct tblock *b = &t->blocks[t->last_block];
    const struct stub *s = &t->stubs[t->last_stub];
    uint64_t rip = c->regs[REG_RIP];
    uint32_t at;

    if (t->last_block == 0 || b->state != BLOCK_LIVE || t->all_stale)
        return 0;
    if (t->last_stub != 0 && s->kind == EXIT_TO_EMULATE && s->goes_on &&
        rip == s->rip + t->insns[s->insn].in.length)
        return t->host->base + s->at;
    at = place_behind_stop(t, b, rip);
    return at != 0 ? t->host->base + at : 0;
}
