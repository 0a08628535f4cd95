/* Version 2 of grant tables (grant_version.c): its status pages. */
#ifndef XEN_GRANT_VERSION_H
#define XEN_GRANT_VERSION_H

#include "xen/core/domain.h"

/* Allocates the status pages for so many frames of entries: 0 or -ENOMEM. */
int grant_grow_status(struct domain *d, unsigned nr_frames);

#endif
