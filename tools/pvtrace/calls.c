/* The hypercalls that have begun and not ended: their arguments, what they read and wrote, their
 * results. Called by records.c. */
#include <string.h>

#include "tools/pvtrace/model.h"

#define FULL_WORDS 6     /* with fewer, the hypercall's own record had room for one more argument */

static struct open_call *youngest(const struct vcpu *v)
{
    return v->calls[1] != NULL ? v->calls[1] : v->calls[0];
}

struct call *call_of(const struct vcpu *v)
{
    struct open_call *c = youngest(v);

    return c != NULL ? &c->call : NULL;
}

static void announce(struct model *m, struct open_call *c)
{
    struct item item = { .kind = ITEM_CALL_BEGIN, .call = &c->call };

    if (c->announced)
        return;
    c->announced = true;
    emit(m, &item, c->call.v, &c->first);
}

void calls_announce(struct model *m, struct cpu *cpu)
{
    struct open_call *c = cpu->waiting.call;

    cpu->waiting.call = NULL;
    if (c != NULL)
        announce(m, c);
}

/* The call is no more when this returns. */
static void end(struct model *m, struct vcpu *v, unsigned depth, const struct record *r)
{
    struct open_call *c = v->calls[depth];
    struct item item = { .kind = ITEM_CALL_END, .call = &c->call };
    struct record last;

    if (r == NULL) {
        last = c->first;
        last.tsc = m->now;
        r = &last;
    }
    if (m->cpus[c->first.cpu].waiting.call == c)
        m->cpus[c->first.cpu].waiting.call = NULL;
    announce(m, c);
    emit(m, &item, c->call.v, r);
    v->calls[depth] = NULL;
    if (v->calls[0] != NULL)
        v->calls[0]->call.nr_sent = 0;
}

static void abandon_member(struct model *m, struct vcpu *v, const struct record *r)
{
    if (v->calls[1] != NULL)
        end(m, v, 1, r);
}

void calls_abandon(struct model *m, struct vcpu *v, const struct record *r)
{
    abandon_member(m, v, r);
    if (v->calls[0] != NULL)
        end(m, v, 0, r);
}

void calls_abandon_domain(struct model *m, uint16_t domid, const struct record *r)
{
    for (struct vcpu *v = m->vcpus; v < m->vcpus + VCPU_PLACES; v++)
        if (v->id.domid == domid)
            calls_abandon(m, v, r);
}

void calls_abandon_cpu(struct model *m, uint16_t cpu, const struct record *r)
{
    for (struct vcpu *v = m->vcpus; v < m->vcpus + VCPU_PLACES; v++)
        if (v->cpu == cpu)
            calls_abandon(m, v, r);
}

/* --- A call's records ------------------------------------------------------------------------- */
/* Only what counts is reset of a call that was used before. */
static void reset_call(struct open_call *c, const struct vcpu *v, unsigned depth, uint32_t nr)
{
    memset(&c->call, 0, offsetof(struct call, copies));
    c->announced = false;
    c->call.v = v->id;
    c->call.depth = (uint8_t)depth;
    c->call.nr = nr;
}

/* Two bits for each argument, beginning at bit 20 of the first word: absent, one word, two words.
 */
static void parse_arguments(struct call *c, const struct record *r)
{
    unsigned at = 1;

    for (unsigned i = 0; i < 6; i++) {
        unsigned words = r->w[0] >> (20 + 2 * i) & 3;

        if (words == 3 || at + words > r->n)
            return;
        if (words == 0)
            continue;
        c->args[i] = words == 2 ? word64(r, at) : r->w[at];
        c->known |= (uint8_t)(1u << i);
        at += words;
    }
}

