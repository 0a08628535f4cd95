/* What memory_op's files share: memory.c (reservations) allocates for memory_exchange.c; both, and
 * memory_map.c, check the domain that a command names. */
#ifndef XEN_MEMORY_H
#define XEN_MEMORY_H

#include "xen/core/domain.h"
#include "xen/pv/domid.h"

#define MAX_ORDER 9u                    /* of one extent, for a domain without devices */

/* Checks that the domain named is the caller, by its number or DOMID_SELF: 0, -ESRCH or -EPERM. */
static inline int memory_check_domid(domid_t domid)
{
    return check_domid(domid, NAMES_SELF | NAMES_OWN_NUMBER);
}

/* Allocates frames for d and sets their M2P entries to pfn and following, or to none.
 * INVALID_MFN: no memory, over d's limit, or no frame within the address bits of mem_flags. d's
 * mm_lock is held. */
mfn_t memory_give_frames(struct domain *d, unsigned order, unsigned mem_flags, pfn_t pfn);

#endif
