/* The table of hypercall handlers. The build makes the handlers' prototypes (gen/abi_handlers.h)
 * and the table (gen/abi_dispatch.c) from common/abi.def. Counts of calls: hypercall_counts.h. */
#ifndef XEN_HYPERCALLS_H
#define XEN_HYPERCALLS_H

#include "common/abi_names.h"
#include "gen/abi_handlers.h"

#define NR_HYPERCALLS ABI_HYPERCALLS

typedef long (*hypercall_fn)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
/* Never NULL: unserved ones answer -ENOSYS */
extern const hypercall_fn hypercall_table[NR_HYPERCALLS];
extern const char *const hypercall_names[NR_HYPERCALLS];    /* NULL: not served */
/* Makes call nr, which may be any number, and records it in the trace (hypercall.c). */
long hypercall_traced(uint64_t nr, const uint64_t args[6]);

#endif
