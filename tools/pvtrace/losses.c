/* Notices that records are missing from a file: since format 2 the first record of each block says
 * which of its CPU's records it is. A ring in RAM is read with the same check besides its own
 * (ring.c). Called by source.c. */
#include "tools/pvtrace/source.h"

#define LOST_WHO 0x8000u                /* nobody knows: vCPU 0 of Xen's "no domain" */

static void count(struct losses *l, const struct record *r)
{
    l->count[r->cpu] += r->event == TRC_LOST_RECORDS ? r->w[0] : 1;
    l->tsc[r->cpu] = r->tsc;
}

/* A number that goes back is another trace's, which begins here. */
void losses_before(struct losses *l, struct record *r)
{
    uint64_t since = l->tsc[r->cpu];
    uint32_t gap = 0;

    if (r->event == TRC_TRACE_CPU_CHANGE)
        return;
    if (r->event == TRC_PARAGON_CLOCK && r->n >= 7) {
        gap = r->w[6] - l->count[r->cpu];
        l->count[r->cpu] = r->w[6];
    }
    count(l, r);
    if (gap == 0 || gap > INT32_MAX)
        return;
    l->held = *r;
    l->waits = true;
    r->event = TRC_LOST_RECORDS;
    r->n = 4;
    memset(r->w, 0, sizeof(r->w));
    r->w[0] = gap;
    r->w[1] = LOST_WHO;
    r->w[2] = (uint32_t)since;
    r->w[3] = (uint32_t)(since >> 32);
}

bool losses_held(struct losses *l, struct record *r)
{
    if (!l->waits)
        return false;
    *r = l->held;
    l->waits = false;
    return true;
}
