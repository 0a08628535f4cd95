/* The one table of vCPUs: a place for each, an index for arrays of state. Any input can only fill
 * it, not grow it: a vCPU for which there is no place is given another's, so a state says whose it
 * is. */
#ifndef PVTRACE_VCPU_TABLE_H
#define PVTRACE_VCPU_TABLE_H

#include "tools/pvtrace/pvtrace.h"

#define VCPU_PLACES 1024u

unsigned vcpu_place(struct vcpu_id v);
void vcpu_table_clear(void);            /* a trace begins: all places are free */

#endif
