/* Releasing the frames of a domain that ends: relinquish.c. */
#ifndef XEN_RELINQUISH_H
#define XEN_RELINQUISH_H

#include "xen/core/domain.h"

void domain_release_vcpus(struct domain *d);    /* roots, descriptor tables, registered areas */
/* Unpins and releases all of its frames; others run meanwhile. */
void domain_release_frames(struct domain *d);

#endif
