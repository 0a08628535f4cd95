/* Plans a new guest's initial memory. */
#ifndef XEN_BUILD_PLAN_H
#define XEN_BUILD_PLAN_H

#include "xen/boot/builder.h"

int plan_memory(struct build *b);       /* 0 or errno; needs image, ramdisk_size and nr_pages */

#endif
