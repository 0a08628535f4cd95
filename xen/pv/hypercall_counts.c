/* Counts of hypercalls. entry.S, iret.S, hypercall.c and multicall.c count; a key (input.c) or the
 * end of a run with the option for it prints the table. */
#include "common/abi_names.h"
#include "xen/core/log.h"
#include "xen/pv/hypercall_counts.h"
#include "xen/pv/hypercalls.h"

uint64_t hypercall_counts[NR_HYPERCALLS];

/* order: the served hypercalls that were made at least once, the most frequent first. Returns
 * their number. */
static unsigned sort_by_count(uint8_t order[NR_HYPERCALLS])
{
    unsigned n = 0, i;

    for (unsigned nr = 0; nr < NR_HYPERCALLS; nr++) {
        if (hypercall_names[nr] == NULL || hypercall_counts[nr] == 0)
            continue;
        for (i = n++; i > 0 && hypercall_counts[order[i - 1]] < hypercall_counts[nr]; i--)
            order[i] = order[i - 1];
        order[i] = (uint8_t)nr;
    }
    return n;
}

void hypercalls_report(void)
{
    uint8_t order[NR_HYPERCALLS];
    unsigned n = sort_by_count(order);
    uint64_t refused = 0;

    log_info("Hypercalls by number of calls (members of a multicall count as well):");
    for (unsigned i = 0; i < n; i++)
        log_info("  %10lu %s", hypercall_counts[order[i]], hypercall_names[order[i]]);
    for (unsigned nr = 0; nr < NR_HYPERCALLS; nr++)
        if (hypercall_names[nr] == NULL)
            refused += hypercall_counts[nr];
    if (refused != 0)
        log_info("  %10lu of numbers that are not served", refused);
}
