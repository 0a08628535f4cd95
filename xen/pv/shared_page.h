/* Pages of the hypervisor's that a guest may map: shared_info, grant tables, status frames. */
#ifndef XEN_SHARED_PAGE_H
#define XEN_SHARED_PAGE_H

#include "xen/core/domain.h"

/* A zeroed frame of ours that d may map writable (shared_info, grant table); owner d, not part
 * of nr_frames but of nr_hv_frames. NULL: as alloc_page_for. */
void *alloc_shared_page(struct domain *d);
/* drops our reference; the frame goes when the guest's mappings do */
void free_shared_page(void *page);

int shared_info_init(struct domain *d);
void shared_info_free(struct domain *d);

#endif
