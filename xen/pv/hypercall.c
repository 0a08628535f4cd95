/* Trace records of hypercalls. Entry code and multicall.c call handlers through hypercall_table,
 * which the build makes from common/abi.def, or through hypercall_traced while hypercalls are
 * traced. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/core/irqsoff.h"
#include "xen/core/trace.h"
#include "xen/pv/hypercalls.h"

static long call(uint64_t nr, const uint64_t a[6])
{
    if (unlikely(nr >= NR_HYPERCALLS))
        return -ENOSYS;
    current->calls[nr]++;
    return hypercall_table[nr](a[0], a[1], a[2], a[3], a[4], a[5]);
}

static inline bool served(uint64_t nr)
{
    return nr < NR_HYPERCALLS && hypercall_names[nr] != NULL;
}

long hypercall_traced(uint64_t nr, const uint64_t args[6])
{
    const struct vcpu *v = current;
    unsigned before;
    uint64_t begin;
    long result;

    before = irqsoff_begin(v->in_multicall ? __HYPERVISOR_multicall : served(nr) ? (unsigned)nr :
                           NR_HYPERCALLS - 1);
    if (!(v->domain->trace & TRACE_HYPERCALL)) {
        result = call(nr, args);
    } else {
        begin = trace_hypercall(nr, args, v->in_multicall);
        result = call(nr, args);
        trace_result(nr, result, begin);
    }
    irqsoff_end(before);
    return result;
}
