/* Owns the vCPUs that a trace speaks of: finding them by their numbers, who runs on which CPU, and forgetting
 * the least recently used when there are too many, for an input may name any number of them. */
#include "tools/pvtrace/model.h"

void vcpus_init(struct model *m)
{
    for (unsigned i = 0; i < VCPU_BUCKETS; i++)
        list_init(&m->buckets[i]);
    list_init(&m->recent);
    list_init(&m->open);
}

static struct vcpu *fresh(struct model *m)
{
    struct vcpu *v;

    if (m->nr_vcpus < MAX_VCPUS)
        return &m->vcpus[m->nr_vcpus++];
    v = list_entry(m->recent.next, struct vcpu, recent);
    calls_abandon(m, v, NULL);
    list_del(&v->bucket);
    list_del(&v->recent);
    return v;
}

static struct vcpu *find(struct model *m, struct vcpu_id id)
{
    uint32_t hash = (id.domid * 61u + id.vcpu) % VCPU_BUCKETS;
    struct vcpu *v;

    list_for_each_entry(v, &m->buckets[hash], bucket)
        if (same_vcpu(v->id, id))
            return v;
    v = fresh(m);
    *v = (struct vcpu){ .id = id };
    list_init(&v->open);
    list_add(&v->bucket, &m->buckets[hash]);
    list_add_tail(&v->recent, &m->recent);
    return v;
}

void vcpu_runs(struct model *m, uint16_t cpu, struct vcpu_id who)
{
    struct cpu *c = &m->cpus[cpu];

    if (c->running == NULL || !same_vcpu(c->who, who) || !same_vcpu(c->running->id, who)) {
        c->running = find(m, who);
        c->who = who;
        list_del(&c->running->recent);
        list_add_tail(&c->running->recent, &m->recent);
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
