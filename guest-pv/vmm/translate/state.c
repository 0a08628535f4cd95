/* From a host address in translated code back to the guest's state. What the state page says is the
 * guest's own registers, whatever it is: guest code can write there. */
#include "guest-pv/vmm/core/deliver.h"
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/translate/region.h"

bool translate_is_code(const struct cpu *c, uint64_t host_rip)
{
    const struct translator *t = c->translator;

    uint64_t at = host_rip - t->host->base;

    return at >= CODE_OFFSET && at <= t->used; /* the last stub ends there */
}

/* The block, alive or dead, with that place. They are in ascending order. */
static uint32_t block_of(const struct translator *t, uint32_t at)
{
    uint32_t low = 1, high = t->nr_blocks;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (t->blocks[middle].start <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
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

/* Shadow tables follow the guest's tables by themselves; the core's TLB does not. */
static void follow_invlpg(struct cpu *c)
{
    if (c->translator->state->flush == 0)
        return;
    c->translator->state->flush = 0;
    tlb_flush(c);
}

static void apply(struct cpu *c, const struct tblock *b, const struct point *p)
{
    const struct state_page *s = c->translator->state;

    c->regs[REG_RIP] = p->fix & RIP_IN_STATE ? s->rip
                       : p->fix & RIP_IN_RCX ? c->regs[RCX]
                                             : b->rip + (uint64_t)(int64_t)p->delta;
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
}

void translate_map_back(struct cpu *c, uint64_t host_rip)
{
    struct translator *t = c->translator;
    uint32_t at = (uint32_t)(host_rip - t->host->base), nr = block_of(t, at);
    const struct tblock *b = &t->blocks[nr];

    t->last_block = nr;
    apply(c, b, point_of(t, b, at));
}

/* The stub's point says where the guest is; the instruction itself has overwritten two registers.
 * */
enum callout translate_callout(struct cpu *c, uint64_t host_rip)
{
    struct translator *t = c->translator;
    uint32_t at = (uint32_t)(host_rip - t->host->base), last = block_of(t, at - 1);
    const struct tblock *b = &t->blocks[last];

    t->counters.callouts++;
    c->regs[RCX] = t->state->rcx;
    c->regs[R11] = t->state->r11;
    apply(c, b, point_of(t, b, at - 1));
    t->last_stub = 0;
    t->last_block = last;
    for (uint32_t nr = b->first_stub; nr < b->first_stub + b->nr_stubs; nr++) {
        if (t->stubs[nr].at != at)
            continue;
        t->last_insn = t->stubs[nr].insn;
        if (t->stubs[nr].kind == EXIT_TO_EMULATE)
            return CALLOUT_EMULATE;
        t->counters.lookups_missed += t->stubs[nr].kind == EXIT_OF_LOOKUP;
        t->last_stub = b->dead ? 0 : nr;
        return CALLOUT_BRANCH;
    }
    t->last_insn = 0;
    return CALLOUT_EMULATE; /* guest code jumped there by itself: RIP is what the point says */
}

void translate_execute(struct cpu *c)
{
    const struct translator *t = c->translator;
    const struct kept_callout *kept = &t->insns[t->last_insn];

    c->shadow = false; /* it was for this instruction */
    if (t->last_insn == 0) {
        emulate_step(c);
        return;
    }
    c->counters.instructions++;
    if (!emulate_case(c, &kept->in, kept->k) && c->stop == STOP_NOT)
        deliver_fault(c);
}

void translate_set_pending(struct cpu *c, bool pending)
{
    c->translator->state->pending = pending;
}

bool translate_interrupts_on(const struct cpu *c, uint64_t host_rip)
{
    const struct translator *t = c->translator;
    uint32_t at = (uint32_t)(host_rip - t->host->base);

    return interrupts_on_at(c, point_of(t, &t->blocks[block_of(t, at)], at));
}

/* After an instruction that the core has done, the block goes on behind it, if it is still alive.
 * */
uint64_t translate_resume(struct cpu *c)
{
    struct translator *t = c->translator;
    const struct tblock *b = &t->blocks[t->last_block];
    const struct point *p = &t->points[b->first_point];
    int64_t delta = (int64_t)(c->regs[REG_RIP] - b->rip);

    if (t->last_block == 0 || b->dead || t->all_stale)
        return 0;
    for (unsigned i = 0; i < b->nr_points; i++)
        if (p[i].delta == delta && (p[i].fix & ~IN_SHADOW) == 0)
            return t->host->base + b->start + p[i].offset;
    return 0;
}
