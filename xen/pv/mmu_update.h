/* Single page-table entries: mmu_update.c. */
#ifndef XEN_MMU_UPDATE_H
#define XEN_MMU_UPDATE_H

#include <stdint.h>

/* Checks that a hypercall's bitmap of vCPUs can be read: 0 or -EFAULT. */
int check_vcpu_set(uint64_t bitmap);

#endif
