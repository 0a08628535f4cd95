/* Between diff.c, which compares two traces call by call, and diff_table.c, which counts the calls
 * of both side by side. */
#ifndef PVTRACE_DIFF_H
#define PVTRACE_DIFF_H

#include "tools/pvtrace/account.h"

/* In rows, who is the side: 0 for A, 1 for B. */
void diff_table_add(struct rows *rows, unsigned side, const struct call *call);
/* clocks: of both sides. The rows are of no other use after it. */
void diff_table_print(struct rows *rows, const struct output_options *o,
                      const struct clock_info clocks[2]);

#endif
