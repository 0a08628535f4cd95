/* Pages of the hypervisor that a guest may map: shared_page.c. */
#ifndef XEN_SHARED_PAGE_H
#define XEN_SHARED_PAGE_H

#include "xen/core/domain.h"

/* Allocates a zeroed frame of the hypervisor that d may map writable (shared_info, grant table).
 * Its owner is d; it is not counted in nr_frames but in nr_hv_frames. NULL: as alloc_page_for. */
void *alloc_shared_page(struct domain *d);
/* Drops the hypervisor's reference; the frame is freed when the guest has no mapping of it. */
void free_shared_page(void *page);

int shared_info_init(struct domain *d);
void shared_info_free(struct domain *d);

#endif
