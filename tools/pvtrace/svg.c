/* --svg, first half: where the guests' time went. Owns the bookkeeping of what each vCPU does when; the
 * picture itself is svg_draw.c's.
 *
 * A vCPU runs, waits for a CPU or sleeps, as its runstate records say; without any (trace=hypercall) it runs
 * from its first record to its last, and what it spent in SCHEDOP_block, poll and yield is taken out by the
 * time these took. A hypercall costs what it took less what its vCPU did not run meanwhile. Blocking is
 * sleep, never cost. What remains of the time that a vCPU ran is the guest's own code. Hypercalls that -e
 * hides are counted as that, too. Traps and emulated instructions have no length in Xen's records: they are
 * counted only. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <public/xen.h>
#include <public/sched.h>

#include "tools/pvtrace/svg.h"

#define SVG_VCPUS 1024u         /* a power of two; more are left out */
#define NOBODY 32767u           /* the idle vCPU's domain and, from it on, what is no guest */

enum { RUNNING, RUNNABLE, ASLEEP, OFFLINE, MISSED, NR_STATES };

struct open_call {
    bool open;
    double away;                /* what the vCPU had not run when it began */
    double members;             /* cost of a multicall's members so far */
};

struct svg_vcpu {
    struct vcpu_id id;
    bool used, scheduled;       /* scheduled: the trace has its runstates */
    uint8_t state;
    uint64_t since, last;       /* TSC */
    double spent[NR_STATES];
    double cost;                /* of its hypercalls; part of the time that it ran, like these: */
    double slept, yielded;
    struct open_call open[2];   /* by depth */
};

struct svg {
    struct output_options o;
    struct model *model;
    struct svg_vcpu vcpus[SVG_VCPUS];
    unsigned nr_vcpus;
    struct svg_counts counts;
};

static void *svg_open(const struct output_options *o, struct model *m)
{
    struct svg *s = calloc(1, sizeof(*s));

    if (s) {
        s->o = *o;
        s->model = m;
    }
    return s;
}

/* --- Who and what -------------------------------------------------------------------------------------- */
static struct svg_domain *domain_of(struct svg *s, uint16_t domid)
{
    struct svg_counts *c = &s->counts;
    struct svg_domain *d;

    for (unsigned i = 0; i < c->nr_domains; i++)
        if (c->domains[i].domid == domid || c->domains[i].rest)
            return &c->domains[i];
    d = &c->domains[c->nr_domains++];
    d->domid = domid;
    d->rest = c->nr_domains == SVG_DOMAINS;
    return d;
}

/* NULL: no guest, one that the user does not want, or one too many. */
static struct svg_vcpu *vcpu_of(struct svg *s, struct vcpu_id id, uint64_t tsc)
{
    unsigned slot = (id.domid * 37u + id.vcpu) % SVG_VCPUS;
    struct svg_vcpu *v;

    if (id.domid >= NOBODY)
        return NULL;
    for (;; slot = (slot + 1) % SVG_VCPUS) {
        v = &s->vcpus[slot];
        if (v->used && v->id.domid == id.domid && v->id.vcpu == id.vcpu)
            return v;
        if (!v->used)
            break;
    }
    if (s->nr_vcpus == SVG_VCPUS * 3 / 4 || !filter_wants_guest(s->o.filter, id, s->model))
        return NULL;
    s->nr_vcpus++;
    *v = (struct svg_vcpu){ .id = id, .used = true, .state = RUNNING, .since = tsc, .last = tsc };
    domain_of(s, id.domid)->vcpus++;
    return v;
}

static struct svg_frame *frame_of(struct svg *s, const struct call *call)
{
    const struct svg_domain *d = domain_of(s, call->v.domid);
    const char *op = call_operation(call);
    uint16_t domain = (uint16_t)(d - s->counts.domains);
    uint32_t hash = domain * 31u + call->nr * 7u + call->depth;
    struct svg_frame *f;
    unsigned slot;

    for (const char *p = op ? op : ""; *p; p++)
        hash = hash * 31 + (unsigned char)*p;
    for (slot = hash % (SVG_FRAMES - 1);; slot = (slot + 1) % (SVG_FRAMES - 1)) {
        f = &s->counts.frames[slot];
        if (!f->used)
            break;
        if (f->domain == domain && f->nr == call->nr && f->member == (call->depth > 0) &&
            strncmp(f->op, op ? op : "", sizeof(f->op) - 1) == 0)
            return f;
    }
    if (s->counts.nr_frames >= SVG_FRAMES * 3 / 4) {
        f = &s->counts.frames[SVG_FRAMES - 1];
        f->used = true;
        f->nr = SVG_REST;
        return f;
    }
    s->counts.nr_frames++;
    *f = (struct svg_frame){ .used = true, .member = call->depth > 0, .domain = domain, .nr = call->nr };
    snprintf(f->op, sizeof(f->op), "%s", op ? op : "");
    return f;
}

/* --- Time ---------------------------------------------------------------------------------------------- */
static void settle(struct svg_vcpu *v, uint64_t tsc, unsigned state)
{
    if (tsc <= v->since)
        return;
    v->spent[state] += (double)(tsc - v->since);
    v->since = tsc;
}

static double away(const struct svg_vcpu *v)
{
    return v->spent[RUNNABLE] + v->spent[ASLEEP] + v->spent[OFFLINE] + v->spent[MISSED];
}

