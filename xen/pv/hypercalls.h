/* The table that hypercall numbers go through, and what is counted of them. The handlers' prototypes and the table itself
 * are made of common/abi.def: gen/abi_handlers.h, gen/abi_dispatch.c. */
#ifndef XEN_HYPERCALLS_H
#define XEN_HYPERCALLS_H

#include "gen/abi_handlers.h"

#define NR_HYPERCALLS 64u

typedef long (*hypercall_fn)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
extern const hypercall_fn hypercall_table[NR_HYPERCALLS];   /* never NULL: unserved ones answer -ENOSYS */
extern const char *const hypercall_names[NR_HYPERCALLS];    /* NULL: not served */
extern uint64_t hypercall_counts[NR_HYPERCALLS];            /* since boot, on this CPU; entry.S adds */
long hypercall_traced(uint64_t nr, const uint64_t args[6]); /* any number: the call with records of it */
void hypercalls_report(void);                               /* the counts on the console, largest first */

#endif
