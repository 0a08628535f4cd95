/* Counts of hypercalls. entry.S, iret.S, hypercall.c and multicall.c count in vcpu.calls, which
 * only the CPU that runs the vCPU writes; so no two CPUs write one word. A key (input.c) or the
 * end of a run with the option for it prints the table, and the trace ends with it. */
#include "common/abi_names.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/log.h"
#include "xen/pv/hypercall_counts.h"
#include "xen/pv/hypercalls.h"

_Static_assert(NR_HYPERCALLS == ARRAY_SIZE(((struct vcpu *)NULL)->calls), "vcpu.calls");

uint64_t hypercalls_of_ended[NR_HYPERCALLS];

uint64_t hypercall_count(unsigned nr)
{
    uint64_t sum = hypercalls_of_ended[nr];
    struct domain *d;
    struct vcpu *v;
    unsigned i;

    for_each_domain(d)
        for_each_vcpu(d, v, i)
            sum += READ_ONCE(v->calls[nr]);
    return sum;
}

void hypercall_counts_keep(struct domain *d)
{
    struct vcpu *v;
    unsigned i;

    for_each_vcpu(d, v, i)
        for (unsigned nr = 0; v != NULL && nr < NR_HYPERCALLS; nr++)
            hypercalls_of_ended[nr] += v->calls[nr];
}

/* order: the served hypercalls that were made at least once, the most frequent first. Returns
 * their number. */
static unsigned sort_by_count(const uint64_t counts[NR_HYPERCALLS], uint8_t order[NR_HYPERCALLS])
{
    unsigned n = 0, i;

    for (unsigned nr = 0; nr < NR_HYPERCALLS; nr++) {
        if (hypercall_names[nr] == NULL || counts[nr] == 0)
            continue;
        for (i = n++; i > 0 && counts[order[i - 1]] < counts[nr]; i--)
            order[i] = order[i - 1];
        order[i] = (uint8_t)nr;
    }
    return n;
}

void hypercalls_report(void)
{
    uint64_t counts[NR_HYPERCALLS], refused = 0;
    uint8_t order[NR_HYPERCALLS];
    unsigned n;

    for (unsigned nr = 0; nr < NR_HYPERCALLS; nr++)
        counts[nr] = hypercall_count(nr);
    n = sort_by_count(counts, order);
    log_info("Hypercalls by number of calls (members of a multicall count as well):");
    for (unsigned i = 0; i < n; i++)
        log_info("  %10lu %s", counts[order[i]], hypercall_names[order[i]]);
    for (unsigned nr = 0; nr < NR_HYPERCALLS; nr++)
        if (hypercall_names[nr] == NULL)
            refused += counts[nr];
    if (refused != 0)
        log_info("  %10lu of numbers that are not served", refused);
}