/* A change from a state that it was not in: records are missing, and nobody knows what it did since. */
static void change_state(struct svg_vcpu *v, uint64_t tsc, unsigned from, unsigned to)
{
    if (from > OFFLINE || to > OFFLINE)
        return;
    settle(v, tsc, from == v->state ? from : MISSED);
    v->state = (uint8_t)to;
    v->scheduled = true;
}

static bool sched_command(const struct call *call, unsigned command)
{
    return call->nr == __HYPERVISOR_sched_op && (call->known & 1) && (uint32_t)call->args[0] == command;
}

static void begin_call(struct svg_vcpu *v, const struct item *item)
{
    struct open_call *open = &v->open[item->call->depth > 0];

    settle(v, item->tsc, v->state);
    *open = (struct open_call){ .open = true, .away = away(v) };
}

static void end_call(struct svg *s, struct svg_vcpu *v, const struct item *item)
{
    const struct call *call = item->call;
    bool member = call->depth > 0, sleeps;
    struct open_call *open = &v->open[member];
    struct svg_domain *d = domain_of(s, call->v.domid);
    double cost = 0;
    struct svg_frame *f;

    if (call->returned) {
        settle(v, item->tsc, v->state);
        s->counts.results++;
        cost = (double)call->ticks - (open->open ? away(v) - open->away : 0);
        cost = cost > 0 ? cost : 0;
    }
    sleeps = sched_command(call, SCHEDOP_block) || sched_command(call, SCHEDOP_poll);
    if (sleeps || (sched_command(call, SCHEDOP_yield) && !v->scheduled)) {
        *(sleeps ? &v->slept : &v->yielded) += cost;
        d->sleeps++;
        open->open = false;
        return;
    }
    f = frame_of(s, call);
    f->calls++;
    f->errors += call_failed(call);
    f->ticks += cost;
    f->self += member ? cost : cost > open->members ? cost - open->members : 0;
    d->calls++;
    if (member)
        v->open[0].members += cost;
    else
        v->cost += cost;
    open->open = false;
}

/* --- Items --------------------------------------------------------------------------------------------- */
static void guest_item(struct svg *s, struct svg_vcpu *v, const struct item *item)
{
    struct svg_domain *d = domain_of(s, v->id.domid);

    v->last = item->tsc > v->last ? item->tsc : v->last;
    switch (item->kind) {
    case ITEM_CALL_BEGIN:
        begin_call(v, item);
        break;
    case ITEM_CALL_END:
        end_call(s, v, item);
        break;
    case ITEM_TRAP:
        (*(item->trap.vector == 14 ? &d->faults : &d->traps))++;
        break;
    case ITEM_PTWR:
    case ITEM_EMULATED:
        d->emulated++;
        break;
    default:
        break;
    }
}

static void svg_item(void *state, const struct item *item)
{
    struct svg *s = state;
    bool is_call = item->kind == ITEM_CALL_BEGIN || item->kind == ITEM_CALL_END;
    struct svg_vcpu *v;

    if (item->tsc && (!s->counts.first || item->tsc < s->counts.first))
        s->counts.first = item->tsc;
    if (item->tsc > s->counts.last)
        s->counts.last = item->tsc;
    switch (item->kind) {
    case ITEM_LOST:
        s->counts.lost += item->lost.records;
        return;
    case ITEM_RUNSTATE:
        v = vcpu_of(s, item->runstate.who, item->tsc);
        if (v)
            change_state(v, item->tsc, item->runstate.from, item->runstate.to);
        return;
    case ITEM_DOMAIN:
    case ITEM_COUNTER:
    case ITEM_CLASSES:
    case ITEM_OTHER:
        return;
    default:
        v = vcpu_of(s, is_call ? item->call->v : item->v, item->tsc);
        if (v)
            guest_item(s, v, item);
    }
}

static double positive(double x)
{
    return x > 0 ? x : 0;
}

static void add_vcpu(struct svg *s, struct svg_vcpu *v)
{
    struct svg_domain *d = domain_of(s, v->id.domid);

    settle(v, v->scheduled ? s->counts.last : v->last, v->state);
    d->time[SVG_GUEST] += positive(v->spent[RUNNING] - v->cost - v->slept - v->yielded);
    d->time[SVG_HYPERCALLS] += v->cost;
    d->time[SVG_WAITING] += v->spent[RUNNABLE] + v->yielded;
    d->time[SVG_BLOCKED] += v->spent[ASLEEP] + v->slept;
    d->time[SVG_UNKNOWN] += v->spent[MISSED];
}

static int svg_end(void *state)
{
    struct svg *s = state;

    for (unsigned i = 0; i < SVG_VCPUS; i++)
        if (s->vcpus[i].used)
            add_vcpu(s, &s->vcpus[i]);
    for (unsigned i = 0; i < s->counts.nr_domains; i++) {
        struct svg_domain *d = &s->counts.domains[i];

        snprintf(d->name, sizeof(d->name), "%s", d->rest ? "" : model_domain_name(s->model, d->domid));
    }
    svg_draw(&s->counts, &s->o, model_clock(s->model));
    free(s);
    return 0;
}

const struct output_type svg_output = {
    .name = "svg",
    .open = svg_open,
    .item = svg_item,
    .end = svg_end,
};
