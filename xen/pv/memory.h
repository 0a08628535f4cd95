/* Between memory.c, memory_exchange.c and memory_map.c, and what a domain's end takes of them. */
#ifndef XEN_MEMORY_H
#define XEN_MEMORY_H

#include "xen/core/domain.h"

#define MAX_ORDER 9u                    /* of one extent, for a domain without devices */

int memory_check_self(domid_t domid);   /* the domain named must be the caller: 0, -ESRCH or -EPERM */
/* New frames for d, their M2P entries set to pfn and following, or to none. INVALID_MFN: no memory, over the
 * limit, or not below the number of address bits in mem_flags. d's mm_lock is held. */
mfn_t memory_give_frames(struct domain *d, unsigned order, unsigned mem_flags, pfn_t pfn);
long memory_exchange(uint64_t arg, uint64_t start);     /* XENMEM_exchange */
long memory_memory_map(uint64_t arg, uint64_t start);   /* memory_map.c */
long memory_set_memory_map(uint64_t arg, uint64_t start);
void memory_map_free(struct domain *d);

#endif
