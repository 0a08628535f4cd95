/* Pages of the hypervisor that a guest may map: shared_page.c. */
#ifndef XEN_SHARED_PAGE_H
#define XEN_SHARED_PAGE_H

#include "xen/core/domain.h"

/* A zeroed frame of ours that d may map writable (shared_info, grant table); owner d, not part
 * of nr_frames but of nr_hv_frames. NULL: as alloc_page_for. */
void *alloc_shared_page(struct domain *d);
/* drops the hypervisor's reference; the frame is freed when the guest has no mapping of it */
void free_shared_page(void *page);

int shared_info_init(struct domain *d);
void shared_info_free(struct domain *d);

#endif
