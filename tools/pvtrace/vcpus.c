/* Owns who runs on which CPU. An input may name any number of vCPUs: one for which there is no place left
 * ends what another has open. */
#include "tools/pvtrace/model.h"

void vcpus_init(struct model *m)
{
    vcpu_table_init(&m->places, VCPU_PLACES);
    for (unsigned i = 0; i < VCPU_PLACES; i++)
        list_init(&m->vcpus[i].open);
    list_init(&m->open);
}

static struct vcpu *find(struct model *m, struct vcpu_id id)
{
    bool fresh;
    struct vcpu *v = &m->vcpus[vcpu_place(&m->places, id, &fresh)];

    if (fresh)
        calls_abandon(m, v, NULL);
    v->id = id;
    return v;
}

void vcpu_runs(struct model *m, uint16_t cpu, struct vcpu_id who)
{
    struct cpu *c = &m->cpus[cpu];

    if (c->running == NULL || !same_vcpu(c->who, who) || !same_vcpu(c->running->id, who)) {
        c->running = find(m, who);
        c->who = who;
    }
    c->running->cpu = cpu;
}

/* One for each CPU, so that what two of them leave open is not mixed up. */
void vcpu_unknown(struct model *m, uint16_t cpu)
{
    vcpu_runs(m, cpu, (struct vcpu_id){ .domid = DOMID_UNKNOWN, .vcpu = cpu });
}

struct vcpu *vcpu_running(struct model *m, const struct record *r)
{
    struct cpu *c = &m->cpus[r->cpu];

    if (unlikely(c->running == NULL))
        vcpu_unknown(m, r->cpu);
    else if (unlikely(!same_vcpu(c->running->id, c->who))) /* it was forgotten, and its place given away */
        vcpu_runs(m, r->cpu, c->who);
    return c->running;
}
