/* Who has which place in the table of vCPUs: see vcpu_table.h. */
#include <string.h>

#include "tools/pvtrace/vcpu_table.h"

#define PROBES 64u

static const struct vcpu_id nobody = { UINT16_MAX,
                                       UINT16_MAX }; /* no guest: a place that is free */
static struct vcpu_id keys[VCPU_PLACES];
static struct vcpu_id recent;           /* asked for last */
static unsigned recent_at;

static unsigned home(struct vcpu_id v)
{
    return (((uint32_t)v.domid << 16 | v.vcpu) * 2654435761u >> 12) % VCPU_PLACES;
}

void vcpu_table_clear(void)
{
    memset(keys, 0xff, sizeof(keys));
    recent = nobody;
    recent_at = home(nobody);
}

/* Nothing is ever taken out, so the first free place ends the search. */
unsigned vcpu_place(struct vcpu_id v)
{
    unsigned at = home(v), left = PROBES;

    if (same_vcpu(recent, v))
        return recent_at;
    for (; left > 0 && !same_vcpu(keys[at], v) && !same_vcpu(keys[at], nobody); left--)
        at = (at + 1) % VCPU_PLACES;
    if (left == 0)
        at = home(v);
    keys[at] = recent = v;
    return recent_at = at;
}
