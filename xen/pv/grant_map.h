/* Handles and mappings of grants (grant_map.c), without the hypercall's operations: what the end
 * of a domain does to them, and what audits count. */
#ifndef XEN_GRANT_MAP_H
#define XEN_GRANT_MAP_H

#include "xen/core/domain.h"

/* Ends the dying domain's own mappings of other domains' frames. */
void grant_destroy_mappings(struct domain *d);
/* Called when the granter is freed: no handle may name it any more. */
void grant_forget_granter(struct domain *granter);
/* G5: calls fn for each device mapping of each domain; audit.c counts with it. */
void grant_for_each_device_map(void (*fn)(void *arg, mfn_t mfn, bool readonly), void *arg);
void grant_audit(void);                     /* G1; panics */

#endif
