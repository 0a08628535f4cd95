/* The table that hypercall numbers go through, and what is counted of them. The handlers'
 * prototypes and the table itself are made of common/abi.def: gen/abi_handlers.h,
 * gen/abi_dispatch.c. */
#ifndef XEN_HYPERCALLS_H
#define XEN_HYPERCALLS_H

#include "gen/abi_handlers.h"

#define NR_HYPERCALLS 64u

typedef long (*hypercall_fn)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
/* never NULL: unserved ones answer -ENOSYS */
extern const hypercall_fn hypercall_table[NR_HYPERCALLS];
extern const char *const hypercall_names[NR_HYPERCALLS];    /* NULL: not served */
/* since boot, on this CPU; entry.S adds */
extern uint64_t hypercall_counts[NR_HYPERCALLS];
/* any number: the call with records of it */
long hypercall_traced(uint64_t nr, const uint64_t args[6]);
/* the counts on the console, largest first */
void hypercalls_report(void);

#endif