void call_begin(struct model *m, const struct record *r)
{
    unsigned depth = r->event == TRC_PV_HYPERCALL_SUBCALL;
    struct vcpu *v = vcpu_running(m, r);
    struct open_call *c;

    if (depth == 0)
        calls_abandon(m, v, r);
    else
        abandon_member(m, v, r);
    if (v->room[depth] == NULL)
        v->room[depth] = xcalloc(1, sizeof(*c));
    c = v->calls[depth] = v->room[depth];
    if (v->calls[0] != NULL)
        v->calls[0]->call.nr_sent = 0;
    reset_call(c, v, depth, r->w[0] & ~TRC_PV_HYPERCALL_V2_ARG_MASK);
    parse_arguments(&c->call, r);
    c->call.began = true;
    c->call.cpu = r->cpu;
    c->call.start = r->tsc;
    c->first = *r;
    if (r->n >= FULL_WORDS)
        m->cpus[r->cpu].waiting.call = c;
    else
        announce(m, c);
}

void call_arguments(struct model *m, const struct record *r)
{
    struct open_call *c = youngest(vcpu_running(m, r));

    if (c == NULL)
        return;                         /* its beginning was lost */
    for (unsigned i = r->w[0], at = 1; i < 6 && at + 2 <= r->n; i++, at += 2) {
        c->call.args[i] = word64(r, at);
        c->call.known |= (uint8_t)(1u << i);
    }
    calls_announce(m, &m->cpus[r->cpu]);
}

/* One copy is told in several records, and neighbours in memory are copied one by one: both become
 * one. */
void call_copy(struct model *m, const struct record *r)
{
    bool out = r->event == TRC_PARAGON_COPY_OUT, cut = r->w[1] >> 16 & TRACE_COPY_CUT;
    uint64_t va = (uint64_t)((int64_t)(((uint64_t)r->w[1] << 32 | r->w[0]) << 16) >> 16);
    uint32_t len = r->w[1] >> 16 & (TRACE_COPY_CUT - 1);
    struct open_call *open = youngest(vcpu_running(m, r));
    struct call *c = open != NULL ? &open->call : NULL;
    struct copy *last;

    if (c == NULL || len > 4u * (r->n - 2u))
        return;                         /* a call of which the beginning was lost, or nonsense */
    last = c->nr_copies > 0 ? &c->copies[c->nr_copies - 1] : NULL;
    if (c->nr_bytes + len > MAX_COPY_BYTES) {
        c->dropped = true;
        return;
    }
    if (last != NULL && last->out == out && !last->cut && last->va + last->len == va) {
        last->len += len;
        last->cut = cut;
    } else if (c->nr_copies < MAX_COPIES) {
        c->copies[c->nr_copies++] =
            (struct copy){ .va = va, .len = len, .at = c->nr_bytes, .out = out, .cut = cut };
    } else {
        c->dropped = true;
        return;
    }
    memcpy(c->bytes + c->nr_bytes, &r->w[2], len);
    c->nr_bytes += len;
}

static void set_result(struct call *c, const struct record *r)
{
    c->result = (int64_t)word64(r, 1);
    c->ticks = word64(r, 3);
    c->end = r->tsc;
    c->returned = true;
}

/* A result without a call: the trace begins, or goes on after a loss, while it runs. */
static void result_alone(struct model *m, struct vcpu *v, const struct record *r)
{
    struct open_call *c = &m->alone;
    struct item item = { .kind = ITEM_CALL_END, .call = &c->call };

    reset_call(c, v, v->calls[0] != NULL, r->w[0]);
    c->call.cpu = r->cpu;
    set_result(&c->call, r);
    c->call.start = r->tsc - c->call.ticks;
    emit(m, &item, v->id, r);
}

void call_result(struct model *m, const struct record *r)
{
    uint32_t nr = r->w[0] & ~TRC_PV_HYPERCALL_V2_ARG_MASK;
    struct vcpu *v = vcpu_running(m, r);

    for (unsigned depth = DEPTHS; depth-- > 0;)
        if (v->calls[depth] != NULL && v->calls[depth]->call.nr == nr) {
            if (depth == 0)
                abandon_member(m, v, r);
            set_result(&v->calls[depth]->call, r);
            end(m, v, depth, r);
            return;
        }
    result_alone(m, v, r);
}
