/* Owns the alignment of two traces, vCPU by vCPU: see diff.c. Of the side that is ahead only fingerprints
 * are kept. */
#include <stdlib.h>

#include "tools/pvtrace/diff.h"

#define WINDOW 16384u           /* a power of two */

struct lane *lane_of(struct diff *d, struct vcpu_id v)
{
    for (unsigned i = 0; i < d->nr_lanes; i++)
        if (same_vcpu(d->lanes[i].v, v))
            return &d->lanes[i];
    if (d->nr_lanes == LANES)
        return NULL;
    d->lanes[d->nr_lanes] = (struct lane){ .v = v };
    return &d->lanes[d->nr_lanes++];
}

static void forget_steps(struct diff *d, struct lane *l)
{
    d->sides[l->side].pending -= l->n;
    free(l->ahead);
    l->ahead = NULL;
    l->n = l->first = l->room = 0;
}

void lane_parts(struct diff *d, struct lane *l, unsigned side, uint64_t tsc, uint64_t other_tsc)
{
    l->differs = true;
    l->tsc[side] = tsc;
    l->tsc[!side] = other_tsc;
    forget_steps(d, l);
}

static bool more_room(struct lane *l)
{
    unsigned room = l->room ? l->room * 2 : 64;
    struct step *ahead = room <= WINDOW ? malloc(room * sizeof(*ahead)) : NULL;

    if (ahead == NULL)
        return false;
    for (unsigned i = 0; i < l->n; i++)
        ahead[i] = l->ahead[(l->first + i) & (l->room - 1)];
    free(l->ahead);
    l->ahead = ahead;
    l->first = 0;
    l->room = room;
    return true;
}

static void go_ahead(struct diff *d, struct lane *l, unsigned side, struct step step)
{
    if (d->sides[!side].ended) {
        lane_parts(d, l, side, l->n ? l->ahead[l->first].tsc : step.tsc, 0);
        return;
    }
    if (l->n == l->room && !more_room(l)) {
        l->late = true;
        forget_steps(d, l);
        return;
    }
    l->side = side;
    l->ahead[(l->first + l->n++) & (l->room - 1)] = step;
    d->sides[side].pending++;
}

void lane_align(struct diff *d, struct lane *l, unsigned side, struct step step)
{
    struct step other;

    if (l->n == 0 || l->side == side) {
        go_ahead(d, l, side, step);
        return;
    }
    other = l->ahead[l->first];
    l->first = (l->first + 1) & (l->room - 1);
    l->n--;
    d->sides[!side].pending--;
    if (other.fingerprint == step.fingerprint)
        l->same++;
    else
        lane_parts(d, l, side, step.tsc, other.tsc);
}
