/* The one table of vCPUs: a place for each, for state of its own in an array beside it. Any input can
 * only fill it, not grow it: a vCPU for which there is no place takes another's. */
#ifndef PVTRACE_VCPU_TABLE_H
#define PVTRACE_VCPU_TABLE_H

#include "tools/pvtrace/pvtrace.h"

#define VCPU_PLACES 8192u

struct vcpu_table {
    unsigned mask;                      /* places - 1, a power of two less 1 */
    struct vcpu_id recent;              /* asked for last */
    unsigned recent_at;
    struct vcpu_id keys[VCPU_PLACES];
};

void vcpu_table_init(struct vcpu_table *t, unsigned places);
bool vcpu_place_used(const struct vcpu_table *t, unsigned at);
/* The index of v's place. fresh: it was free, or another's, until now. */
unsigned vcpu_place(struct vcpu_table *t, struct vcpu_id v, bool *fresh);
int vcpu_find(struct vcpu_table *t, struct vcpu_id v);  /* -1: it has none */

#endif
