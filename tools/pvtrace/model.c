/* The state of the model: the vCPUs, who runs on which CPU, and what waits for the next record.
 * Called by main.c and diff.c; records come in by record_table.c.
 *
 * An input may name any number of vCPUs: one that gets the place of another ends what that has
 * open. */
#include <stdlib.h>
#include <string.h>

#include "tools/pvtrace/model.h"

#define PROBES 64u

void emit(struct model *m, struct item *item, struct vcpu_id v, const struct record *r)
{
    item->v = v;
    item->cpu = r->cpu;
    item->tsc = r->tsc;
    item->rec = r;
    m->fn(m->state, item);
}

/* --- The table of vCPUs ----------------------------------------------------------------------- */
static const struct vcpu_id nobody = { UINT16_MAX, UINT16_MAX };   /* no guest: a free place */
static struct vcpu_id places[VCPU_PLACES];

static unsigned home(struct vcpu_id v)
{
    return (((uint32_t)v.domid << 16 | v.vcpu) * 2654435761u >> 12) % VCPU_PLACES;
}

/* Nothing is ever taken out, so the first free place ends the search. */
unsigned vcpu_place(struct vcpu_id v)
{
    unsigned at = home(v), left = PROBES;

    for (; left > 0 && !same_vcpu(places[at], v) && !same_vcpu(places[at], nobody); left--)
        at = (at + 1) % VCPU_PLACES;
    if (left == 0)
        at = home(v);
    places[at] = v;
    return at;
}

/* --- Who runs --------------------------------------------------------------------------------- */
static struct vcpu *vcpu_of(struct model *m, struct vcpu_id id, uint16_t cpu)
{
    struct vcpu *v = &m->vcpus[vcpu_place(id)];

    if (!same_vcpu(v->id, id)) {
        calls_abandon(m, v, NULL);
        v->id = id;
        v->cpu = cpu;
    }
    return v;
}

uint16_t vcpu_runs(struct model *m, uint16_t cpu, struct vcpu_id who)
{
    struct vcpu *v = vcpu_of(m, who, cpu);
    uint16_t before = v->cpu;

    m->cpus[cpu].known = true;
    m->cpus[cpu].who = who;
    v->cpu = cpu;
    return before;
}

/* One for each CPU, so that what two of them leave open is not mixed up. */
void vcpu_unknown(struct model *m, uint16_t cpu)
{
    vcpu_runs(m, cpu, (struct vcpu_id){ .domid = DOMID_UNKNOWN, .vcpu = cpu });
}

struct vcpu *vcpu_running(struct model *m, const struct record *r)
{
    struct cpu *c = &m->cpus[r->cpu];

    if (unlikely(!c->known))
        vcpu_unknown(m, r->cpu);
    return vcpu_of(m, c->who, r->cpu);
}

/* --- The model -------------------------------------------------------------------------------- */
struct model *model_new(item_fn fn, void *state)
{
    struct model *m = xcalloc(1, sizeof(*m));

    m->fn = fn;
    m->state = state;
    memset(places, 0xff, sizeof(places));
    return m;
}

void model_free(struct model *m)
{
    for (unsigned i = 0; i < VCPU_PLACES * DEPTHS; i++)
        free(m->vcpus[i / DEPTHS].room[i % DEPTHS]);
    free(m);
}

const struct clock_info *model_clock(const struct model *m)
{
    return &m->clock;
}

bool model_several_cpus(const struct model *m)
{
    return m->several_cpus;
}

const char *model_domain_name(const struct model *m, uint16_t domid)
{
    return domid < NR_DOMIDS ? m->names[domid] : "";
}
