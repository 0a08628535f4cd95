/* Between diff.c, which aligns two traces, and diff_table.c, which counts their calls side by side. */
#ifndef PVTRACE_DIFF_H
#define PVTRACE_DIFF_H

#include "tools/pvtrace/pvtrace.h"

struct diff_table;
struct diff_table *diff_table_new(void);
void diff_table_add(struct diff_table *t, unsigned side, const struct call *call);
/* clocks: of both sides. */
void diff_table_print(struct diff_table *t, const struct output_options *o, const struct clock_info clocks[2]);
void diff_table_free(struct diff_table *t);

/* What is compared of a call: its hypercall, sub-operation, place in a multicall, the arguments that are the
 * same in each run of the same guest, and the errno that it failed with. */
uint64_t diff_fingerprint(const struct call *call);

#endif
