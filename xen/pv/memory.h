/* Between memory.c, memory_exchange.c and memory_map.c, and what a domain's end takes of them. */
#ifndef XEN_MEMORY_H
#define XEN_MEMORY_H

#include "xen/core/domain.h"
#include "xen/pv/domid.h"

#define MAX_ORDER 9u                    /* of one extent, for a domain without devices */

/* The domain that is named must be the caller, by either name: 0, -ESRCH or -EPERM. */
static inline int memory_check_domid(domid_t domid)
{
    return check_domid(domid, NAMES_SELF | NAMES_OWN_NUMBER);
}
/* New frames for d, their M2P entries set to pfn and following, or to none. INVALID_MFN: no
 * memory, over the limit, or not below the number of address bits in mem_flags. d's mm_lock is
 * held. */
mfn_t memory_give_frames(struct domain *d, unsigned order, unsigned mem_flags, pfn_t pfn);
void memory_map_free(struct domain *d);

#endif
