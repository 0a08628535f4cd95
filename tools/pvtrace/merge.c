/* Merges the records of several CPUs by their time: each CPU's own are in order. What is between
 * two records of different CPUs that have the same time is not known; then the CPU that spoke last
 * goes on, as records without a time belong to the one before. Called by ram.c and windows.c. */
#include "tools/pvtrace/source.h"

void merge_begin(struct merge *m, unsigned n)
{
    m->n = n;
    m->last = 0;
    m->until = 0;
    memset(m->head, 0, n * sizeof(m->head[0]));
}

bool merge_choose(struct merge *m)
{
    uint64_t least = UINT64_MAX, second = UINT64_MAX;
    unsigned best = m->n;

    for (unsigned i = 0; i < m->n; i++) {
        unsigned at = m->last + i < m->n ? m->last + i : m->last + i - m->n;
        const struct record *r = m->head[at];

        if (r == NULL)
            continue;
        if (best == m->n || r->tsc < least) {
            second = least;
            least = r->tsc;
            best = at;
        } else if (r->tsc < second) {
            second = r->tsc;
        }
    }
    if (best == m->n)
        return false;
    m->last = best;
    m->until = second;
    return true;
}
