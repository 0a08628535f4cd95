/* Between summary.c, which compares what was counted with the hypervisor's counters, and summary_print.c,
 * which writes the tables. */
#ifndef PVTRACE_SUMMARY_H
#define PVTRACE_SUMMARY_H

#include "common/abi_names.h"
#include "tools/pvtrace/account.h"

struct summary {
    struct account a;
    /* All of the trace, whatever the filter, to hold against the hypervisor's counters. */
    uint64_t seen[ABI_HYPERCALLS + 1], counters[ABI_HYPERCALLS + 1];    /* the last: of all other numbers */
    bool have_counters, recording, late, paused;
};

void summary_print(const struct account *a);

#endif
