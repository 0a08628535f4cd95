/* Owns who has which place in a table of vCPUs: see vcpu_table.h. */
#include <string.h>

#include "tools/pvtrace/vcpu_table.h"

#define PROBES 64u
static const struct vcpu_id nobody = { UINT16_MAX, UINT16_MAX };        /* no guest: a place that is free */

bool vcpu_place_used(const struct vcpu_table *t, unsigned at)
{
    return !same_vcpu(t->keys[at], nobody);
}

static unsigned home(const struct vcpu_table *t, struct vcpu_id v)
{
    return (((uint32_t)v.domid << 16 | v.vcpu) * 2654435761u >> 12) & t->mask;
}

void vcpu_table_init(struct vcpu_table *t, unsigned places)
{
    memset(t->keys, 0xff, sizeof(t->keys));
    t->mask = places - 1;
    t->recent = nobody;
    t->recent_at = home(t, nobody);
}

/* Nothing is ever taken out, so the first free place ends the search; -1: all are others'. */
static int search(const struct vcpu_table *t, struct vcpu_id v)
{
    for (unsigned i = 0, at = home(t, v); i < PROBES; i++, at = (at + 1) & t->mask)
        if (same_vcpu(t->keys[at], v) || !vcpu_place_used(t, at))
            return (int)at;
    return -1;
}

int vcpu_find(struct vcpu_table *t, struct vcpu_id v)
{
    int at;

    if (same_vcpu(t->recent, v))
        return (int)t->recent_at;
    at = search(t, v);
    if (at < 0 || !same_vcpu(t->keys[at], v))
        return -1;
    t->recent = v;
    t->recent_at = (unsigned)at;
    return at;
}

unsigned vcpu_place(struct vcpu_table *t, struct vcpu_id v, bool *fresh)
{
    int at = vcpu_find(t, v);

    *fresh = at < 0;
    if (at >= 0)
        return (unsigned)at;
    at = search(t, v);
    t->recent = v;
    t->recent_at = at >= 0 ? (unsigned)at : home(t, v);
    t->keys[t->recent_at] = v;
    return t->recent_at;
}
