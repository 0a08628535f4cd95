/* The hypercall log: what guests asked, in order, with results and cost; off unless trace=hypercalls. Binary
 * records in a ring per CPU, decoded only when they are shown. */
#ifndef XEN_TRACE_H
#define XEN_TRACE_H

#include "xen/types.h"

extern uint64_t trace_size;     /* bytes of a CPU's ring, trace_size=; rounded down to a power of two */

void trace_init(void);          /* before any guest; no memory: says so and stays off */
void trace_free(void);          /* shows nothing, gives the memory back */
/* A call begins: the number of its record. A call that is still running, or never returned, shows as such. */
uint64_t trace_begin(unsigned nr, const uint64_t args[6]);
void trace_end(uint64_t record, unsigned nr, const uint64_t args[6], long result, uint64_t cycles);
void trace_dump(void);          /* shows what was not shown before; when a guest ends or anything crashes */

/* trace_names.c: the public name of a sub-operation, e.g. "GNTTABOP_copy"; NULL: it has none. */
const char *trace_op_name(unsigned nr, uint64_t op);

#endif
